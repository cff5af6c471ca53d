"""What a mail about replies says, as plain text and as HTML, and where its links lead."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from app.accounts.user import MailChoice
from app.commentables import commentables
from app.commentables.commentables import HostPage
from app.live.service import Parley
from app.live.viewers import Viewer
from app.mail import emails
from app.mail.mail_queue import Kind
from app.reply_mail import choices, texts
from app.settings import Settings
from tests.support.mail_fixtures import HOST, PUBLIC_URL, confirmed, in_production, process
from tests.support.mailbox import list_subjects
from tests.support.people_without_http import ARTICLE, post_comment
from tests.support.reply_mail import DELAY, pass_time, reply, send_due
from tests.support.smtp import MailServer, Received

TITLE = "How to read a river"


async def mail_about(parley: Parley, server: MailServer) -> Received:
    """The mail that is due after the delay."""
    await pass_time(parley, DELAY)
    await send_due(parley)
    return server.received[-1]


async def give_title(parley: Parley, title: str) -> None:
    async with parley.writing(ARTICLE.about) as write, commentables.changing(write, ARTICLE) as commentable:
        commentable.title = title


async def test_a_mail_quotes_the_reply_and_links_to_it(
    parley: Parley, server: MailServer, alice: Viewer, bob: Viewer
) -> None:
    await give_title(parley, TITLE)
    comment = await reply(parley, bob, await post_comment(parley, alice, "Well?"), "Read it **slowly**.\n\nTwice.")
    mail = await mail_about(parley, server)
    link = f"{PUBLIC_URL}/Article/1#comment-{comment.id}"
    assert mail.subject == f"New replies in “{TITLE}”"
    assert mail.text.startswith(
        f"Hello,\n\nbob replied to you in “{TITLE}”:\n\n> Read it **slowly**.\n>\n> Twice.\n\n{link}\n\n"
    )
    assert f"Choose which emails you get: {PUBLIC_URL}/account\n" in mail.text
    assert mail.text.endswith(f"\n-- \nParley, {PUBLIC_URL}\n")
    html = mail.part("html")
    assert "<strong>slowly</strong>" in html
    assert f'<a href="{link}">Read and reply</a>' in html
    assert [part.get_content_type() for part in mail.message.walk()] == [
        "multipart/alternative", "text/plain", "text/html",
    ]  # fmt: skip


async def test_a_link_opens_the_page_where_the_comment_was_written(
    parley: Parley, server: MailServer, alice: Viewer, bob: Viewer
) -> None:
    page = HostPage(f"{HOST}/rivers?page=1&all", TITLE)
    comment = await reply(parley, bob, await post_comment(parley, alice, "Well?"), page=page)
    mail = await mail_about(parley, server)
    assert f"\n{page.url}#comment-{comment.id}\n" in mail.text
    assert f'href="{page.url.replace("&", "&amp;")}#comment-{comment.id}"' in mail.part("html")


async def test_a_link_does_not_open_a_page_that_may_no_longer_show_comments(
    settings: Settings, server: MailServer, parley: Parley, alice: Viewer, bob: Viewer
) -> None:
    await reply(parley, bob, await post_comment(parley, alice, "Well?"), page=HostPage(f"{HOST}/rivers"))
    async with process(in_production(settings, server.url, allowed_origins=frozenset())) as later:
        mail = await mail_about(later, server)
    assert (HOST in mail.raw.decode(), f"{PUBLIC_URL}/Article/1#comment-" in mail.text) == (False, True)


@pytest.mark.parametrize(
    "body",
    [
        "<script>alert(1)</script> & <b>bold</b>",
        "</blockquote><img src=x onerror=alert(1)>",
        "[here](javascript:alert(1)) {about} {0} {{ 7*7 }} %s",
        "**\u202ereversed** and\r\nBcc: everyone@example.com",
    ],
)
async def test_no_comment_can_change_the_mail_around_it(
    parley: Parley, server: MailServer, alice: Viewer, bob: Viewer, body: str
) -> None:
    await give_title(parley, f"{body} of a title")
    await post_comment(parley, bob, f"@alice {body}")
    mail = await mail_about(parley, server)
    html = mail.part("html")
    tags = {tag.lower() for tag in re.findall(r"<\s*/?\s*([a-z]+)", html, re.IGNORECASE)}
    assert tags <= {"a", "b", "bdi", "blockquote", "body", "br", "em", "head", "hr", "html", "meta", "p", "span",
                    "strong", "title"}  # fmt: skip
    assert not re.search(r"<[^>]+\son\w+=|href=\"(?!https://)", html)
    assert (mail.message["Bcc"], mail.to) == (None, "alice@example.com")
    quoted = mail.text.partition(":\n\n")[2].partition(f"\n\n{PUBLIC_URL}")[0]
    assert all(line.startswith(">") for line in quoted.splitlines())


async def test_a_long_comment_is_cut(parley: Parley, server: MailServer, alice: Viewer, bob: Viewer) -> None:
    await post_comment(parley, bob, "@alice " + "**word** " * 1_000 + "the end")
    mail = await mail_about(parley, server)
    for part in (mail.text, mail.part("html")):
        assert ("the end" in part, "…" in part) == (False, True)
    assert len(mail.text) < texts.MAX_QUOTED_LENGTH + 1_000


async def test_the_headers_of_a_mail_are_readable_for_mail_software(
    settings: Settings, server: MailServer, parley: Parley, alice: Viewer, bob: Viewer
) -> None:
    """Python would fold and encode long ones. Then no mail software finds the link."""
    await give_title(parley, "Flüsse " * 20)
    await post_comment(parley, bob, "@alice")
    where = f"https://talk.{'a-long-name.' * 12}example.com/talk"
    async with process(
        in_production(settings, server.url, public_url=where, mail_from="talk@" + where[8:].partition("/")[0])
    ) as later:
        mail = await mail_about(later, server)
    head = mail.raw.decode("ascii").partition("\r\n\r\n")[0].split("\r\n")
    assert [line for line in head if line.startswith("List-Unsubscribe-Post:")] == [
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click"
    ]
    (link,) = [line for line in head if line.startswith("List-Unsubscribe:")]
    assert re.fullmatch(rf"List-Unsubscribe: <{re.escape(where)}/unsubscribe\?token=[\w.-]+>", link)
    assert max(map(len, head)) < 998  # RFC 5322
    for name in ("In-Reply-To", "References"):
        assert [line for line in head if re.fullmatch(rf"{name}: <[0-9a-f-]+@talk\.[\w.-]+>", line)], head
    assert mail.subject.startswith("New replies in “Flüsse Flüsse")


async def test_the_mail_of_a_digest_is_complete(parley: Parley, server: MailServer, alice: Viewer, bob: Viewer) -> None:
    await choices.choose(parley, alice, MailChoice.DAILY, MailChoice.DAILY)
    await give_title(parley, TITLE)
    await post_comment(parley, bob, "@alice, good morning")
    await pass_time(parley, timedelta(days=1))
    mail = await mail_about(parley, server)
    assert f"bob mentioned you in “{TITLE}”:" in mail.text
    assert (
        f"Stop emails about replies, mentions and conversations that you follow: {PUBLIC_URL}/unsubscribe?token="
        in mail.text
    )
    assert "Stop emails about replies, mentions and conversations that you follow" in mail.part("html")
    assert not {"{", "}"} & set(mail.text)


def test_each_kind_of_bulk_mail_has_a_template() -> None:
    for kind in (Kind.REPLIES, Kind.FOLLOWED, Kind.DIGEST):
        subject, text = emails._template(kind)
        assert subject
        assert "{stop}" in text


async def test_development_stores_the_mail_to_show_it(settings: Settings) -> None:
    async with process(settings) as parley:
        await confirmed(parley, "alice")
        bob = await confirmed(parley, "bob")
        await give_title(parley, "A title of many words, " * 8)
        await post_comment(parley, bob, "@alice")
        await pass_time(parley, DELAY)
        await send_due(parley)
        (subject,) = await list_subjects(parley, "alice")
    assert subject.startswith("New replies in “A title of many words")
