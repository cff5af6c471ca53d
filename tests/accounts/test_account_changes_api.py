"""Changing an address or a password and deleting an account. Each needs the password, and reaches open streams."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from sqlalchemy import select

from app import maintenance
from app.accounts import accounts
from app.accounts import logins as login
from app.accounts.logins import Login
from app.accounts.mailed_links import Purpose, write_link
from app.accounts.passwords import verify_password
from app.accounts.user import DELETED, User
from app.comments.comments import Comment
from app.live.signing import fingerprint
from app.live.topics import Topic
from app.live.write import batches
from tests.support.database import count_rows, read_seq, write_comments
from tests.support.mailbox import find_token, list_subjects, wait_for_mail
from tests.support.people import (
    ARTICLE,
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
    snapshot,
    write,
)
from tests.support.problems import read_problem
from tests.support.serving import serving
from tests.support.sse import open_stream
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    import httpx

    from app.live.service import Parley
    from app.settings import Settings
    from tests.support.serving import Site

USER_UPDATED = "global.user.update.success"
UPDATED = "global.comment.update.success"
DESTROYED = "global.comment.destroy.success"

# Common passwords in any spelling, and passwords made of the person's name or address or the service's name.
WEAK_PASSWORDS = [
    "password1", "PASSWORD1", "ｐａｓｓｗｏｒｄ１", "12345678", "qwertyuiop", "iloveyou",
    "alicealice", "Alice2024", "alice@example.com", "example1", "alice.example.123",
    "parley2024", "Parley!!", "alice-parley-1",
]  # fmt: skip

pytestmark = pytest.mark.usefixtures("fast_mailer")


async def change_email(client: httpx.AsyncClient, email: str, password: str = PASSWORD) -> httpx.Response:
    return await client.put("/api/account/email", json={"email": email, "current_password": password})


async def change_password(
    client: httpx.AsyncClient, password: str = NEW_PASSWORD, current: str = PASSWORD
) -> httpx.Response:
    return await client.put("/api/account/password", json={"password": password, "current_password": current})


async def delete_account(client: httpx.AsyncClient, then: str = "keep", password: str = PASSWORD) -> httpx.Response:
    return await client.post("/api/account/deletion", json={"current_password": password, "comments": then})


async def confirm(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.put("/api/confirmations", json={"token": token})


async def confirmation_for(site_parley: Parley, address: str, nth: int = 1) -> str:
    return find_token(await wait_for_mail(site_parley, address, "Confirm your new email address", nth), "confirm")


# -- the address --------------------------------------------------------------------------------------------


async def test_alices_new_address_waits_until_she_confirms_it(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    before = await me(alice)
    user = read_json(await change_email(alice, "Alice@New.Example.COM"), 202)
    assert before
    assert user == {**before, "unconfirmed_email": "alice@new.example.com"} == await me(alice)
    read_problem(await guest.post("/api/session", json={"email": "alice@new.example.com", "password": PASSWORD}), 401)
    await sign_in(guest, "Alice")

    token = await confirmation_for(site_parley, "alice@new.example.com")
    response = await confirm(guest, token)
    assert (response.status_code, response.content) == (204, b"")
    after = {**before, "email": "alice@new.example.com", "unconfirmed_email": None, "confirmed": True}
    assert await me(alice) == after
    assert (await confirm(guest, token)).status_code == 204, "a second confirmation is no error"
    assert await me(alice) == after
    read_problem(await guest.post("/api/session", json={"email": email_of("Alice"), "password": PASSWORD}), 401)
    await sign_in(guest, "Alice", email="alice@new.example.com")


async def test_the_old_address_gets_a_mail_before_and_after_the_change(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    await change_email(alice, "alice@new.example.com")
    changing = await wait_for_mail(site_parley, "Alice", "Your email address is about to change")
    assert "alice@new.example.com" in changing
    assert "/reset" in changing
    assert "#" not in changing, "only the mail to the new address has a link"
    await confirm(guest, await confirmation_for(site_parley, "alice@new.example.com"))
    changed = await wait_for_mail(site_parley, "Alice", "Your email address has been changed")
    assert "alice@new.example.com" in changed
    assert "{" not in changed
    assert await list_subjects(site_parley, "alice@new.example.com") == ["Confirm your new email address"]


async def test_only_alices_own_tabs_see_her_address_change(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    async with (
        open_stream(alice, "Article/1") as hers,
        open_stream(bob, "Article/1") as bobs,
        open_stream(guest, "Article/1") as guests,
    ):
        for stream in (hers, bobs, guests):
            await stream.next()
        waiting = read_json(await change_email(alice, "alice@new.example.com"), 202)
        assert (await hers.until(USER_UPDATED)).model == waiting
        await confirm(guest, await confirmation_for(site_parley, "alice@new.example.com"))
        assert (await hers.until(USER_UPDATED)).model == await me(alice)
        await write(bob, "For everybody")
        for stream in (bobs, guests):
            assert (await stream.next_event()).model["body"] == "For everybody"


async def test_a_change_to_somebody_elses_address_looks_like_any_other(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    free, taken = await change_email(alice, "zoe@example.com"), await change_email(alice, email_of("Bob"))
    assert {**read_json(free, 202), "unconfirmed_email": None} == {**read_json(taken, 202), "unconfirmed_email": None}
    assert taken.json()["unconfirmed_email"] == email_of("Bob")
    assert [name for name in free.headers if name != "date"] == [name for name in taken.headers if name != "date"]
    assert await list_subjects(site_parley, "Bob") == ["You already have an account"], (
        "Bob's mail has no link that would take the address from him"
    )
    assert "/reset" in await wait_for_mail(site_parley, "Bob", "You already have an account")
    assert (await me(bob) or {})["email"] == email_of("Bob")


async def test_alice_does_not_get_an_address_that_was_taken_meanwhile(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site: Site, site_parley: Parley
) -> None:
    await change_email(alice, email_of("Carol"))
    token = await confirmation_for(site_parley, email_of("Carol"))
    async with person(site, "Carol") as carol:
        read_problem(await confirm(guest, token), 422, "token")
        assert (await me(carol) or {})["email"] == email_of("Carol")
    assert (await me(alice) or {})["email"] == email_of("Alice")


@pytest.mark.both_databases
async def test_each_of_two_changes_at_once_confirms_only_its_own_address(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    """The owner of one address opens the link there, and confirms only that address."""
    addresses = ("mallory@example.com", "alice@new.example.com")
    for answered in await asyncio.gather(*(change_email(alice, address) for address in addresses)):
        assert answered.status_code == 202
    user = await me(alice)
    assert user
    links = {
        address: write_link(site_parley, Purpose.CONFIRM, UUID(user["id"]), fingerprint(address)).partition("#")[2]
        for address in addresses  # both addresses may have got a mail by now
    }
    waits = user["unconfirmed_email"]
    (overtaken,) = set(addresses) - {waits}
    read_problem(await confirm(guest, links[overtaken]), 422, "token")
    assert await me(alice) == user
    assert await confirmation_for(site_parley, waits)
    assert (await confirm(guest, links[waits])).status_code == 204
    read_problem(await confirm(guest, links[overtaken]), 422, "token")
    assert (await me(alice) or {})["email"] == waits


async def test_a_link_is_worthless_after_a_newer_change(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    await change_email(alice, "first@example.com")
    overtaken = await confirmation_for(site_parley, "first@example.com")
    await change_email(alice, "second@example.com")
    read_problem(await confirm(guest, overtaken), 422, "token")
    assert (await me(alice) or {})["email"] == email_of("Alice")
    assert (await confirm(guest, await confirmation_for(site_parley, "second@example.com"))).status_code == 204
    read_problem(await confirm(guest, overtaken), 422, "token")
    assert (await me(alice) or {})["email"] == "second@example.com"


async def test_a_new_password_stops_an_unconfirmed_change_of_address(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    """The mail to the old address promises it: "choose a new password, and nothing will change"."""
    await change_email(alice, "mallory@example.com")
    token = await confirmation_for(site_parley, "mallory@example.com")
    assert read_json(await change_password(alice), 200)["unconfirmed_email"] is None
    read_problem(await confirm(guest, token), 422, "token")
    assert (await me(alice) or {})["email"] == email_of("Alice")


async def test_alice_takes_a_change_of_address_back(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    await change_email(alice, "alice@new.example.com")
    token = await confirmation_for(site_parley, "alice@new.example.com")
    assert read_json(await change_email(alice, email_of("Alice")), 202)["unconfirmed_email"] is None
    read_problem(await confirm(guest, token), 422, "token")


async def test_a_change_of_address_needs_the_password(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    read_problem(await change_email(alice, "alice@new.example.com", "not hers"), 422, "current_password")
    read_problem(await change_email(alice, "nonsense"), 422, "email")
    read_problem(await alice.put("/api/account/email", json={}), 422, "email", "current_password")
    read_problem(await change_email(guest, "alice@new.example.com"), 401)
    assert (await me(alice) or {})["unconfirmed_email"] is None
    assert await list_subjects(site_parley, "alice@new.example.com") == []


# -- the password -------------------------------------------------------------------------------------------


async def test_a_new_password_ends_every_other_login_and_their_streams(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, site: Site
) -> None:
    async with AsyncExitStack() as open_:
        elsewhere = [await open_.enter_async_context(site.client()) for _ in range(2)]
        for client in elsewhere:
            await sign_in(client, "Alice", remember_me=True)
        streams = [await open_.enter_async_context(open_stream(client, "Article/1")) for client in elsewhere]
        bobs = await open_.enter_async_context(open_stream(bob, "Article/1"))
        for stream in (*streams, bobs):
            await stream.next()
        user = read_json(await change_password(alice), 200)
        for stream in streams:
            assert (await stream.until("auth")).json() == {"reason": "password"}
            await stream.ended()
        for client in elsewhere:
            assert await me(client) is None
            read_problem(await client.post("/api/comments/", json={**ARTICLE, "body": "It is me"}), 401)
        assert await me(alice) == user
        await write(alice, "Still here")
        assert (await bobs.until("create.success")).model["body"] == "Still here"


async def test_the_browser_that_changes_the_password_gets_a_new_login(
    alice: httpx.AsyncClient, site: Site, site_parley: Parley
) -> None:
    old = dict(alice.cookies)
    async with open_stream(alice, "Article/1") as stream:
        await stream.next()
        read_json(await change_password(alice), 200)
        assert (await stream.until("auth")).json() == {"reason": "replaced"}
        await stream.ended()
    assert alice.cookies[COOKIE] != old[COOKIE]
    assert alice.cookies[DEVICE_COOKIE] != old[DEVICE_COOKIE]
    assert await me(alice) is not None
    async with site.client(cookies=old) as thief:
        assert await me(thief) is None
        async with open_stream(thief, "Article/1") as stream:
            assert (await stream.until("auth")).json() == {"reason": "replaced"}
    async with open_stream(alice, "Article/1") as stream:
        await stream.next()
        await write(alice, "Still here")
        assert (await stream.next_event()).model["body"] == "Still here"


@pytest.mark.parametrize("remember", [True, False])
async def test_a_remembered_browser_stays_remembered_after_a_change_of_password(
    alice: httpx.AsyncClient, remember: bool
) -> None:
    await sign_in(alice, "Alice", remember_me=remember)
    response = await change_password(alice)
    (login,) = [header for header in response.headers.get_list("set-cookie") if header.startswith(f"{COOKIE}=")]
    assert ("Max-Age" in login) is remember
    (current,) = read_json(await alice.get("/api/logins"), 200)["logins"]
    assert (current["current"], current["remembered"]) == (True, remember)


async def test_the_old_password_is_refused_and_the_owner_gets_a_mail(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    read_json(await change_password(alice), 200)
    read_problem(await guest.post("/api/session", json={"email": email_of("Alice"), "password": PASSWORD}), 401)
    read_problem(await change_password(alice, "yet another secret", PASSWORD), 422, "current_password")
    await sign_in(guest, "Alice", password=NEW_PASSWORD)
    told = await wait_for_mail(site_parley, "Alice", "Your password has been changed")
    assert "/reset" in told
    assert NEW_PASSWORD not in told


async def test_a_weak_password_is_refused_by_every_form(sqlite_site: Site) -> None:
    async with sqlite_site.client() as guest, person(sqlite_site, "Alice") as alice:
        for password in WEAK_PASSWORDS:
            read_problem(await change_password(alice, password), 422, "password")
            form = {"email": "alice@example.org", "username": "Alice Example", "password": password}
            read_problem(await guest.post("/api/users", json=form), 422, "password")
        assert (await me(alice) or {})["username"] == "Alice"
        await sign_in(guest, "Alice")


async def test_any_other_password_is_accepted(sqlite_site: Site) -> None:
    current = PASSWORD
    async with person(sqlite_site, "Alice") as alice, sqlite_site.client() as guest:
        for password in ("alice likes tea", "correct horse battery staple", "пароль и 🦜", "        "):
            read_json(await change_password(alice, password, current), 200)
            await sign_in(guest, "Alice", password=password)
            current = password


async def test_a_change_of_password_needs_the_current_one(alice: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    read_problem(await change_password(alice, current="not hers"), 422, "current_password")
    read_problem(await change_password(alice, "short"), 422, "password")
    read_problem(await change_password(alice, "x" * 129), 422, "password")
    read_problem(await alice.put("/api/account/password", json={}), 422, "current_password", "password")
    read_problem(await change_password(guest), 401)
    await sign_in(guest, "Alice")


@pytest.mark.both_databases
async def test_one_of_two_new_passwords_at_once_is_stored(alice: httpx.AsyncClient, site: Site) -> None:
    async with site.client() as at_work:
        await sign_in(at_work, "Alice")
        chosen = ["the first of the two", "the second of the two"]
        answers = await asyncio.gather(change_password(alice, chosen[0]), change_password(at_work, chosen[1]))
        assert sorted(answer.status_code for answer in answers) in ([200, 401], [200, 422])
        for client, password, answered in zip((alice, at_work), chosen, answers, strict=True):
            form = {"email": email_of("Alice"), "password": password}
            async with site.client() as guest:
                assert (await guest.post("/api/session", json=form)).status_code == (
                    200 if answered.status_code == 200 else 401
                )
            assert (await me(client) is not None) is (answered.status_code == 200)


@pytest.mark.parametrize("change", ["a new password", "leaving"])
async def test_a_sign_in_fails_if_the_password_changes_meanwhile(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """The old password was right when its hash was read, and changes while it is being verified."""
    begun, let = asyncio.Event(), asyncio.Event()

    async def verify(password: str, hash: str | None) -> bool:
        begun.set()
        await let.wait()
        return await verify_password(password, hash)

    monkeypatch.setattr(login, "verify_password", verify)
    form = {"email": email_of("Alice"), "password": PASSWORD}
    signing_in = asyncio.create_task(guest.post("/api/session", json=form))
    await begun.wait()
    changed = await (delete_account(alice) if change == "leaving" else change_password(alice))
    assert changed.is_success
    let.set()
    read_problem(await signing_in, 401)
    assert await me(guest) is None


@pytest.mark.both_databases
async def test_no_sign_in_with_the_old_password_outlives_a_new_one(alice: httpx.AsyncClient, site: Site) -> None:
    async with AsyncExitStack() as open_:
        thieves = [await open_.enter_async_context(site.client()) for _ in range(8)]
        form = {"email": email_of("Alice"), "password": PASSWORD}
        *answers, changed = await asyncio.gather(
            *(thief.post("/api/session", json=form) for thief in thieves), change_password(alice)
        )
        assert changed.status_code == 200
        assert {answer.status_code for answer in answers} <= {200, 401}
        for thief in thieves:
            assert await me(thief) is None
    (only,) = read_json(await alice.get("/api/logins"), 200)["logins"]
    assert only["current"]


# -- leaving ------------------------------------------------------------------------------------------------


async def test_alice_deletes_her_account_and_her_comments_stay_without_a_name(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    first, second = await write(alice, "First"), await write(alice, "Second", commentable_id="2")
    bobs = await write(bob, "Bob's")
    async with open_stream(guest, "Article/1", "Article/2") as watching:
        await watching.next()
        response = await delete_account(alice, "keep")
        assert (response.status_code, response.content) == (204, b"")
        seen = {}
        for _ in range(2):
            model = (await watching.until(UPDATED)).model
            seen[model["id"]] = model
        for comment in (first, second):
            assert seen[comment["id"]]["username"] == DELETED
            assert seen[comment["id"]]["body"] == comment["body"]
            assert seen[comment["id"]]["edited"] is False
        await write(bob, "The next change")
        assert (await watching.next_event()).model["body"] == "The next change"
    fresh = {comment["id"]: comment for comment in (await snapshot(guest))["comments"]}
    assert fresh[first["id"]] == seen[first["id"]], "the old snapshot and the events equal the fresh snapshot"
    assert {**fresh[bobs["id"]], "current_user_can_edit": True} == bobs
    assert "Alice" not in str(fresh)


async def test_alice_deletes_her_account_and_her_comments(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    hers = [await write(alice, body) for body in ("First", "Second")]
    bobs = await write(bob, "Bob's")
    async with open_stream(guest, "Article/1") as watching:
        await watching.next()
        assert (await delete_account(alice, "erase")).status_code == 204
        gone = {(await watching.until(DESTROYED)).model["id"] for _ in hers}
        assert gone == {comment["id"] for comment in hers}
    assert [comment["id"] for comment in (await snapshot(guest))["comments"]] == [bobs["id"]]
    assert (await read_seq(site_parley)) == 5, "three comments and two erasures"
    async with site_parley.reading() as reading:
        rows = (await reading.scalars(select(Comment).where(Comment.deleted_at.is_not(None)))).all()
    assert {(row.body, row.username) for row in rows} == {("", "")}


async def test_all_logins_of_a_deleted_account_end_as_deleted(alice: httpx.AsyncClient, site: Site) -> None:
    cookies = dict(alice.cookies)
    async with site.client() as at_work:
        await sign_in(at_work, "Alice")
        async with open_stream(alice, "Article/1") as here, open_stream(at_work) as there:
            for stream in (here, there):
                await stream.next()
            assert (await delete_account(alice)).status_code == 204
            for stream in (here, there):
                assert (await stream.until("auth")).json() == {"reason": "deleted"}
                await stream.ended()
            frames = str(here.blocks + there.blocks)
            assert "example.com" not in frames
        assert COOKIE not in alice.cookies
        for client in (alice, at_work):
            assert await me(client) is None
        read_problem(await at_work.post("/api/comments/", json={**ARTICLE, "body": "Me again"}), 401)
    async with site.client(cookies=cookies) as thief:
        assert await me(thief) is None
        read_problem(await thief.get("/api/logins"), 401)


async def test_the_address_and_name_of_a_deleted_account_are_free_again(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    was = await me(alice)
    comment = await write(alice, "Before")
    await delete_account(alice)
    read_problem(await guest.post("/api/session", json={"email": email_of("Alice"), "password": PASSWORD}), 401)
    again = await sign_up(guest, "Alice")
    assert was
    assert again["id"] != was["id"]
    read_problem(await guest.delete(f"/api/comments/{comment['id']}"), 403)
    assert await wait_for_mail(site_parley, "Alice", "Your account has been deleted")


async def test_the_row_of_a_deleted_account_has_no_personal_data(alice: httpx.AsyncClient, site_parley: Parley) -> None:
    await change_email(alice, "alice@new.example.com")
    user = await me(alice)
    await delete_account(alice)
    assert user
    async with site_parley.reading() as reading:
        row = await reading.get(User, UUID(user["id"]))
        logins = (await reading.scalars(select(Login))).all()
    assert row
    assert row.deleted_at
    left = {name: getattr(row, name) for name in row.__table__.columns.keys()}  # noqa: SIM118
    assert "alice" not in str(left).lower().replace(user["id"], "")
    assert "argon2" not in str(left)
    assert "127.0.0.1" not in str(left)
    assert {(login.address, login.device) for login in logins} == {("", "")}


async def test_the_deletion_of_an_account_needs_the_password(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    before = await count_rows(site_parley)
    read_problem(await delete_account(alice, password="not hers"), 422, "current_password")
    read_problem(await delete_account(alice, "burn"), 422, "comments")
    read_problem(await alice.post("/api/account/deletion", json={}), 422, "current_password", "comments")
    read_problem(await delete_account(guest), 401)
    assert {**await count_rows(site_parley), "failures": 0} == before
    assert await me(alice) is not None


async def test_mailed_links_of_a_deleted_account_are_worthless(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley
) -> None:
    await guest.post("/api/resets", json={"email": email_of("Alice")})
    await change_email(alice, "alice@new.example.com")
    reset = find_token(await wait_for_mail(site_parley, "Alice", "Choose a new password"), "reset")
    confirmation = await confirmation_for(site_parley, "alice@new.example.com")
    await delete_account(alice)
    read_problem(await guest.put("/api/resets", json={"token": reset, "password": NEW_PASSWORD}), 422, "token")
    read_problem(await confirm(guest, confirmation), 422, "token")


@pytest.mark.both_databases
async def test_no_comment_keeps_the_name_of_a_deleted_account(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site: Site
) -> None:
    """Posts during the deletion are either stored in time and then rewritten, or refused."""

    async def keep_writing(tab: httpx.AsyncClient, number: int) -> int:
        for count in range(200):
            form = {"commentable_type": "Article", "commentable_id": str(number), "body": str(count)}
            response = await tab.post("/api/comments/", json=form)
            if response.status_code != 201:
                read_problem(response, 401)
                return count
        return 200

    async with AsyncExitStack() as open_:
        # SQLite has one writer at a time, and the deletion waits with the other writers.
        tabs = [await open_.enter_async_context(site.client(cookies=alice.cookies, timeout=30)) for _ in range(4)]
        alice.timeout = guest.timeout = 30
        writing = [asyncio.create_task(keep_writing(tab, number)) for number, tab in enumerate(tabs)]
        while not (await snapshot(guest, commentable_id="3"))["comments"]:
            pass
        assert (await delete_account(alice, "keep")).status_code == 204
        written = await asyncio.gather(*writing)
    assert sum(written), "some posts were stored in time"
    for number, count in enumerate(written):
        found = (await snapshot(guest, commentable_id=str(number), limit=100))["comments"]
        assert len(found) == min(count, 100)
        assert {comment["username"] for comment in found} <= {DELETED}


@pytest.mark.parametrize("then", ["keep", "erase"])
async def test_a_deletion_that_a_killed_process_began_is_finished(
    alice: httpx.AsyncClient, guest: httpx.AsyncClient, site_parley: Parley, then: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The account is deleted first; its comments follow in batches, one topic after the other."""
    for number in range(3):
        await write_comments(site_parley, await write(alice, "One", commentable_id=str(number)), ["More"] * 3)
    writing = site_parley.writing
    topics: list[Topic] = []

    def dies_at_the_second_topic(*locked: Topic) -> Any:
        topics.extend(topic for topic in locked if topic.is_place)
        assert len(topics) < 2, "killed"
        return writing(*locked)

    with monkeypatch.context() as killed:
        killed.setattr(site_parley, "writing", dies_at_the_second_topic)
        response = await delete_account(alice, then)
        assert response.status_code == 500
    assert await me(alice) is None, "the account is deleted all the same"
    left = {DELETED: 0, "Alice": 0, "": 0}
    for comment in await every_comment(site_parley):
        left[comment.username] += 1
    assert left["Alice"] == 8
    async with open_stream(guest, *(f"Article/{number}" for number in range(3))) as watching:
        await watching.next()
        await maintenance.run_once(site_parley)
        for _ in range(8):
            await watching.until(UPDATED if then == "keep" else DESTROYED)
    assert {comment.username for comment in await every_comment(site_parley)} == {DELETED if then == "keep" else ""}
    async with site_parley.reading() as reading:
        assert (await reading.scalars(select(User.leaving))).all() == [None]
    before = [await read_seq(site_parley, f"Article/{number}") for number in range(3)]
    await accounts.finish_deletions(site_parley)
    assert [await read_seq(site_parley, f"Article/{number}") for number in range(3)] == before, (
        "each comment is rewritten once"
    )


