"""The choices of moderators about mail over REST, and the link in a mail that stops it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import pytest

from app.accounts.user import MailChoice, Role, find_user
from app.live.gids import Gid
from app.live.service import Parley
from app.live.viewers import Viewer
from app.main import create_app
from app.moderator_mail import choices
from app.moderator_mail.news import About
from app.settings import Settings
from tests.support.moderator_mail import report, send_due, wants
from tests.support.moderators import set_role
from tests.support.people import me, person, read_json
from tests.support.people_without_http import id_in, post_comment
from tests.support.problems import read_problem
from tests.support.serving import serving
from tests.support.smtp import MailServer
from tests.support.sse import open_stream

if TYPE_CHECKING:
    from tests.support.serving import Site

CHOICE = {"mail_on_report": "daily", "mail_on_comment": "at_once", "mail_on_edit": "daily", "mail_on_removal": "never"}
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


async def test_a_moderator_chooses_when_they_get_mail(site: Site) -> None:
    async with person(site, "Mia") as mia:
        user = await me(mia)
        assert user
        read_problem(await mia.put("/api/account/moderator_mail", json=CHOICE), 403)
        await set_role(site.state.parley, Viewer(UUID(user["id"])), Role.MODERATOR)
        async with open_stream(mia, f"User/{user['id']}") as stream:
            await stream.until("heartbeat")
            response = read_json(await mia.put("/api/account/moderator_mail", json=CHOICE), 200)
            assert response == {**user, "role": "moderator", **CHOICE}
            model = (await stream.until("global.user.update.success")).model
            assert {name: model[name] for name in CHOICE} == CHOICE, "her other tabs follow"
        read_problem(await mia.put("/api/account/moderator_mail", json={}), 422, *CHOICE)
    async with site.client() as guest:
        read_problem(await guest.put("/api/account/moderator_mail", json=CHOICE), 401)


@pytest.fixture
async def client(production: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client that has never signed in, of a service that sends nothing by itself."""
    settings = production.model_copy(update={"smtp_url": None, "require_confirmation": False})
    async with serving(create_app(settings)) as site, site.client() as client:
        yield client


async def choices_of(parley: Parley, viewer: Viewer) -> list[str]:
    async with parley.reading() as reading:
        user = await find_user(reading, id_in(viewer))
    return [getattr(user, f"mail_on_{about}") for about in About]


def path_of(url: str) -> str:
    return urlsplit(url)._replace(scheme="", netloc="").geturl()


async def test_one_click_stops_the_mail_of_one_kind(
    parley: Parley, server: MailServer, client: httpx.AsyncClient, olga: Viewer, alice: Viewer, bob: Viewer
) -> None:
    await wants(parley, olga, MailChoice.AT_ONCE, *About)
    await report(parley, alice, await post_comment(parley, bob, "Buy a river!"))
    await send_due(parley)
    mail = next(mail for mail in server.received if mail.subject == "Reported comments")
    assert mail.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    (url,) = re.findall(r"^<(\S+)>$", str(mail.message["List-Unsubscribe"]))
    assert url in mail.text
    page = await client.get(path_of(url))
    assert "emails about reports" in page.text
    assert await choices_of(parley, olga) == ["at_once"] * 4, "mail scanners open links"
    for _ in range(2):
        webmail = {"origin": "https://mail.example.com", "sec-fetch-site": "cross-site"}
        response = await client.post(path_of(url), data=ONE_CLICK, headers=webmail)
        assert (response.status_code, "Done." in response.text) == (200, True)
    assert await choices_of(parley, olga) == ["never", "at_once", "at_once", "at_once"]


async def test_the_link_of_a_digest_stops_what_is_daily(
    parley: Parley, client: httpx.AsyncClient, olga: Viewer
) -> None:
    await wants(parley, olga, MailChoice.DAILY, About.COMMENT, About.EDIT)
    path = path_of(choices.unsubscribe_url(parley, id_in(olga), choices.DIGEST))
    assert (await client.post(path, data=ONE_CLICK)).status_code == 200
    assert await choices_of(parley, olga) == ["at_once", "never", "never", "never"]


async def test_forged_links_are_worthless(parley: Parley, client: httpx.AsyncClient, olga: Viewer) -> None:
    link = choices.unsubscribe_url(parley, id_in(olga), About.REPORT)
    gid = Gid("User", str(olga.user_id), {"kind": "report"})
    for token in ("", "x", link.partition("=")[2][:-2], parley.signer.sign(gid, "unsubscribe")):
        for method in ("GET", "POST"):
            response = await client.request(method, "/unsubscribe/moderator", params={"token": token})
            assert response.status_code == 404
    assert await choices_of(parley, olga) == ["at_once", "never", "never", "never"]
