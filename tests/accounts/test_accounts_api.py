"""Accounts over HTTP: sign up, sign in, read the session, sign out; and cookies."""

from __future__ import annotations

import asyncio
from http.cookies import Morsel, SimpleCookie
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from itsdangerous import URLSafeTimedSerializer

from app.live.gids import Gid
from app.live.signing import Signer
from app.main import create_app
from tests.support.database import count_rows
from tests.support.people import (
    ARTICLE,
    COOKIE,
    DEVICE_COOKIE,
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

if TYPE_CHECKING:
    import httpx

    from app.live.service import Parley
    from app.settings import Settings
    from tests.support.serving import Site
    from tests.support.site_fixtures import Clock

MONTH_SECONDS = 30 * 24 * 3600
YEAR_SECONDS = 365 * 24 * 3600


def cookies_of(response: httpx.Response) -> dict[str, Morsel[str]]:
    """The cookies that this response sets, by name."""
    headers = response.headers.get_list("set-cookie")
    cookies = [cookie for header in headers for cookie in SimpleCookie(header).values()]
    assert len({cookie.key for cookie in cookies}) == len(cookies), "a cookie is set twice"
    return {cookie.key: cookie for cookie in cookies}


async def me_with(site: Site, cookie: str | None) -> dict[str, Any] | None:
    """The account of a browser that has only this cookie."""
    async with site.client() as client:
        client.cookies.set(COOKIE, cookie or "")
        return await me(client)


# -- sign up ------------------------------------------------------------------------------------------------


async def test_a_sign_up_signs_in(guest: httpx.AsyncClient) -> None:
    form = {"email": "Carol.Ann@Example.COM", "username": " Carol Ann ", "password": PASSWORD}
    response = await guest.post("/api/users", json=form)
    user = read_json(response, 201)
    assert UUID(user.pop("id")).version == 4
    assert user == {
        "email": "carol.ann@example.com",
        "username": "Carol Ann",
        "role": "member",
        "unconfirmed_email": None,
        "confirmed": False,
        "mail_on_reply": "at_once",
        "mail_on_mention": "at_once",
        "mail_on_followed": "at_once",
        "mail_on_report": "at_once",
        "mail_on_comment": "never",
        "mail_on_edit": "never",
        "mail_on_removal": "never",
    }
    assert (await me(guest) or {})["username"] == "Carol Ann"
    assert (await guest.post("/api/comments/", json={**ARTICLE, "body": "Hello"})).status_code == 201


async def test_a_sign_up_cannot_choose_a_role_or_an_id(guest: httpx.AsyncClient) -> None:
    id_ = str(uuid4())
    form = {"email": email_of("Carol"), "username": "Carol", "password": PASSWORD, "role": "moderator", "id": id_}
    user = read_json(await guest.post("/api/users", json=form), 201)
    assert user["role"] == "member"
    assert user["id"] != id_


async def test_an_address_has_one_account(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    before = await count_rows(site_parley)
    for email in ("alice@example.com", "ALICE@EXAMPLE.COM", "Alice@Example.com", "alice@ｅxample.com"):
        form = {"email": email, "username": "Somebody else", "password": PASSWORD}
        response = await guest.post("/api/users", json=form)
        read_problem(response, 422, "email")
        assert "set-cookie" not in response.headers
    assert await count_rows(site_parley) == before
    assert await me(guest) is None


async def test_names_that_look_equal_are_the_same(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    before = await count_rows(site_parley)
    for username in ("Alice", "alice", "ALICE", " alice ", "Ａｌｉｃｅ", "ⓐlice", "𝓐𝓵𝓲𝓬𝓮"):
        form = {"email": "someone.else@example.com", "username": username, "password": PASSWORD}
        read_problem(await guest.post("/api/users", json=form), 422, "username")
    assert await count_rows(site_parley) == before


async def test_names_in_many_scripts_are_accepted(guest: httpx.AsyncClient) -> None:
    for number, username in enumerate(("Zoë O'Hara", "李小龙", "Анна-Мария", "J.R. Smith", "x_1", "Straße")):
        form = {"email": f"{number}@example.com", "username": username, "password": PASSWORD}
        assert read_json(await guest.post("/api/users", json=form), 201)["username"] == username


@pytest.mark.both_databases
async def test_one_of_many_people_who_want_a_name_at_once_gets_it(site: Site, site_parley: Parley) -> None:
    async def try_it(number: int) -> httpx.Response:
        async with site.client() as client:
            form = {"email": f"carol{number}@example.com", "username": "Carol", "password": PASSWORD}
            return await client.post("/api/users", json=form)

    responses = await asyncio.gather(*(try_it(number) for number in range(6)))
    assert sorted(response.status_code for response in responses) == [201] + [422] * 5
    for response in responses:
        if response.status_code == 422:
            read_problem(response, 422, "username")
    counts = await count_rows(site_parley)
    assert (counts["users"], counts["logins"], counts["topics"]) == (1, 1, 1)


# -- sign in ------------------------------------------------------------------------------------------------


async def test_alice_signs_in_on_another_browser(alice: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    form = {"email": "ALICE@example.com", "password": PASSWORD}
    user = read_json(await guest.post("/api/session", json=form), 200)
    assert user == await me(alice) == await me(guest)


async def test_a_wrong_password_and_an_unknown_address_look_the_same(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    before = await count_rows(site_parley)
    wrong = await guest.post("/api/session", json={"email": email_of("Alice"), "password": f"{PASSWORD}!"})
    unknown = await guest.post("/api/session", json={"email": email_of("Nobody"), "password": PASSWORD})
    assert read_problem(wrong, 401) == read_problem(unknown, 401)
    for response in (wrong, unknown):
        assert "set-cookie" not in response.headers
    # Both are counted alike, too.
    assert await count_rows(site_parley) == {**before, "failures": before["failures"] + 2}
    assert await me(guest) is None


async def test_every_character_of_a_password_counts(guest: httpx.AsyncClient, site: Site) -> None:
    passwords = (" " * 8, "x" * 128, "pass\0word", "пароль и 🦜", " talk among friends")
    for number, password in enumerate(passwords):
        form = {"email": f"carol{number}@example.com", "username": f"Carol {number}", "password": password}
        read_json(await guest.post("/api/users", json=form), 201)
        async with site.client() as elsewhere:
            read_problem(await elsewhere.post("/api/session", json={**form, "password": f"{password[:-1]}?"}), 401)
            read_json(await elsewhere.post("/api/session", json=form), 200)


async def test_no_response_contains_a_password(alice: httpx.AsyncClient) -> None:
    for response in (
        await alice.get("/api/session"),
        await alice.post("/api/session", json={"email": email_of("Alice"), "password": PASSWORD}),
        await alice.get("/Article/1"),
    ):
        assert response.status_code == 200
        assert PASSWORD not in response.text
        assert "argon2" not in response.text


# -- sign out -----------------------------------------------------------------------------------------------


async def test_signing_out_ends_the_login_on_the_server(alice: httpx.AsyncClient, site: Site) -> None:
    stolen = alice.cookies[COOKIE]
    assert await me_with(site, stolen) is not None
    response = await alice.delete("/api/session")
    assert (response.status_code, response.content) == (204, b"")
    cookies = cookies_of(response)
    assert cookies.keys() == {COOKIE}, "the device cookie stays"
    assert cookies[COOKIE]["max-age"] == "0"
    assert COOKIE not in alice.cookies
    assert DEVICE_COOKIE in alice.cookies
    assert await me(alice) is None
    assert await me_with(site, stolen) is None
    async with site.client(cookies={COOKIE: stolen}) as thief:
        read_problem(await thief.post("/api/comments/", json={**ARTICLE, "body": "It is me"}), 401)


async def test_signing_out_in_one_browser_keeps_the_other_signed_in(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    await sign_in(guest, "Alice")
    assert (await alice.delete("/api/session/")).status_code == 204
    assert await me(alice) is None
    assert (await me(guest) or {})["username"] == "Alice"


async def test_a_guest_may_sign_out_repeatedly(guest: httpx.AsyncClient) -> None:
    for _ in range(2):
        assert (await guest.delete("/api/session")).status_code == 204
    guest.cookies.set(COOKIE, "nonsense")
    assert (await guest.delete("/api/session")).status_code == 204


# -- cookies ------------------------------------------------------------------------------------------------


async def test_a_cookie_is_sent_to_this_site_only(guest: httpx.AsyncClient) -> None:
    form = {"email": email_of("Carol"), "username": "Carol", "password": PASSWORD}
    cookies = cookies_of(await guest.post("/api/users", json=form))
    assert cookies.keys() == {COOKIE, DEVICE_COOKIE}
    for cookie in cookies.values():
        assert cookie["httponly"]
        assert cookie["samesite"].lower() == "lax"
        assert cookie["path"] == "/"
        assert not cookie["domain"]
        assert not cookie["secure"]  # a browser would never send it back over plain HTTP
        assert not cookie["expires"]
        assert len(cookie.OutputString()) < 4_096, "browsers would not store it"
    assert not cookies[COOKIE]["max-age"], "the cookie ends with the browser"
    assert cookies[DEVICE_COOKIE]["max-age"] == str(YEAR_SECONDS)


async def test_a_remembered_person_stays_signed_in_for_a_month(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    form = {"email": email_of("Alice"), "password": PASSWORD}
    remembered = cookies_of(await guest.post("/api/session", json={**form, "remember_me": True}))
    assert remembered[COOKIE]["max-age"] == str(MONTH_SECONDS)
    forgotten = cookies_of(await guest.post("/api/session", json={**form, "remember_me": False}))
    assert not forgotten[COOKIE]["max-age"]


async def test_a_cookie_contains_nothing_about_the_account(alice: httpx.AsyncClient) -> None:
    import base64

    user = await me(alice)
    assert user
    payload = alice.cookies[COOKIE].split(".")[0]
    opened = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode()
    assert user["id"] not in opened
    assert "alice" not in opened.lower()


async def test_a_forged_cookie_is_ignored(alice: httpx.AsyncClient, site: Site, settings: Settings) -> None:
    good = alice.cookies[COOKIE]
    payload, _, signature = good.partition(".")
    ours, others = Signer(settings.secret_keys), Signer(["another key that is long enough for anyone"])
    login = ours.open(good, "login", MONTH_SECONDS)
    assert login.model == "Login"
    user = await me(alice)
    assert user
    forged = [
        "",
        "nonsense",
        login.id,
        str(login),
        f"{payload}.",
        f"{payload}x.{signature}",
        f"{good[:-2]}xx",
        "." * 50,
        "x" * 3_000,
        others.sign(login, "login"),
        *(ours.sign(login, purpose) for purpose in ("mail", "device", "reset", "confirm", "unlock", "")),
        alice.cookies[DEVICE_COOKIE],
        URLSafeTimedSerializer(settings.secret_key, salt="login").dumps(str(login)),  # SHA-1
    ]
    nonsense = [
        Gid("User", login.id),
        Gid("Login", user["id"]),
        Gid("User", user["id"]),
        Gid("Login", "x"),
        Gid("Login", str(uuid4())),
    ]
    unreadable = ours._serializer("login")
    signed = [ours.sign(gid, "login") for gid in nonsense]
    signed += [unreadable.dumps(value) for value in (None, 17, [], {}, "", "x", login.id, [str(login)], 2**70)]
    for cookie in forged + signed:
        assert await me_with(site, cookie) is None, cookie
    assert await me_with(site, good) is not None


async def test_a_change_of_the_key_signs_nobody_out(settings: Settings) -> None:
    old, new = "the old key, which is long enough", "the new key, which is long enough"
    cookies = []
    for keys in (old, f"{new},{old}"):
        async with serving(create_app(settings.model_copy(update={"secret_key": keys}))) as site:
            for cookie in cookies:
                assert await me_with(site, cookie) is not None
            async with person(site, f"Alice{len(cookies)}") as browser:
                cookies.append(browser.cookies[COOKIE])
    async with serving(create_app(settings.model_copy(update={"secret_key": new}))) as site:
        assert [await me_with(site, cookie) is not None for cookie in cookies] == [False, True]


async def test_a_cookie_of_last_year_is_ignored(alice: httpx.AsyncClient, site: Site, clock: Clock) -> None:
    with clock.later(MONTH_SECONDS + 60):
        assert await me_with(site, alice.cookies[COOKIE]) is None
    assert await me_with(site, alice.cookies[COOKIE]) is not None


async def test_malformed_cookies_of_other_software_do_no_harm(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    mine = f"{COOKIE}={alice.cookies[COOKIE]}"
    odd = f'a="b; {mine}; =; ;;; x=\\"; ü=1'.encode("latin-1")
    assert (await guest.get("/api/session", headers={"Cookie": odd})).status_code == 200
    assert (await guest.get("/api/session", headers={"Cookie": b"\xff\xfe=\x80"})).json() == {"user": None}


async def test_two_people_can_use_one_browser_one_after_the_other(guest: httpx.AsyncClient) -> None:
    await sign_up(guest, "Carol")
    await sign_up(guest, "Dave")
    assert (await me(guest) or {})["username"] == "Dave"
