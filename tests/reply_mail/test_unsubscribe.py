"""One-click unsubscribing (RFC 8058), and the page of its link. Neither needs a sign-in, a cookie or a script."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx
import pytest
from itsdangerous import TimestampSigner

from app.accounts.user import find_user
from app.live.gids import Gid
from app.live.service import Parley
from app.live.topics import Topic
from app.live.viewers import Viewer
from app.main import create_app
from app.reply_mail import choices, following, muted_conversations
from app.settings import Settings
from tests.support.people_without_http import ARTICLE, post_comment
from tests.support.reply_mail import DELAY, pass_time, send_due
from tests.support.serving import serving
from tests.support.smtp import MailServer

YEAR = 365 * 24 * 3600
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
async def client(production: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client that has never signed in, of a service that sends nothing by itself."""
    settings = production.model_copy(update={"smtp_url": None, "require_confirmation": False})
    async with serving(create_app(settings)) as site, site.client() as client:
        yield client


@pytest.fixture
async def link(parley: Parley, server: MailServer, alice: Viewer, bob: Viewer) -> str:
    """The link in the header of a mail to Alice, without its host."""
    await post_comment(parley, bob, "@alice")
    await pass_time(parley, DELAY)
    await send_due(parley)
    (url,) = re.findall(r"^<(\S+)>$", str(server.received[0].message["List-Unsubscribe"]))
    assert url in server.received[0].text
    return urlsplit(url)._replace(scheme="", netloc="").geturl()


async def stopped(parley: Parley, alice: Viewer) -> tuple[list[str], str, str, str]:
    """(the conversations about which Alice gets no mail, her choice for replies, mentions, and followed ones)."""
    assert alice.user_id
    async with parley.reading() as reading:
        places = await muted_conversations.muted_by(reading, alice.user_id)
        user = await find_user(reading, alice.user_id)
    assert user
    return [str(place) for place in places], user.mail_on_reply, user.mail_on_mention, user.mail_on_followed


NOTHING = ([], "at_once", "at_once", "at_once")


async def test_one_click_stops_mail_about_the_conversation(
    parley: Parley, server: MailServer, client: httpx.AsyncClient, alice: Viewer, bob: Viewer, link: str
) -> None:
    for _ in range(2):
        response = await client.post(link, data=ONE_CLICK)
        assert (response.status_code, response.headers.get("set-cookie")) == (200, None)
        assert await stopped(parley, alice) == (["Article/1"], "at_once", "at_once", "at_once")
    await post_comment(parley, bob, "@alice again")
    await post_comment(parley, bob, "@alice elsewhere", Topic("Article", "2"))
    await pass_time(parley, 10 * DELAY)
    await send_due(parley)
    assert [mail.text.count("elsewhere") for mail in server.received] == [0, 1]


async def test_mail_software_may_send_the_form_from_anywhere_in_any_encoding(
    parley: Parley, client: httpx.AsyncClient, alice: Viewer, link: str
) -> None:
    webmail = {"Origin": "https://mail.example.net", "Sec-Fetch-Site": "cross-site", "Cookie": "parley_login=forged"}
    response = await client.post(link, files={"List-Unsubscribe": (None, "One-Click")}, headers=webmail)
    assert response.status_code == 200
    assert await stopped(parley, alice) == (["Article/1"], "at_once", "at_once", "at_once")
    assert (await client.post("/api/session", json={}, headers=webmail)).status_code == 403, "other paths are as before"


async def test_the_visit_of_a_mail_scanner_changes_nothing(
    parley: Parley, client: httpx.AsyncClient, alice: Viewer, link: str
) -> None:
    for method in ("GET", "HEAD"):
        assert (await client.request(method, link)).status_code == 200
        assert (await client.request(method, f"{link}&what=all")).status_code == 200
    assert (await client.request("PUT", link)).status_code == 405
    assert await stopped(parley, alice) == NOTHING


