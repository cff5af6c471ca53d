"""What a mail to a moderator says, as plain text and as HTML, and where its links lead."""

from __future__ import annotations

from uuid import uuid4

import pytest

from app.accounts.user import MailChoice
from app.commentables import commentables
from app.commentables.commentables import HostPage
from app.comments import posting
from app.live.service import Parley
from app.live.viewers import Viewer
from app.moderator_mail import texts
from app.moderator_mail.news import About
from tests.support.mail_fixtures import HOST, PUBLIC_URL
from tests.support.moderator_mail import report, send_due, wants
from tests.support.people_without_http import ARTICLE, edit_comment, post_comment
from tests.support.smtp import MailServer


async def test_a_mail_about_a_report_quotes_the_comment_and_links_to_it(
    parley: Parley, server: MailServer, olga: Viewer, alice: Viewer, bob: Viewer
) -> None:
    comment = await post_comment(parley, bob, "<script>*Buy*</script>\n\nNow.")
    async with parley.writing(ARTICLE.about) as write, commentables.changing(write, ARTICLE) as commentable:
        commentable.title = "Rivers <b>& lakes</b>"
    await report(parley, alice, comment, "See\n<i>this</i>")
    await send_due(parley)
    (mail,) = server.received
    link = f"{PUBLIC_URL}/Article/1#comment-{comment.id}"
    assert mail.text.startswith(
        "Hello,\n\nalice reported a comment of bob (spam) in “Rivers <b>& lakes</b>”:\n\nNote: See <i>this</i>\n\n"
        f"> <script>*Buy*</script>\n>\n> Now.\n\n{link}\n\nOpen the moderation page: {PUBLIC_URL}/moderation\n"
    )
    html = mail.part("html")
    assert ("<script" in html, "<i>this" in html, "<b>&" in html) == (False, False, False)
    for address in (link, f"{PUBLIC_URL}/moderation", f"{PUBLIC_URL}/account"):
        assert f'href="{address}"' in html
    assert "Buy</em>" in html


async def test_a_link_opens_the_page_where_the_comment_was_written(
    parley: Parley, server: MailServer, olga: Viewer, bob: Viewer
) -> None:
    await wants(parley, olga, MailChoice.AT_ONCE, About.COMMENT)
    page = HostPage(f"{HOST}/post", "A post")
    comment, _ = await posting.post(parley, bob, ARTICLE, "Here", uuid4(), page=page)
    await send_due(parley)
    assert f"{HOST}/post#comment-{comment.id}\n" in server.received[0].text


async def test_two_edits_of_a_comment_are_one_entry(
    parley: Parley, server: MailServer, olga: Viewer, bob: Viewer
) -> None:
    await wants(parley, olga, MailChoice.AT_ONCE, About.EDIT)
    comment = await post_comment(parley, bob, "One")
    for body in ("Two", "Three"):
        await edit_comment(parley, bob, comment, body)
    await send_due(parley)
    assert server.received[0].text.count("bob edited a comment:\n\n> Three\n") == 1


async def test_a_mail_about_many_comments_says_how_many_it_leaves_out(
    parley: Parley, server: MailServer, olga: Viewer, bob: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "MAX_ENTRIES", 2)
    await wants(parley, olga, MailChoice.AT_ONCE, About.COMMENT)
    for number in range(5):
        await post_comment(parley, bob, f"Number {number}")
    await send_due(parley)
    (mail,) = server.received
    assert mail.text.count("bob wrote:") == 2
    for part in (mail.text, mail.part("html")):
        assert "3 more are not in this email." in part
