"""Secrets: a day of the service with a recognisable value in every column, and a search for leaks of these values.

One list below has every column of the tables about people. A new column fails these tests until the list says who may
see it. A value that anybody else gets fails them, too: in a response or its headers, in a stream, in a page, in the
log, or on Redis.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from enum import Flag, auto
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import httpx
import pytest
from redis.asyncio import Redis
from sqlalchemy import DateTime, Integer, Uuid, insert, inspect, select, text, update

from app import database, logs
from app.accounts.login_throttle import MAX_FAILURES, Failures
from app.accounts.logins import Login
from app.accounts.mailed_links import Purpose
from app.accounts.user import Role, User
from app.database import Base, Instant
from app.likes.likes import Like
from app.live.topics import QUEUE
from app.live.viewers import Viewer
from app.mail.emails import write_email
from app.mail.mail_queue import DeadLetter, Kind, Mail
from app.moderation.audit_log import Decision
from app.moderation.reports import Report
from app.notifications.mutes import Mute
from app.notifications.notifications import Notification
from app.reply_mail.follows import Follow
from app.reply_mail.last_mails import LastMail
from app.reply_mail.muted_conversations import MutedConversation
from tests.support.mailbox import find_token
from tests.support.moderators import set_role
from tests.support.people import ARTICLE, COOKIE, DEVICE_COOKIE, delete, edit, email_of, me, read_json, sign_up, write
from tests.support.serving import serving
from tests.support.sse import Stream, open_stream
from tests.support.waiting import cancel_tasks, wait_until

if TYPE_CHECKING:
    from app.live.service import Parley
    from app.settings import Settings
    from tests.support.redis import RedisServer
    from tests.support.serving import Site


class To(Flag):
    """The people and places that may get a value."""

    NOBODY = 0
    SELF = auto()  # the owner's browsers, and the response to the person who typed it
    LOG = auto()
    REDIS = auto()
    MODERATORS = auto()
    OTHERS = auto()
    ALL = SELF | LOG | REDIS | MODERATORS | OTHERS


class Word:
    """A value that is one of a few words or an ordinary number, so a leak of it cannot be recognised."""


WORD = Word()
WHO = {To.SELF: "Alice", To.MODERATORS: "Carol"}

COLUMNS: dict[str, To | Word] = {
    "users.id": To.ALL,  # comments have it
    "users.topic": To.ALL,
    "users.seq": WORD,
    "users.created_seq": WORD,
    "users.deleted_at": WORD,  # there is nobody left to see it
    "users.email": To.SELF,
    "users.username": To.ALL,
    "users.username_key": To.NOBODY,
    "users.username_skeleton": To.NOBODY,
    "users.password_hash": To.NOBODY,
    "users.role": WORD,
    "users.created_at": To.NOBODY,
    "users.confirmed_at": To.NOBODY,  # that it is, not when
    "users.unconfirmed_email": To.SELF,
    "users.sign_in_count": To.SELF,
    "users.signed_in_at": To.SELF,  # as the one before, after the next
    "users.signed_in_address": To.SELF,
    "users.last_signed_in_at": To.SELF,
    "users.last_signed_in_address": To.SELF,
    "users.blocked_at": WORD,  # nobody is signed in who has one
    "users.byline_changed_at": To.NOBODY,
    "users.atom_number": WORD,
    "users.leaving": WORD,
    "users.mail_on_reply": WORD,
    "users.mail_on_mention": WORD,
    "users.mail_on_followed": WORD,
    "users.mail_on_report": WORD,
    "users.mail_on_comment": WORD,
    "users.mail_on_edit": WORD,
    "users.mail_on_removal": WORD,
    "logins.id": To.SELF | To.LOG | To.REDIS,  # a name; the cookie is signed
    "logins.user_id": To.ALL,
    "logins.topic": To.ALL,
    "logins.seq": WORD,
    "logins.created_seq": WORD,
    "logins.deleted_at": WORD,
    "logins.remember": WORD,
    "logins.created_at": To.SELF,
    "logins.address": To.SELF,
    "logins.device": To.SELF,
    "logins.seen_at": To.SELF,
    "logins.expires_at": To.NOBODY,
    "logins.ended": WORD,
    "likes.id": To.SELF | To.LOG | To.REDIS,  # a name
    "likes.user_id": To.ALL,
    "likes.topic": To.ALL,
    "likes.seq": WORD,
    "likes.created_seq": WORD,
    "likes.deleted_at": WORD,
    "likes.comment_id": To.SELF,  # how many like a comment everybody sees, not who
    "likes.place": To.ALL,  # anybody's Article/1
    "mutes.user_id": To.ALL,
    "mutes.muted_id": To.ALL,  # another account's id; nobody else learns that it is muted
    "mutes.created_at": To.NOBODY,
    "reports.id": To.MODERATORS | To.REDIS,
    "reports.topic": WORD,  # the same for all
    "reports.seq": WORD,
    "reports.created_seq": WORD,
    "reports.deleted_at": WORD,
    "reports.user_id": To.ALL,
    "reports.username": To.ALL,  # a name; only moderators get the rest of the row
    "reports.comment_id": To.MODERATORS,
    "reports.place": WORD,
    "reports.reason": WORD,
    "reports.note": To.MODERATORS,
    "reports.created_at": To.MODERATORS,
    "decisions.id": To.MODERATORS | To.REDIS,
    "decisions.topic": WORD,
    "decisions.seq": WORD,
    "decisions.created_seq": WORD,
    "decisions.deleted_at": WORD,
    "decisions.user_id": To.NOBODY,
    "decisions.username": To.MODERATORS,
    "decisions.act": WORD,
    "decisions.place": WORD,
    "decisions.comment_id": To.MODERATORS,
    "decisions.person_id": To.ALL,
    "decisions.person_name": To.ALL,
    "decisions.reason": To.MODERATORS,  # not even whom it is about
    "decisions.created_at": To.MODERATORS,
    "dead_letters.id": To.LOG,  # the id of the mail
    "dead_letters.kind": WORD,
    "dead_letters.address": To.NOBODY,  # except the operator
    "dead_letters.reason": To.LOG,
    "dead_letters.attempts": To.NOBODY,
    "dead_letters.created_at": To.NOBODY,
    "dead_letters.died_at": To.NOBODY,
    "mails.id": To.LOG,
    "mails.kind": WORD,
    "mails.address": To.NOBODY,  # but the mail server
    "mails.user_id": To.ALL,
    "mails.about": To.NOBODY,
    "mails.created_at": To.NOBODY,
    "mails.due_at": To.NOBODY,
    "mails.priority": WORD,
    "mails.attempts": To.NOBODY,
    "mails.sent_at": To.NOBODY,
    "mails.subject": To.NOBODY,
    "mails.text": To.NOBODY,
    "notifications.id": To.SELF | To.LOG | To.REDIS,  # a name: a hint has it, and the address at which it is read
    "notifications.topic": To.ALL,
    "notifications.seq": WORD,
    "notifications.created_seq": WORD,
    "notifications.deleted_at": WORD,
    "notifications.user_id": To.ALL,
    "notifications.kind": WORD,
    "notifications.comment_id": To.SELF,
    "notifications.place": To.SELF,
    "notifications.title": To.SELF,
    "notifications.url": To.SELF,
    "notifications.actor_id": To.NOBODY,
    "notifications.actor_name": To.SELF,
    "notifications.excerpt": To.SELF,
    "notifications.created_at": To.SELF,
    "notifications.read_at": To.NOBODY,  # that it is, not when
    "notifications.mail_due_at": To.NOBODY,
    "notifications.mail_id": To.NOBODY,
    "last_mails.user_id": To.ALL,
    "last_mails.place": To.NOBODY,
    "last_mails.mailed_at": To.NOBODY,
    "muted_conversations.user_id": To.ALL,
    "muted_conversations.place": To.SELF,
    "muted_conversations.created_at": To.NOBODY,
    "follows.user_id": To.ALL,
    "follows.place": To.SELF,
    "follows.created_at": To.NOBODY,
    "follows.decided_seq": To.NOBODY,
    "follows.read_seq": To.NOBODY,
    "follows.waiting_since": To.NOBODY,
    "follows.mail_due_at": To.NOBODY,
    "failures.key": To.NOBODY,
    "failures.count": To.NOBODY,
    "failures.began_at": To.NOBODY,
    "failures.failed_at": To.NOBODY,
    "failures.locked_until": To.NOBODY,
}
ABOUT_PEOPLE = (
    "users",
    "logins",
    "likes",
    "mutes",
    "reports",
    "decisions",
    "mails",
    "dead_letters",
    "notifications",
    "failures",
    "last_mails",
    "muted_conversations",
    "follows",
)
# What people write and do where others see it, counters, and rows that name such objects without their content.
OTHERS = {
    "comments", "commentables", "topics", "epochs", "webhook_deliveries", "moderator_news", "atom_namespaces",
    "followed_conversations", "mailed_ranges",
}  # fmt: skip

ALICE = {"email": "alice.secret.q7@example.com", "username": "Alice the Seventh", "password": "alice-s3cret-phrase-x1"}
NEW_PASSWORD = "alice-s3cret-phrase-x2"
WRONG = "wrong-s3cret-guess"
PASSWORDS = [ALICE["password"], NEW_PASSWORD, WRONG]
WAITING = "alice.waits.z9@example.org"

pytestmark = pytest.mark.usefixtures("fast_mailer")


# -- recognisable values ------------------------------------------------------------------------------------


def test_the_list_has_every_column_about_people() -> None:
    tables = Base.metadata.tables
    assert set(tables) - OTHERS == set(ABOUT_PEOPLE), "decide whether a new table is about people"
    found = {f"{name}.{column.name}" for name in ABOUT_PEOPLE for column in tables[name].columns}
    assert found == set(COLUMNS)


class Marks:
    """Recognisable values, each of them new."""

    def __init__(self) -> None:
        self._count = 0

    def of(self, column: Any) -> Any:
        self._count += 1
        kind = column.type
        if isinstance(kind, Instant | DateTime):
            future = column.name in ("due_at", "expires_at", "locked_until", "mail_due_at", "seen_at")
            began = datetime(2087 if future else 1987, 3, 4, 5, tzinfo=UTC)
            return began + timedelta(minutes=self._count, seconds=self._count % 60)
        if isinstance(kind, Uuid):
            return uuid4()
        if isinstance(kind, Integer):
            return 7_340_100 + self._count
        return f"mark-{self._count}-{uuid4().hex[:8]}"


def seen_as(value: Any) -> list[str]:
    """The texts that would reveal a value."""
    if isinstance(value, datetime):
        return [value.strftime(f"%Y-%m-%d{between}%H:%M:%S") for between in "T "]
    return [str(value)]


async def plant(site_parley: Parley, user_id: UUID) -> dict[str, list[str]]:
    """Store a recognisable value in every column about Alice, and return the values by column."""
    marks, planted = Marks(), {}
    kept = ("id", "topic", "email", "username", "password_hash", "user_id", "unconfirmed_email", "place")

    def values(model: type[Base], **given: Any) -> dict[str, Any]:
        table = inspect(model).local_table
        named = {c.name: c for c in table.columns if COLUMNS[f"{table.name}.{c.name}"] is not WORD}
        fresh = {name: marks.of(column) for name, column in named.items() if name not in kept or name in given}
        return {**fresh, **{name: value for name, value in given.items() if value is not None}}

    login_id = uuid4()
    rows: dict[type[Base], dict[str, Any]] = {
        User: values(User),
        Login: values(Login, id=None),
        Like: values(Like, id=uuid4(), user_id=user_id, place="Article/1"),
        Report: values(Report, id=uuid4(), user_id=user_id, username=ALICE["username"], reason="spam"),
        Decision: values(Decision, id=uuid4(), user_id=uuid4(), username="mark-of-a-moderator", person_id=user_id),
        Mail: values(Mail, id=None, kind=Kind.RESET, user_id=user_id),
        Notification: values(
            Notification, id=None, topic=f"User/{user_id}", user_id=user_id, place="Article/where somebody named her"
        ),
        DeadLetter: values(DeadLetter, id=uuid4(), kind=Kind.RESET),
        Failures: values(Failures),
        Mute: values(Mute, user_id=user_id, muted_id=user_id),
        LastMail: values(LastMail, user_id=user_id, place="Article/that Alice got mail about"),
        MutedConversation: values(MutedConversation, user_id=user_id, place="Article/that Alice has muted"),
        Follow: values(Follow, user_id=user_id, place="Article/that Alice follows"),
    }
    async with site_parley.database.transaction() as writing, writing.begin():
        await writing.execute(update(User).where(User.id == user_id).values(rows[User]))
        like = (await writing.scalars(select(Login).where(Login.user_id == user_id))).first()
        assert like
        rest = {"topic": like.topic, "seq": 10_001, "created_seq": 10_001, "user_id": user_id}
        rows[Login] = {**rest, **rows[Login], "id": login_id, "remember": True}
        rows[Like] = {**rest, **rows[Like]}
        queue = {"topic": str(QUEUE), "seq": 10_001, "created_seq": 10_001, "place": "Article/1"}
        rows[Report] = {**queue, **rows[Report]}
        rows[Decision] = {**queue, "act": "hide", **rows[Decision], "person_name": ALICE["username"]}
        await writing.execute(insert(Login).values(rows[Login]))
        await writing.execute(insert(Like).values(rows[Like]))
        await writing.execute(insert(Report).values(rows[Report]))
        await writing.execute(insert(Decision).values(rows[Decision]))
        await writing.execute(insert(Mail).values(rows[Mail]))
        await writing.execute(insert(DeadLetter).values(rows[DeadLetter]))
        rows[Notification] |= {"kind": "reply", "seq": 10_002, "created_seq": 10_002}
        await writing.execute(insert(Notification).values(rows[Notification]))
        await writing.execute(insert(Failures).values(rows[Failures]))
        for model in (Mute, LastMail, MutedConversation, Follow):
            await writing.execute(insert(model).values(rows[model]))
        user = await writing.get(User, user_id, populate_existing=True)
    for model, row in rows.items():
        table = inspect(model).local_table.name
        full = {c.key: getattr(user, c.key) for c in inspect(User).columns} if model is User else row
        for name, value in full.items():
            if value is not None and COLUMNS[f"{table}.{name}"] is not WORD:
                planted[f"{table}.{name}"] = seen_as(value)
    return planted


# -- recorded texts -----------------------------------------------------------------------------------------


class Ears:
    """Everything that people get: (person, place, text, the person's own request)."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, str, str]] = []
        self.cookies: list[tuple[str, str]] = []  # (person, value)

    @asynccontextmanager
    async def browser(self, site: Site, who: str, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
        async def record(response: httpx.Response) -> None:
            request = response.request
            said = request.content.decode() if hasattr(request, "_content") else ""
            where = f"{request.method} {request.url.path} {response.status_code}"
            headers = [(name, value) for name, value in response.headers.multi_items() if name != "set-cookie"]
            self.heard.append((who, f"headers of {where}", str(headers), said))
            for header in response.headers.get_list("set-cookie"):
                value = header.partition("=")[2].partition(";")[0].strip('"')
                if value:
                    self.cookies.append((who, value))
            if not response.headers.get("content-type", "").startswith("text/event-stream"):
                await response.aread()
                self.heard.append((who, where, response.text, said))

        async with site.client(event_hooks={"response": [record]}, **options) as client:
            yield client

    @asynccontextmanager
    async def stream(self, client: httpx.AsyncClient, who: str, *topics: str) -> AsyncIterator[Stream]:
        """A stream of which every frame is recorded."""
        async with open_stream(client, *topics) as stream:
            await stream.next()
            try:
                yield stream
            finally:
                with suppress(TimeoutError):
                    await stream.ended(0.2)
                self.heard += [(who, f"frame of {topics}", repr(block), "") for block in stream.blocks]

    def where(self, text: str, who: str | None, but: str | None = None) -> Iterator[str]:
        """The places at which `who`, or anybody but one person, got this, without texts that they typed themselves."""
        for listener, place, content, said in self.heard:
            if (who is None or listener == who) and listener != but and text in content and text not in said:
                yield f"{listener}: {place}"


class Log(logging.Handler):
    """All lines of the log in both forms, with stacks: our own from DEBUG, those of libraries from INFO."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.addFilter(logs.Known())
        self._forms = logs.json_lines(), logs.TextLines()

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != "uvicorn.access":  # which is off: see `app.logs`
            self.lines += [form.format(record) for form in self._forms]


@pytest.fixture
def log() -> Iterator[Log]:
    log, root, ours = Log(), logging.getLogger(), logging.getLogger("app")
    levels = root.level, ours.level
    root.addHandler(log)
    root.setLevel(logging.INFO)
    ours.setLevel(logging.DEBUG)
    yield log
    root.removeHandler(log)
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


@asynccontextmanager
async def record_commands(url: str) -> AsyncIterator[list[str]]:
    """Record every command that Redis gets."""
    commands: list[str] = []
    async with Redis.from_url(url) as redis, redis.monitor() as monitor:

        async def listen() -> None:
            async for command in monitor.listen():
                commands.append(str(command))  # noqa: PERF401 - as they come

        listening_ = asyncio.create_task(listen())
        try:
            yield commands
        finally:
            await cancel_tasks(listening_)


@asynccontextmanager
async def rude_mail_server() -> AsyncIterator[str]:
    """It refuses all mail, and repeats the address in the refusal."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 rude\r\n")
        refusals = iter([b"451 %s: later\r\n", b"550 %s: no such user\r\n"] * 50)
        while line := await reader.readline():
            refused = next(refusals) % line.strip() if line.upper().startswith(b"RCPT") else b"250 ok\r\n"
            writer.write(b"221 bye\r\n" if line.upper().startswith(b"QUIT") else refused)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"


# -- the day ------------------------------------------------------------------------------------------------


@pytest.fixture
async def smtp_url() -> AsyncIterator[str]:
    async with rude_mail_server() as url:
        yield url


@pytest.fixture
def settings(settings: Settings, redis_server: RedisServer, smtp_url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings as an operator has them, without TLS. A statement that waits for a lock soon fails."""
    from app.settings import Settings

    monkeypatch.setattr(database, "SQLITE_LOCK_TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(database, "POSTGRES_STATEMENT_TIMEOUT", "300ms")
    return Settings(
        _env_file=None,
        environment="production",
        database_url=settings.database_url,
        redis_url=redis_server.url,
        secret_key="a key of this test's own that is long enough",
        require_confirmation=False,
        public_url="http://127.0.0.1:8000",
        smtp_url=smtp_url,
        mail_from="Parley <parley@talk.example.com>",
    )


async def link(site_parley: Parley, kind: Kind, address: str, purpose: Purpose) -> str:
    """The token in a queued mail."""
    async with site_parley.reading() as reading:
        mail = (await reading.scalars(select(Mail).where(Mail.kind == kind, Mail.address == address))).first()
    letter = await write_email(site_parley, mail or Mail(kind=kind, address=address, user_id=None))
    assert letter
    return find_token(letter.text, purpose)


async def talk(alice: httpx.AsyncClient, bob: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    comment = await write(alice, "Mine")
    await edit(alice, comment, "Mine, still")
    await write(bob, "Bob's")
    for reader in (alice, bob, guest):
        for path in ("/", "/Article/1", "/account", "/reset", "/confirm", "/unlock", "/nothing", "/dev/mail"):
            await reader.get(path, headers={"Accept": "text/html"})
        await reader.get("/api/comments/", params=ARTICLE)
        await reader.get(f"/api/comments/{comment['id']}")
        await reader.put(f"/api/comments/{comment['id']}/like")
        await reader.get("/api/likes/", params=ARTICLE)
        await reader.get("/api/commentables/", params={"topic": "Article/1"})
        await reader.get("/api/session")
        await reader.get("/api/logins")
        await reader.get("/api/notifications/")
        await reader.get("/inbox")
        await reader.get("/streams", params={"topic": "nonsense"})
        await reader.get("/streams", params={"topic": "Moderation/queue"})
        await moderate(reader)
    for other in (bob, guest):
        await other.put(f"/api/comments/{comment['id']}", json={"body": "Mine"})
        await other.delete(f"/api/comments/{comment['id']}", headers={"If-Match": '"1"'})
        await other.get("/streams", params={"topic": f"User/{comment['user_id']}"})
    await alice.put(f"/api/comments/{comment['id']}", json={"body": "Late"}, headers={"If-Match": '"1"'})
    await delete(alice, comment)


async def moderate(reader: httpx.AsyncClient) -> None:
    for path in ("/", "/moderation", "/api/moderation/reports", "/api/moderation/decisions"):
        await reader.get(path, headers={"Accept": "text/html"})


async def go_wrong(alice: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    """Send all kinds of requests that fail."""
    form = {"email": ALICE["email"], "password": WRONG}
    for _ in range(MAX_FAILURES + 2):
        await guest.post("/api/session", json=form)
    await guest.post("/api/session", json={**form, "remember_me": WRONG})
    await guest.post("/api/users", json={**ALICE, "username": "Somebody"})
    await guest.post("/api/users", json={**ALICE, "email": "other@example.com"})
    await guest.post("/api/users", json={**ALICE, "email": "other@example.com", "username": "Other", "password": "pw"})
    await guest.post("/api/users", content=json.dumps(ALICE)[:-1], headers={"Content-Type": "application/json"})
    for path in ("/api/resets", "/api/confirmations", "/api/unlocks"):
        await guest.post(path, json={"email": ALICE["email"]})
        await guest.put(path, json={"token": "x", "password": WRONG})
    await alice.put("/api/account/password", json={"current_password": WRONG, "password": WRONG})
    await alice.put("/api/account/password", json={"current_password": ALICE["password"], "password": "pw"})
    await alice.put("/api/account/email", json={"current_password": WRONG, "email": "x"})
    await alice.post("/api/account/deletion", json={"current_password": WRONG, "comments": "keep"})


@asynccontextmanager
async def busy_database(site_parley: Parley) -> AsyncIterator[None]:
    """Another transaction locks the rows that the app writes."""
    url = site_parley.settings.database_url
    other = database.Database(url)
    hold = "BEGIN IMMEDIATE" if other.is_sqlite else "LOCK TABLE users, logins, mails, notifications, failures"
    async with other._engine.connect() as connection:
        await connection.execute(text("SELECT 1") if other.is_sqlite else text(hold))
        if other.is_sqlite:
            await connection.rollback()
            await (await connection.get_raw_connection()).driver_connection.execute(hold)  # type: ignore[union-attr]
        yield
        if other.is_sqlite:
            await (await connection.get_raw_connection()).driver_connection.execute("ROLLBACK")  # type: ignore[union-attr]
        else:
            await connection.rollback()
    await other.close()


@asynccontextmanager
async def wrong_schema(site_parley: Parley) -> AsyncIterator[None]:
    """A column is missing, as after half a migration."""
    for old, new in (("confirmed_at", "away"), ("away", "confirmed_at")):
        other = database.Database(site_parley.settings.database_url)
        async with other.transaction() as writing, writing.begin():
            await writing.execute(text(f"ALTER TABLE users RENAME COLUMN {old} TO {new}"))
        await other.close()
        if new == "away":
            yield


async def trouble(alice: httpx.AsyncClient, guest: httpx.AsyncClient) -> set[int]:
    """Send all requests that contain a secret, while the database fails."""
    answers = [
        await guest.post("/api/session", json={"email": ALICE["email"], "password": ALICE["password"]}),
        await guest.post("/api/users", json={**ALICE, "email": "late@example.com", "username": "Late"}),
        await guest.post("/api/resets", json={"email": ALICE["email"]}),
        await alice.put(
            "/api/account/password", json={"current_password": ALICE["password"], "password": NEW_PASSWORD}
        ),
        await alice.put("/api/account/email", json={"current_password": ALICE["password"], "email": WAITING}),
        await alice.get("/api/logins"),
        await alice.put("/api/notifications/read", json={"upto": 1}),
    ]
    return {answer.status_code for answer in answers}


async def test_a_day_of_the_service_gives_no_secret_away(
    settings: Settings, redis_server: RedisServer, log: Log
) -> None:
    from app.main import create_app

    ears, tokens = Ears(), []
    async with AsyncExitStack() as day:
        commands = await day.enter_async_context(record_commands(redis_server.url))
        site = await day.enter_async_context(serving(create_app(settings)))
        site_parley: Parley = site.state.parley
        await wait_until(lambda: site_parley.hints.flowing, "the hints to flow")
        alice, at_work, bob, guest = [
            await day.enter_async_context(ears.browser(site, who)) for who in ("Alice", "Alice", "Bob", "guest")
        ]
        user = await sign_up(alice, **ALICE, name="Alice")
        await sign_up(bob, "Bob")
        carol = await day.enter_async_context(ears.browser(site, "Carol"))
        moderator = await sign_up(carol, "Carol")
        await set_role(site_parley, Viewer(UUID(moderator["id"])), Role.MODERATOR)
        await at_work.post("/api/session", json=ALICE)
        form = {"current_password": ALICE["password"], "email": WAITING}
        read_json(await alice.put("/api/account/email", json=form), 202)
        planted = await plant(site_parley, UUID(user["id"]))
        assert set(planted) == {column for column, to in COLUMNS.items() if to is not WORD}

        async with (
            ears.stream(alice, "Alice", "Article/1"),
            ears.stream(at_work, "Alice"),
            ears.stream(bob, "Bob", "Article/1"),
            ears.stream(guest, "guest", "Article/1"),
            ears.stream(carol, "Carol"),
        ):
            await talk(alice, bob, guest)
            await moderate(carol)
            for _ in range(2):
                read_json(await at_work.post("/api/session", json={**ALICE, "remember_me": True}), 200)
                await at_work.get("/api/logins")
            await bob.delete(f"/api/logins/{planted['logins.id'][0]}")
            await bob.patch(f"/api/notifications/{planted['notifications.id'][0]}", json={"read": False})
            await go_wrong(alice, guest)
            async with busy_database(site_parley):
                assert 503 in await trouble(alice, guest)
            async with wrong_schema(site_parley):
                assert await trouble(alice, guest) & {500, 503}

            tokens.append(await link(site_parley, Kind.UNLOCK, ALICE["email"], Purpose.UNLOCK))
            tokens.append(await link(site_parley, Kind.RESET, ALICE["email"], Purpose.RESET))
            await guest.put("/api/unlocks", json={"token": tokens[0]})
            for purpose in ("confirmations", "unlocks"):
                await guest.put(f"/api/{purpose}", json={"token": tokens[1]})
            assert (
                await guest.put("/api/resets", json={"token": tokens[1], "password": NEW_PASSWORD})
            ).status_code == 204
            await guest.put("/api/resets", json={"token": tokens[1], "password": NEW_PASSWORD})
            read_json(await alice.post("/api/session", json={**ALICE, "password": NEW_PASSWORD}), 200)
            planted["users.password_hash"] += await hashes(site_parley)
            await alice.get("/api/logins")
            await talk(alice, bob, guest)
            async with ears.stream(alice, "Alice", "Article/1"):
                leaving = {"current_password": NEW_PASSWORD, "comments": "erase"}
                assert (await alice.post("/api/account/deletion", json=leaving)).status_code == 204
            await talk_after(bob, guest)

    check(ears, log, commands, planted, tokens)


async def hashes(site_parley: Parley) -> list[str]:
    async with site_parley.reading() as reading:
        return [hash for hash in await reading.scalars(select(User.password_hash)) if hash]


async def talk_after(bob: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    for reader in (bob, guest):
        await reader.get("/api/comments/", params=ARTICLE)
        await reader.get("/Article/1")
    await guest.post("/api/session", json=ALICE)


def check(ears: Ears, log: Log, commands: list[str], planted: dict[str, list[str]], tokens: list[str]) -> None:
    lines = "\n".join(log.lines)
    assert any("PUBLISH" in command for command in commands), "Redis got commands"
    assert {" 503", "Traceback", "mail"} <= {word for word in (" 503", "Traceback", "mail") if word in lines}

    secrets: list[tuple[str, str, To]] = []
    for column, texts in planted.items():
        to = COLUMNS[column]
        assert isinstance(to, To)
        secrets += [(column, text, to) for text in texts]
    secrets += [("a password", password, To.NOBODY) for password in PASSWORDS]
    for token in tokens:
        secrets += [("a link", token, To.NOBODY), ("a link's signature", token.rpartition(".")[2], To.NOBODY)]
    secrets += [(f"{who}'s cookie", cookie, To.NOBODY) for who, cookie in ears.cookies]
    found = [line for secret in secrets for line in leaks(ears, log, commands, *secret)]
    assert not found, "\n".join(dict.fromkeys(found))

    # The search works: values that may be seen were found.
    assert {"locked", "sign-in refused", "login ended", "password changed", "reset asked", "account deleted"} <= {
        each["event"] for line in log.lines if line.startswith("{") and "event" in (each := json.loads(line))
    }
    for known in ('"request":', '"login":', '"gid": "gid://parley/Comment/'):
        assert known in lines, known
    seen = ("users.email", "users.unconfirmed_email", "users.sign_in_count", "logins.device", "logins.address")
    for column in (*seen, "likes.comment_id", "notifications.actor_name", "notifications.title", "notifications.url"):
        assert any(list(ears.where(text, "Alice")) for text in planted[column]), column
    assert list(ears.where(ALICE["username"], "guest"))
    for column in ("reports.note", "reports.comment_id", "decisions.reason", "decisions.username"):
        assert any(list(ears.where(text, "Carol")) for text in planted[column]), column


def leaks(ears: Ears, log: Log, commands: list[str], what: str, secret: str, to: To) -> Iterator[str]:
    """The places at which a value was found and must not be."""
    assert len(secret) >= 6, what
    if to & (To.SELF | To.MODERATORS) == To.MODERATORS:
        yield from (f"{what}, heard by {where}" for where in ears.where(secret, None, but=WHO[To.MODERATORS]))
    elif To.SELF not in to:
        yield from (f"{what}, heard by {where}" for where in _strictly(ears, secret))
    elif To.OTHERS not in to:
        yield from (f"{what}, heard by {where}" for where in ears.where(secret, None, but=WHO[To.SELF]))
    if To.LOG not in to:
        yield from (f"{what}, logged: {_around(secret, line)}" for line in log.lines if secret in line)
    if To.REDIS not in to:
        yield from (f"{what}, on Redis: {_around(secret, command)}" for command in commands if secret in command)


def _strictly(ears: Ears, secret: str) -> Iterator[str]:
    """Every place at which a value was found, also in responses to the person who typed it."""
    for listener, place, content, _ in ears.heard:
        if secret in content:
            yield f"{listener}: {place}"


def _around(secret: str, text: str) -> str:
    at = text.index(secret)
    return text[max(0, at - 300) : at + 100]


async def test_only_the_owner_gets_the_private_members_of_an_account(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    user = await me(alice)
    assert user
    assert user.keys() == {
        "id",
        "username",
        "email",
        "unconfirmed_email",
        "confirmed",
        "role",
        "mail_on_reply",
        "mail_on_mention",
        "mail_on_followed",
        "mail_on_report",
        "mail_on_comment",
        "mail_on_edit",
        "mail_on_removal",
    }
    comment = await write(alice, "Hello")
    for reader in (alice, bob, guest):
        shown = read_json(await reader.get(f"/api/comments/{comment['id']}"), 200)
        assert email_of("Alice") not in str(shown)
        assert not shown.keys() & {"email", "unconfirmed_email", "confirmed"}
        assert shown["role"] is None


async def test_there_are_two_cookies_only(alice: httpx.AsyncClient) -> None:
    assert set(alice.cookies) == {COOKIE, DEVICE_COOKIE}
