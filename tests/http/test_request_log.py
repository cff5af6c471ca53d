"""The log: ids of requests, a line for each request, and security events."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING
from uuid import UUID

import httpx
import pytest

from app import logs
from app.accounts.login_throttle import MAX_FAILURES
from app.accounts.user import Role
from app.live.topics import Topic
from app.live.viewers import Viewer
from tests.support.moderators import set_role
from tests.support.people import email_of, me, person, read_json, sign_up, write
from tests.support.sse import open_stream

if TYPE_CHECKING:
    from app.live.service import Parley
    from tests.support.serving import Site

PASSWORD = "talk among friends"


pytestmark = pytest.mark.sqlite_only


class Lines(logging.Handler):
    """The lines of the log, with the id of their request."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.addFilter(logs.Known())
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def of(self, logger: str) -> list[dict[str, object]]:
        return [vars(record) for record in self.records if record.name == logger]

    def events(self) -> list[tuple[object, ...]]:
        """The security events: (event, reason), and the account."""
        found = []
        for each in self.of(logs.SECURITY):
            more = [each[name] for name in ("why", "how", "role") if name in each]
            found.append((each["event"], *more))
        return found


@pytest.fixture
def lines() -> Iterator[Lines]:
    lines, ours = Lines(), logging.getLogger("app")
    level = ours.level
    ours.addHandler(lines)
    ours.setLevel(logging.DEBUG)
    yield lines
    ours.removeHandler(lines)
    ours.setLevel(level)


# -- ids ----------------------------------------------------------------------------------------------------


async def test_a_request_keeps_a_valid_id_from_the_proxy(guest: httpx.AsyncClient) -> None:
    for path in ("/", "/healthz/", "/nothing", "/api/comments/"):
        answer = await guest.get(path, headers={"X-Request-ID": "5f0c-a.b_1"})
        assert answer.headers["X-Request-ID"] == "5f0c-a.b_1", path


async def test_a_request_without_a_valid_id_gets_one(guest: httpx.AsyncClient) -> None:
    given = ["", "two words", "é", "x" * 65, "-x", "<script>"]
    made = [(await guest.get("/", headers={"X-Request-ID": id_.encode()})).headers["X-Request-ID"] for id_ in given]
    assert len({*made, *given}) == 2 * len(given)
    assert all(len(id_) == 32 for id_ in made)


async def test_the_response_to_a_server_error_has_an_id_too(
    guest: httpx.AsyncClient, site_parley: Parley, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site_parley.database, "read", lambda work: 1 / 0)
    answer = await guest.get("/api/comments/?commentable_type=Article&commentable_id=1", headers={"X-Request-ID": "r"})
    assert (answer.status_code, answer.headers["X-Request-ID"]) == (500, "r")
    (line,) = lines.of("app.http.middleware.request_log")
    assert (line["status"], line["route"], line["request"]) == (500, "/api/comments", "r")


# -- lines --------------------------------------------------------------------------------------------------


async def test_a_line_has_the_account_the_request_and_its_object(site: Site, lines: Lines) -> None:
    async with person(site, "Alice") as alice:
        comment = await write(alice, "Hello")
        lines.records.clear()
        headers = {"X-Request-ID": "alices-edit"}
        await alice.patch(f"/api/comments/{comment['id']}/?x=secret", json={"body": "Hi"}, headers=headers)
        (login,) = read_json(await alice.get("/api/logins"), 200)["logins"]
    line, _ = lines.of("app.http.middleware.request_log")
    assert {name: line[name] for name in ("method", "route", "path", "status", "request", "login", "gid")} == {
        "method": "PATCH", "route": "/api/comments/{id}", "path": f"/api/comments/{comment['id']}", "status": 200,
        "request": "alices-edit", "login": login["id"], "gid": f"gid://parley/Comment/{comment['id']}",
    }  # fmt: skip
    assert isinstance(line["ms"], float)
    assert "secret" not in str(line)


