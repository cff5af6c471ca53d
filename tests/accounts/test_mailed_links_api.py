"""Mailed links: their purpose, how long and how often each works, and that they reveal nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from app.accounts.login_throttle import MAX_FAILURES
from app.accounts.logins import Login
from app.accounts.mailed_links import SECONDS, Purpose
from app.live.gids import Gid
from app.live.signing import Signer
from app.settings import Settings
from tests.support.database import count_rows
from tests.support.mailbox import find_token, list_subjects, wait_for_mail, wait_until_all_is_sent
from tests.support.people import (
    COOKIE,
    DEVICE_COOKIE,
    NEW_PASSWORD,
    PASSWORD,
    email_of,
    me,
    person,
    read_json,
    sign_in,
    sign_up,
)
from tests.support.problems import read_problem
from tests.support.serving import serving
from tests.support.sse import open_stream

if TYPE_CHECKING:
    import httpx

    from app.live.service import Parley
    from tests.support.serving import Site
    from tests.support.site_fixtures import Clock

SUBJECT = {
    Purpose.RESET: "Choose a new password",
    Purpose.CONFIRM: "Confirm your email address",
    Purpose.UNLOCK: "Your account is locked for a while",
}
PATH = {Purpose.RESET: "/api/resets", Purpose.CONFIRM: "/api/confirmations", Purpose.UNLOCK: "/api/unlocks"}

pytestmark = pytest.mark.usefixtures("fast_mailer")


async def ask(client: httpx.AsyncClient, purpose: Purpose, email: str = email_of("Alice")) -> None:
    answered = read_json(await client.post(PATH[purpose], json={"email": email}), 202)
    assert answered == {"email": email}


async def use(client: httpx.AsyncClient, purpose: Purpose, token: str, password: str = NEW_PASSWORD) -> httpx.Response:
    form = {"token": token, "password": password} if purpose is Purpose.RESET else {"token": token}
    return await client.put(PATH[purpose], json=form)


async def token_for(site_parley: Parley, purpose: Purpose, name: str = "Alice", nth: int = 1) -> str:
    return find_token(await wait_for_mail(site_parley, name, SUBJECT[purpose], nth), purpose)


async def find_reset_token(guest: httpx.AsyncClient, site_parley: Parley) -> str:
    """The token of the reset link in Alice's mail."""
    await ask(guest, Purpose.RESET)
    return await token_for(site_parley, Purpose.RESET)


async def try_password(guest: httpx.AsyncClient, password: str, name: str = "Alice") -> httpx.Response:
    return await guest.post("/api/session", json={"email": email_of(name), "password": password})


async def lock_account(guest: httpx.AsyncClient) -> None:
    """Lock Alice's account by guessing her password."""
    answers = [(await try_password(guest, f"wrong {number}")).status_code for number in range(MAX_FAILURES + 1)]
    assert answers == [401] * MAX_FAILURES + [429]


# -- a new password -----------------------------------------------------------------------------------------


async def test_alice_resets_a_forgotten_password(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site: Site, site_parley: Parley
) -> None:
    token = await find_reset_token(guest, site_parley)
    async with site.client() as at_work, open_stream(alice, "Article/1") as here:
        await sign_in(at_work, "Alice", remember_me=True)
        async with open_stream(at_work) as there:
            for stream in (here, there):
                await stream.next()
            response = await use(guest, Purpose.RESET, token)
            assert (response.status_code, response.content) == (204, b"")
            for stream in (here, there):
                assert (await stream.until("auth")).json() == {"reason": "password"}
                await stream.ended()
        assert [await me(client) for client in (alice, at_work)] == [None, None]
    assert await me(guest) is None, "a link signs nobody in"
    assert COOKIE not in guest.cookies
    read_problem(await try_password(guest, PASSWORD), 401)
    assert read_json(await try_password(guest, NEW_PASSWORD), 200)["username"] == "Alice"
    assert await wait_for_mail(site_parley, "Alice", "Your password has been changed")
    async with site_parley.reading() as reading:
        alive = (await reading.scalars(select(Login).where(Login.deleted_at.is_(None)))).all()
    assert len(alive) == 1