async def every_comment(site_parley: Parley) -> list[Comment]:
    async with site_parley.reading() as reading:
        return list((await reading.scalars(select(Comment))).all())


async def test_many_comments_are_deleted_in_batches(
    alice: httpx.AsyncClient, site_parley: Parley, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "BATCH_SIZE", 7)
    await write_comments(site_parley, await write(alice, "One"), ["More"] * 30)
    assert (await delete_account(alice, "erase")).status_code == 204
    assert {comment.body for comment in await every_comment(site_parley)} == {""}
    assert await read_seq(site_parley) == 62


async def test_logins_of_a_deleted_account_end_on_other_servers_too(
    alice: httpx.AsyncClient, settings: Settings, site_parley: Parley
) -> None:
    from app.main import create_app

    async with serving(create_app(settings)) as other, other.client(cookies=alice.cookies) as same_alice:
        there = other.state.parley
        await wait_until(lambda: site_parley.hints.flowing and there.hints.flowing, "Redis")
        async with open_stream(same_alice, "Article/1") as stream:
            await stream.next()
            await delete_account(alice)
            assert (await stream.until("auth")).json() == {"reason": "deleted"}


# -- the name -----------------------------------------------------------------------------------------------


async def test_alice_changes_her_name_and_a_reader_sees_it(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    comment = await write(alice, "Hello")
    changed = read_json(await alice.put("/api/account/username", json={"username": "Alice Newname"}), 200)
    assert changed["username"] == "Alice Newname"
    assert (await me(alice) or {})["username"] == "Alice Newname"

    async def is_renamed() -> bool:
        shown = read_json(await guest.get(f"/api/comments/{comment['id']}"), 200)
        return bool(shown["username"] == "Alice Newname" and not shown["edited"])

    await wait_until(is_renamed, "the new name above the comment")
    read_problem(await bob.put("/api/account/username", json={"username": "alice  newname"}), 422, "username")
    read_problem(await bob.put("/api/account/username", json={"username": "Parley Team"}), 422, "username")
    read_problem(await guest.put("/api/account/username", json={"username": "Guest"}), 401)