async def test_a_request_cannot_add_a_line_to_the_log(guest: httpx.AsyncClient, lines: Lines) -> None:
    await guest.get("/Article/%0AINFO%20forged%1b[31m")
    (line,) = lines.of("app.http.middleware.request_log")
    assert line["path"] == "/Article/%0AINFO%20forged%1B%5B31m"


async def test_the_line_of_a_stream_is_written_when_it_begins(guest: httpx.AsyncClient, lines: Lines) -> None:
    async with open_stream(guest, "Article/1") as stream:
        await stream.next()
        (line,) = lines.of("app.http.middleware.request_log")
        assert (line["route"], line["status"]) == ("/streams", 200)
    assert len(lines.of("app.http.middleware.request_log")) == 1


async def test_requests_of_monitoring_are_logged_at_debug_level(guest: httpx.AsyncClient, lines: Lines) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        await guest.get(path)
    assert {line["levelno"] for line in lines.of("app.http.middleware.request_log")} == {logging.DEBUG}


# -- security -----------------------------------------------------------------------------------------------


async def test_security_events_of_an_account_are_logged(site: Site, site_parley: Parley, lines: Lines) -> None:
    async with site.client() as alice, site.client() as bob, site.client() as olga:
        user = await sign_up(alice, "Alice")
        form = {"email": email_of("Alice"), "password": PASSWORD}
        assert (await bob.post("/api/session", json={**form, "password": "a wrong one, that"})).status_code == 401
        await bob.post("/api/session", json=form)
        await bob.put("/api/account/email", json={"email": "new@example.com", "current_password": PASSWORD})
        await bob.put("/api/account/email", json={"email": "new@example.com", "current_password": "a wrong one, that"})
        await bob.put("/api/account/password", json={"current_password": PASSWORD, "password": "another for friends"})
        await bob.delete("/api/session")
        await bob.post("/api/resets", json={"email": email_of("Alice")})
        told = [
            ("account made",), ("signed in",), ("sign-in refused", "password"), ("signed in",),
            ("e-mail change asked",), ("password refused",),
            ("login ended", "password"), ("password changed",), ("login ended", "replaced"), ("signed in",),
            ("login ended", "signed_out"), ("reset asked",),
        ]  # fmt: skip
        assert sorted(lines.events()) == sorted(told)
        about = {str(each.get("account")) for each in lines.of(logs.SECURITY) if each["event"] != "reset asked"}
        assert about == {user["id"]}

        owner = await sign_up(olga, "Olga")
        await set_role(site_parley, Viewer(UUID(owner["id"])), Role.OWNER)
        lines.records.clear()
        read_json(await olga.put(f"/api/users/{user['id']}/role", json={"role": "moderator"}), 200)
        read_json(await olga.put(f"/api/users/{user['id']}/block", json={}), 200)
        await bob.post("/api/session", json={**form, "password": "another for friends"})
        await olga.delete(f"/api/users/{user['id']}/block")
        assert lines.events() == [
            ("role changed", "moderator"), ("blocked",), ("sign-in refused", "blocked"), ("unblocked",),
        ]  # fmt: skip
        changes = [each for each in lines.of(logs.SECURITY) if "by" in each]
        assert {(each["account"], each["by"]) for each in changes} == {(user["id"], owner["id"])}


async def test_a_lock_is_logged_once_and_each_refusal_too(site: Site, lines: Lines) -> None:
    async with person(site, "Alice") as alice, site.client() as guest:
        user = await me(alice)
        lines.records.clear()
        for _ in range(MAX_FAILURES + 1):
            await guest.post("/api/session", json={"email": email_of("Alice"), "password": "a wrong one, that"})
    assert lines.events() == [*[("sign-in refused", "password")] * MAX_FAILURES, ("locked",), ("refused while locked",)]
    assert user
    assert {each["account"] for each in lines.of(logs.SECURITY)} == {user["id"]}


async def test_an_event_that_was_rolled_back_is_not_logged(site: Site, site_parley: Parley, lines: Lines) -> None:
    async def change_their_mind() -> None:
        async with site_parley.writing(Topic("Article", "1")) as write:
            write.log_after_commit("blocked")
            raise LookupError

    with pytest.raises(LookupError):
        await change_their_mind()
    assert lines.events() == []