@pytest.mark.parametrize(
    ("words", "after"),
    [
        ("About this conversation", (["Article/1"], "at_once", "at_once", "at_once")),
        ("About replies", ([], "never", "at_once", "at_once")),
        ("About mentions", ([], "at_once", "never", "at_once")),
        ("About conversations that I follow", ([], "at_once", "at_once", "never")),
        ("All of these", ([], "never", "never", "never")),
    ],
)
async def test_each_button_of_the_page_stops_what_it_says(
    parley: Parley,
    client: httpx.AsyncClient,
    alice: Viewer,
    link: str,
    words: str,
    after: tuple[list[str], str, str, str],
) -> None:
    page = (await client.get(link)).text
    actions = {text: action for action, text in re.findall(r'formaction="([^"]+)">([^<]+)<', page)}
    response = await client.post(actions[words].replace("&amp;", "&"))
    assert "Done. You&#39;ll get no more emails" in response.text or "Done. You'll get no more emails" in response.text
    assert words not in response.text, "the others can be stopped, too"
    assert await stopped(parley, alice) == after


async def test_the_link_of_a_digest_stops_all(parley: Parley, client: httpx.AsyncClient, alice: Viewer) -> None:
    assert alice.user_id
    url = urlsplit(choices.unsubscribe_url(parley, alice.user_id, None))
    page = (await client.get(f"{url.path}?{url.query}")).text
    assert "About this conversation" not in page
    assert (await client.post(f"{url.path}?{url.query}", data=ONE_CLICK)).status_code == 200
    assert await stopped(parley, alice) == ([], "never", "never", "never")
    assert (await client.post(f"{url.path}?{url.query}&what=conversation")).status_code == 404


async def test_one_click_in_a_mail_to_a_follower_unfollows_and_leaves_mail_about_replies(
    parley: Parley, server: MailServer, client: httpx.AsyncClient, alice: Viewer, bob: Viewer
) -> None:
    await following.follow(parley, alice.user_id, ARTICLE)
    await post_comment(parley, bob, "Hello")
    await send_due(parley)
    await pass_time(parley, DELAY)
    await send_due(parley)
    (mail,) = server.received
    url = urlsplit(str(mail.message["List-Unsubscribe"]).strip("<>"))
    assert f"Unfollow this conversation: {url.geturl()}\n" in mail.text
    for method in ("GET", "HEAD"):
        assert (await client.request(method, f"{url.path}?{url.query}")).status_code == 200
        assert await follows(parley, alice) == ["Article/1"]
    for _ in range(2):
        assert (await client.post(f"{url.path}?{url.query}", data=ONE_CLICK)).status_code == 200
        assert await follows(parley, alice) == []
    assert await stopped(parley, alice) == NOTHING


async def follows(parley: Parley, alice: Viewer) -> list[str]:
    async with parley.reading() as reading:
        return [str(place) for place in await following.followed_by(reading, alice.user_id)]


async def test_a_link_works_for_years(
    parley: Parley, client: httpx.AsyncClient, alice: Viewer, link: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = TimestampSigner.get_timestamp
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda self: now(self) + 2 * YEAR)
    assert (await client.post(link)).status_code == 200
    assert await stopped(parley, alice) == (["Article/1"], "at_once", "at_once", "at_once")


async def test_forged_links_are_worthless(parley: Parley, client: httpx.AsyncClient, alice: Viewer, link: str) -> None:
    gid = Gid("User", str(alice.user_id), {"in": str(alice.user_id)})
    tokens = ["", "x", link.partition("=")[2][:-2], parley.signer.sign(gid, "reset"), parley.signer.sign(gid, "login"),
              parley.signer.sign(gid, choices.PURPOSE)]  # fmt: skip
    for token in tokens:
        for method in ("GET", "POST"):
            assert (await client.request(method, "/unsubscribe", params={"token": token})).status_code == 404
    assert (await client.post(f"{link}&what=everything")).status_code == 404
    assert await stopped(parley, alice) == NOTHING


async def test_a_deleted_account_may_use_its_old_link(
    parley: Parley, client: httpx.AsyncClient, alice: Viewer, link: str
) -> None:
    from app.accounts import accounts

    assert alice.user_id
    await accounts.remove(parley, alice.user_id)
    for what in ("conversation", "follow", "all"):
        assert (await client.post(f"{link}&what={what}")).status_code == 200


async def test_the_link_stops_mail_to_its_own_account_only(
    parley: Parley, client: httpx.AsyncClient, alice: Viewer, bob: Viewer, link: str
) -> None:
    await client.post(f"{link}&what=all")
    assert await stopped(parley, bob) == NOTHING
    assert str(ARTICLE) not in link