async def test_a_reset_link_works_once(alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley) -> None:
    token = await find_reset_token(guest, site_parley)
    assert (await use(guest, Purpose.RESET, token)).status_code == 204
    read_problem(await use(guest, Purpose.RESET, token, "a third secret, of a thief"), 422, "token")
    read_problem(await use(guest, Purpose.RESET, token), 422, "token")
    await sign_in(guest, "Alice", password=NEW_PASSWORD)


@pytest.mark.both_databases
async def test_one_of_two_uses_of_a_reset_link_at_once_succeeds(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    token = await find_reset_token(guest, site_parley)
    chosen = ["the first of the two", "the second of the two"]
    answers = await asyncio.gather(*(use(guest, Purpose.RESET, token, password) for password in chosen))
    assert sorted(answer.status_code for answer in answers) == [204, 422]
    for password, answered in zip(chosen, answers, strict=True):
        expected_status = 200 if answered.status_code == 204 else 401
        assert (await try_password(guest, password)).status_code == expected_status


async def test_several_reset_links_are_valid_until_one_is_used(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    for _ in range(3):
        await ask(guest, Purpose.RESET)
    first, _, third = [await token_for(site_parley, Purpose.RESET, nth=nth) for nth in (1, 2, 3)]
    assert (await use(guest, Purpose.RESET, first)).status_code == 204
    read_problem(await use(guest, Purpose.RESET, third), 422, "token")


async def test_a_weak_password_does_not_use_up_the_link(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    token = await find_reset_token(guest, site_parley)
    for weak in ("password1", "alice2024", "short", "x" * 129):
        read_problem(await use(guest, Purpose.RESET, token, weak), 422, "password")
    assert await me(alice) is not None, "nobody is signed out"
    assert (await use(guest, Purpose.RESET, token)).status_code == 204


async def test_a_reset_link_is_worthless_after_a_new_password_or_a_new_address(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    token = await find_reset_token(guest, site_parley)
    form = {"email": "alice@new.example.com", "current_password": PASSWORD}
    read_json(await alice.put("/api/account/email", json=form), 202)
    confirmation = find_token(
        await wait_for_mail(site_parley, "alice@new.example.com", "Confirm your new email address"), "confirm"
    )
    assert (await use(guest, Purpose.CONFIRM, confirmation)).status_code == 204
    read_problem(await use(guest, Purpose.RESET, token), 422, "token")
    await ask(guest, Purpose.RESET, "alice@new.example.com")
    token = await token_for(site_parley, Purpose.RESET, "alice@new.example.com")
    form = {"password": NEW_PASSWORD, "current_password": PASSWORD}
    read_json(await alice.put("/api/account/password", json=form), 200)
    read_problem(await use(guest, Purpose.RESET, token, "a third secret, of a thief"), 422, "token")


async def test_a_reset_confirms_the_address(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    assert (await me(alice) or {})["confirmed"] is False
    assert (await use(guest, Purpose.RESET, await find_reset_token(guest, site_parley))).status_code == 204
    assert (await sign_in(guest, "Alice", password=NEW_PASSWORD))["confirmed"] is True


async def test_a_new_password_cancels_an_unconfirmed_address(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    form = {"email": "mallory@example.com", "current_password": PASSWORD}
    read_json(await alice.put("/api/account/email", json=form), 202)
    confirmation = find_token(
        await wait_for_mail(site_parley, "mallory@example.com", "Confirm your new email address"), "confirm"
    )
    assert (await use(guest, Purpose.RESET, await find_reset_token(guest, site_parley))).status_code == 204
    read_problem(await use(guest, Purpose.CONFIRM, confirmation), 422, "token")
    assert (await sign_in(guest, "Alice", password=NEW_PASSWORD))["unconfirmed_email"] is None


async def test_a_password_can_be_reset_while_the_account_is_locked(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site: Site, site_parley: Parley
) -> None:
    await lock_account(guest)
    token = await find_reset_token(guest, site_parley)
    async with site.client() as new_phone:
        response = await use(new_phone, Purpose.RESET, token)
        assert response.status_code == 204
        assert DEVICE_COOKIE in new_phone.cookies, "the person who has the mail gets a device cookie"
        await sign_in(new_phone, "Alice", password=NEW_PASSWORD)


async def test_a_pointless_request_for_a_link_sends_no_mail(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    """An address without an account or without a lock, or that is confirmed already, gets no mail."""
    form = {"password": NEW_PASSWORD, "token": await find_reset_token(guest, site_parley)}
    assert (await guest.put("/api/resets", json=form)).status_code == 204  # this confirms the address, too
    before = await list_subjects(site_parley, "Alice")
    await ask(guest, Purpose.UNLOCK)
    await ask(guest, Purpose.CONFIRM)
    for purpose in Purpose:
        await ask(guest, purpose, "nobody@example.com")
    await wait_until_all_is_sent(site_parley)
    assert await list_subjects(site_parley, "Alice") == before
    assert await list_subjects(site_parley, "nobody@example.com") == []


async def test_an_address_may_be_typed_in_any_form(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    read_json(await guest.post("/api/resets", json={"email": "ALICE@Example.COM"}), 202)
    assert await token_for(site_parley, Purpose.RESET)
    for path in PATH.values():
        read_problem(await guest.post(path, json={"email": "nonsense"}), 422, "email")
        read_problem(await guest.post(path, json={}), 422, "email")


# -- every link ---------------------------------------------------------------------------------------------


@pytest.fixture
async def links(alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley) -> dict[Purpose, str]:
    """One good link of Alice's for each purpose."""
    await lock_account(guest)
    await ask(guest, Purpose.RESET)
    await ask(guest, Purpose.CONFIRM)
    return {purpose: await token_for(site_parley, purpose) for purpose in Purpose}


async def test_each_link_works_for_one_purpose_only(
    links: dict[Purpose, str], guest: httpx.AsyncClient, site: Site, site_parley: Parley
) -> None:
    before = await count_rows(site_parley)
    for meant, token in links.items():
        for purpose in set(Purpose) - {meant}:
            read_problem(await use(guest, purpose, token), 422, "token")
        async with site.client(cookies={COOKIE: token, DEVICE_COOKIE: token}) as thief:
            assert await me(thief) is None
    assert await count_rows(site_parley) == before
    for purpose in (Purpose.UNLOCK, Purpose.CONFIRM, Purpose.RESET):
        assert (await use(guest, purpose, links[purpose])).status_code == 204


async def test_each_link_expires(links: dict[Purpose, str], guest: httpx.AsyncClient, clock: Clock) -> None:
    assert {purpose: seconds / 3600 for purpose, seconds in SECONDS.items()} == {
        Purpose.RESET: 1,
        Purpose.CONFIRM: 72,
        Purpose.UNLOCK: 24,
    }
    for purpose, token in links.items():
        with clock.later(SECONDS[purpose] + 2):
            read_problem(await use(guest, purpose, token), 422, "token")
        with clock.later(-7_200):
            assert (await use(guest, purpose, token)).status_code == 422, "a link from the future is worthless"
    for purpose in (Purpose.UNLOCK, Purpose.CONFIRM, Purpose.RESET):
        with clock.later(SECONDS[purpose] - 30):
            assert (await use(guest, purpose, links[purpose])).status_code == 204


async def test_forged_links_are_worthless(
    links: dict[Purpose, str], alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    user = await me(alice)
    assert user
    id_ = user["id"]
    ours, others = site_parley.signer, Signer(["another key that is long enough for anyone"])
    for purpose, good in links.items():
        gid = ours.open(good, purpose, SECONDS[purpose])
        assert (gid.model, gid.id) == ("User", id_)
        signed: list[Gid] = [
            Gid("User", id_),
            Gid("User", id_, {"of": ""}),
            Gid("User", id_, {"of": "x" * 32}),
            Gid("User", str(uuid4()), gid.params),
            Gid("User", "x", gid.params),
        ]
        forged = [
            "", "x", "." * 9, f"{good}x", good[:-1], good.swapcase(), good.partition(".")[0], str(gid), "🦜",
            "x" * 5_000, others.sign(gid, purpose), *(ours.sign(nonsense, purpose) for nonsense in signed),
        ]  # fmt: skip
        for token in forged:
            read_problem(await use(guest, purpose, token), 422, "token")
    assert await me(alice) == user


async def test_a_token_is_text(guest: httpx.AsyncClient) -> None:
    for path in PATH.values():
        for token in (None, 17, ["x"], {"x": 1}):
            read_problem(await guest.put(path, json={"token": token, "password": NEW_PASSWORD}), 422, "token")
        response = await guest.put(path, json={"password": NEW_PASSWORD})
        read_problem(response, 422, "token")


async def test_opening_the_page_of_a_link_changes_nothing(
    links: dict[Purpose, str], alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    """Mail scanners open every link. Browsers do not send the part after the #, and a GET with it would do nothing."""
    user, before = await me(alice), await count_rows(site_parley)
    for purpose, token in links.items():
        for url in (f"/{purpose}", f"/{purpose}?{token}", f"/{purpose}?token={token}"):
            for method in ("GET", "HEAD"):
                assert (await guest.request(method, url, headers={"Accept": "text/html"})).status_code == 200
        read_problem(await guest.get(PATH[purpose], params={"token": token}), 405)
    assert await me(alice) == user
    assert await count_rows(site_parley) == before
    read_problem(await try_password(guest, PASSWORD), 429)
    for purpose in (Purpose.UNLOCK, Purpose.CONFIRM, Purpose.RESET):
        assert (await use(guest, purpose, links[purpose])).status_code == 204


async def test_links_lead_to_the_public_address_for_any_host_header(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    form = {"email": email_of("Alice")}
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Origin": "http://evil.example"}
    read_problem(await guest.post("/api/resets", json=form, headers=headers), 421)
    headers = {"Host": "evil", "X-Forwarded-Host": "evil.example", "Origin": "http://evil"}
    read_json(await guest.post("/api/resets", json=form, headers=headers), 202)
    text = await wait_for_mail(site_parley, "Alice", SUBJECT[Purpose.RESET])
    assert "evil" not in text
    assert f"{site_parley.settings.public_url}/reset#" in text


async def test_an_unlock_link_ends_its_own_lock_only(
    links: dict[Purpose, str], guest: httpx.AsyncClient, site: Site, site_parley: Parley
) -> None:
    token = links[Purpose.UNLOCK]
    async with site.client() as new_phone:
        assert (await use(new_phone, Purpose.UNLOCK, token)).status_code == 204
        assert DEVICE_COOKIE in new_phone.cookies
        await lock_account(guest)  # the stranger continues, and does not lock Alice out
        await sign_in(new_phone, "Alice")
    read_problem(await use(guest, Purpose.UNLOCK, token), 422, "token")
    assert (await use(guest, Purpose.UNLOCK, await token_for(site_parley, Purpose.UNLOCK, nth=2))).status_code == 204


# -- confirmed addresses ------------------------------------------------------------------------------------


@pytest.fixture
async def strict_site(settings: Settings) -> AsyncIterator[Site]:
    """A site on which people must confirm their address before they sign in."""
    from app.main import create_app

    strict = settings.model_copy(update={"require_confirmation": True})
    async with serving(create_app(strict)) as site:
        yield site


async def test_alice_signs_up_confirms_and_signs_in(strict_site: Site) -> None:
    site_parley = strict_site.state.parley
    async with strict_site.client() as alice:
        form = {"email": email_of("Alice"), "username": "Alice", "password": PASSWORD}
        response = await alice.post("/api/users", json=form)
        assert read_json(response, 202) == {"email": email_of("Alice")}
        assert COOKIE not in alice.cookies
        assert await me(alice) is None
        read_problem(await try_password(alice, PASSWORD), 401)

        text = await wait_for_mail(site_parley, "Alice", SUBJECT[Purpose.CONFIRM])
        assert "Alice," not in text, "a stranger may have chosen the name as a bait"
        assert (await use(alice, Purpose.CONFIRM, find_token(text, Purpose.CONFIRM))).status_code == 204
        assert await me(alice) is None, "a link signs nobody in"
        assert (await sign_in(alice, "Alice"))["confirmed"] is True
        assert (await me(alice) or {})["username"] == "Alice"


async def test_the_right_password_of_an_unconfirmed_account_looks_like_a_wrong_one(strict_site: Site) -> None:
    async with strict_site.client() as guest:
        await sign_up_unconfirmed(guest, "Alice")
        right, wrong, nobody = [
            await try_password(guest, password, name)
            for password, name in ((PASSWORD, "Alice"), ("not hers", "Alice"), (PASSWORD, "Nobody"))
        ]
        assert read_problem(right, 401) == read_problem(wrong, 401) == read_problem(nobody, 401)
        assert "confirmed" in right.json()["detail"], "both responses say what to do"


async def test_a_sign_up_with_a_taken_address_looks_the_same_and_its_owner_gets_a_mail(strict_site: Site) -> None:
    site_parley = strict_site.state.parley
    async with strict_site.client() as guest:
        await sign_up_unconfirmed(guest, "Alice")
        await use(guest, Purpose.CONFIRM, await token_for(site_parley, Purpose.CONFIRM))
        before = await count_rows(site_parley)
        form = {"email": email_of("Alice"), "username": "Mallory", "password": NEW_PASSWORD}
        taken = await guest.post("/api/users", json=form)
        free = await guest.post("/api/users", json={**form, "email": "mallory@example.com", "username": "Other"})
        assert read_json(taken, 202) == {"email": email_of("Alice")}
        assert read_json(free, 202) == {"email": "mallory@example.com"}
        assert taken.headers.keys() == free.headers.keys()
        assert "/reset" in await wait_for_mail(site_parley, "Alice", "You already have an account")
        assert (await count_rows(site_parley))["users"] == before["users"] + 1
        read_problem(await try_password(guest, NEW_PASSWORD), 401)
        await sign_in(guest, "Alice")


async def test_the_last_sign_up_with_an_unconfirmed_address_counts(strict_site: Site) -> None:
    """A stranger who signed up with Alice's address before her has chosen neither her password nor her name."""
    site_parley = strict_site.state.parley
    async with strict_site.client() as mallory, strict_site.client() as alice:
        form = {"email": email_of("Alice"), "username": "Mallory was here", "password": NEW_PASSWORD}
        read_json(await mallory.post("/api/users", json=form), 202)
        overtaken = await token_for(site_parley, Purpose.CONFIRM)
        await sign_up_unconfirmed(alice, "Alice")
        token = await token_for(site_parley, Purpose.CONFIRM, nth=2)
        read_problem(await use(alice, Purpose.CONFIRM, overtaken), 422, "token")
        assert (await use(alice, Purpose.CONFIRM, token)).status_code == 204
        read_problem(await try_password(mallory, NEW_PASSWORD), 401)
        assert (await sign_in(alice, "Alice"))["username"] == "Alice"
        assert (await count_rows(site_parley))["users"] == 1
        read_json(await mallory.post("/api/users", json={**form, "email": "m@example.com"}), 202)


async def test_only_the_browser_that_signed_up_confirms_without_a_password(strict_site: Site) -> None:
    site_parley = strict_site.state.parley
    async with strict_site.client() as mallory, strict_site.client() as alice:
        form = {"email": email_of("Alice"), "username": "Mallory was here", "password": PASSWORD}
        read_json(await mallory.post("/api/users", json=form), 202)
        token = await token_for(site_parley, Purpose.CONFIRM)
        read_problem(await use(alice, Purpose.CONFIRM, token), 422, "password")
        chosen = {"token": token, "password": NEW_PASSWORD, "username": "Alice"}
        assert (await alice.put("/api/confirmations", json=chosen)).status_code == 204
        read_problem(await try_password(mallory, PASSWORD), 401)
        assert (await sign_in(alice, "Alice", password=NEW_PASSWORD))["username"] == "Alice"
        read_problem(await alice.put("/api/confirmations", json={**chosen, "password": PASSWORD}), 422, "token")


async def test_a_name_does_not_reveal_its_owners_address(strict_site: Site) -> None:
    site_parley = strict_site.state.parley
    async with strict_site.client() as guest:
        for name in ("Alice", "Bob"):
            await sign_up_unconfirmed(guest, name)
            await use(guest, Purpose.CONFIRM, await token_for(site_parley, Purpose.CONFIRM, name))
        await sign_up_unconfirmed(guest, "Carol")
        for email in (email_of("Alice"), "nobody@example.com", email_of("Carol")):
            for name, status in (("Alice", 422), ("Bob", 422), ("Carol", 202), ("Nobody", 202)):
                form = {"email": email, "username": name, "password": NEW_PASSWORD}
                assert (await guest.post("/api/users", json=form)).status_code == status, (email, name)


async def test_an_unconfirmed_person_gets_the_link_again(strict_site: Site) -> None:
    site_parley = strict_site.state.parley
    async with strict_site.client() as guest:
        await sign_up_unconfirmed(guest, "Alice")
        first = await token_for(site_parley, Purpose.CONFIRM)
        await ask(guest, Purpose.CONFIRM)
        second = await token_for(site_parley, Purpose.CONFIRM, nth=2)
        assert [(await use(guest, Purpose.CONFIRM, token)).status_code for token in (second, first)] == [204, 204]


async def test_signed_in_people_stay_signed_in_when_confirmation_becomes_required(settings: Settings) -> None:
    """Confirmation is demanded at a sign-in only."""
    from app.main import create_app

    async with serving(create_app(settings)) as lenient, person(lenient, "Alice") as alice:
        cookies = alice.cookies
    strict = create_app(settings.model_copy(update={"require_confirmation": True}))
    async with serving(strict) as site, site.client(cookies=cookies) as alice, site.client() as guest:
        assert (await me(alice) or {})["confirmed"] is False
        read_problem(await try_password(guest, PASSWORD), 401)


async def sign_up_unconfirmed(client: httpx.AsyncClient, name: str) -> None:
    form = {"email": email_of(name), "username": name, "password": PASSWORD}
    read_json(await client.post("/api/users", json=form), 202)


# -- the page of sent mail ----------------------------------------------------------------------------------


async def test_sent_mail_is_shown_on_a_page_in_development(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site: Site, site_parley: Parley
) -> None:
    token = await find_reset_token(guest, site_parley)
    page = (await guest.get("/dev/mail")).text
    assert "Choose a new password" in page
    assert f'href="{site.url}/reset#{token}"' in page, "links lead to the address of this page"


async def test_sent_mail_is_not_shown_in_production(production: Settings) -> None:
    from app.main import create_app

    async with serving(create_app(production)) as site, site.client() as guest:
        read_problem(await guest.get("/dev/mail"), 404)
        assert (await guest.get("/dev/mail", headers={"Accept": "text/html"})).status_code == 404
        assert (await guest.get("/healthz")).status_code == 200


async def test_a_link_contains_only_the_id_of_its_account(
    links: dict[Purpose, str], alice: httpx.AsyncClient, site_parley: Parley
) -> None:
    user = await me(alice)
    assert user
    for purpose, token in links.items():
        gid = site_parley.signer.open(token, purpose, SECONDS[purpose])
        assert UUID(gid.id) == UUID(user["id"])
        assert gid.params.keys() == {"of"}
        assert "alice" not in str(gid)
        assert PASSWORD not in str(gid)


async def test_password_managers_find_the_page_that_changes_a_password(guest: httpx.AsyncClient) -> None:
    """W3C, "A well-known URL for changing passwords"."""
    response = await guest.get("/.well-known/change-password")
    assert (response.status_code, response.headers["location"]) == (302, "/account")
    assert (await guest.get("/account")).status_code == 200
    read_problem(
        await guest.get("/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200"), 404
    )


async def test_a_new_account_gets_a_confirmation_mail_only_on_request(
    guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    """This site does not demand confirmed addresses, so it sends no mail by itself."""
    await sign_up(guest, "Carol")
    assert await list_subjects(site_parley, "Carol") == []
    await ask(guest, Purpose.CONFIRM, email_of("Carol"))
    assert (
        await use(guest, Purpose.CONFIRM, await token_for(site_parley, Purpose.CONFIRM, "Carol"))
    ).status_code == 204
    assert (await me(guest) or {})["confirmed"] is True
