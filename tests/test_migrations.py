"""Migrations create the schema of the models on both databases, and can be reverted."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import ColumnClause, Connection, TableClause, Uuid, column, inspect, select, table, text
from sqlalchemy.ext.asyncio import create_async_engine

from app import maintenance
from app.accounts import accounts, logins
from app.accounts.logins import viewer_of
from app.accounts.passwords import hash_password
from app.accounts.user import render
from app.commentables import commentables
from app.comments import threads
from app.database import Base, Database, Instant, Schema
from app.errors import Invalid
from app.likes import likes
from app.live.service import Parley
from app.live.topics import Topic
from app.live.viewers import GUEST, Viewer
from app.live.write.sequences import read_heads
from app.models import LIVE_MODELS
from app.notifications import inbox
from app.settings import ROOT, Settings
from tests.support.mail_queue import find_user_named
from tests.support.people import PASSWORD
from tests.support.people_without_http import ARTICLE, create_viewer, delete_comment, edit_comment, post_comment

pytestmark = pytest.mark.both_databases


async def test_the_schema_is_what_the_models_say(database_url: str) -> None:
    def compare(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, Base.metadata))

    engine = create_async_engine(database_url)
    async with engine.connect() as connection:
        assert await connection.run_sync(compare) == []
        assert len((await connection.execute(text("SELECT value FROM epochs"))).all()) == 1
    await engine.dispose()


async def test_two_processes_may_migrate_at_once(database_url: str) -> None:
    await asyncio.to_thread(command.downgrade, _config(database_url), "base")
    script = f"from app.database import migrate; migrate({database_url!r})"
    both = [await asyncio.create_subprocess_exec(sys.executable, "-c", script, cwd=ROOT) for _ in range(2)]
    assert [await process.wait() for process in both] == [0, 0]


async def test_migrations_can_be_reverted(database_url: str) -> None:
    await asyncio.to_thread(command.downgrade, _config(database_url), "base")
    engine = create_async_engine(database_url)
    async with engine.connect() as connection:
        tables = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    await engine.dispose()
    assert tables == ["alembic_version"]


# -- the earlier release --------------------------------------------------------------------------------------


def _live_table(name: str, *columns: ColumnClause[Any]) -> TableClause:
    """A table with the columns that the earlier release writes."""
    return table(name, column("id", Uuid()), column("topic"), column("seq"), column("created_seq"), *columns)


_USERS = _live_table(
    "users", column("email"), column("username"), column("username_key"), column("password_hash"), column("role"),
    column("created_at", Instant()),
)  # fmt: skip
_LOGINS = _live_table("logins", column("user_id", Uuid()), column("remember"), column("created_at", Instant()))
_COMMENTS = _live_table(
    "comments", column("user_id", Uuid()), column("username"), column("body"), column("content_seq"),
    column("likes_count"), column("parent_id", Uuid()), column("created_at", Instant()),
    column("updated_at", Instant()),
)  # fmt: skip
_TOPICS = table("topics", column("name"), column("seq"))
_ALL = (_TOPICS, _USERS, _LOGINS, _COMMENTS)

LONG_AGO = timedelta(days=20)  # a login of that time is still valid


@dataclass(frozen=True)
class Old:
    """Somebody who has signed up with the release before, and written a comment under a topic of their own."""

    name: str
    id: UUID = field(default_factory=uuid4)
    login_id: UUID = field(default_factory=uuid4)

    async def enter(self, url: str) -> None:
        then = datetime.now(UTC) - LONG_AGO
        account, topic = str(Topic.account(self.id)), f"Article/{self.name}"
        user = {
            "id": self.id, "topic": account, "seq": 1, "created_seq": 1, "email": f"{self.name}@example.com",
            "username": self.name, "username_key": self.name, "password_hash": await hash_password(PASSWORD),
            "role": "member", "created_at": then,
        }  # fmt: skip
        login = {
            "id": self.login_id, "topic": account, "seq": 2, "created_seq": 2, "user_id": self.id, "remember": True,
            "created_at": then,
        }  # fmt: skip
        comment = {
            "id": uuid4(), "topic": topic, "seq": 1, "created_seq": 1, "user_id": self.id, "username": self.name,
            "body": "hello", "content_seq": 1, "likes_count": 0, "parent_id": None, "created_at": then,
            "updated_at": then,
        }  # fmt: skip
        counters = [{"name": account, "seq": 2}, {"name": topic, "seq": 1}]
        engine = create_async_engine(url)
        async with engine.begin() as connection:
            for place, rows in ((_TOPICS, counters), (_USERS, [user]), (_LOGINS, [login]), (_COMMENTS, [comment])):
                await connection.execute(place.insert(), rows)
        await engine.dispose()

    async def viewer(self, parley: Parley) -> Viewer:
        """As whom they look with the login of then. Raises LoginEnded."""
        async with parley.reading() as reading:
            return (await viewer_of(reading, self.login_id))[0]


async def _rows(url: str) -> list[Sequence[Any]]:
    """All rows, in the columns of the earlier release."""
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        found = [sorted((await connection.execute(select(place))).all(), key=str) for place in _ALL]
    await engine.dispose()
    return found


async def test_people_stay_signed_in_after_an_upgrade_and_a_downgrade(database_url: str, settings: Settings) -> None:
    alice, bob = Old("alice"), Old("bob")
    await asyncio.to_thread(command.downgrade, _config(database_url), "0001")
    for person in (alice, bob):
        await person.enter(database_url)
    before = await _rows(database_url)

    await asyncio.to_thread(command.upgrade, _config(database_url), "head")
    assert await _rows(database_url) == before
    async with Parley(settings.model_copy(update={"require_confirmation": True}), LIVE_MODELS) as parley:
        await maintenance.run_once(parley)
        for person in (alice, bob):
            assert (await person.viewer(parley)).username == person.name, "nobody is signed out"
            user = await find_user_named(parley, person.name)
            assert user.confirmed_at == user.created_at, "existing accounts count as confirmed"
            assert (user.sign_in_count, user.signed_in_address, user.unconfirmed_email) == (0, "", None)
            assert await logins.sign_in(parley, f"{person.name}@example.com", PASSWORD, remember=False)
        await post_comment(parley, await alice.viewer(parley), "still here")

    await asyncio.to_thread(command.downgrade, _config(database_url), "0001")
    users, entered = (await _rows(database_url))[1:3]
    assert {user.username: user.password_hash for user in users} == {
        user.username: user.password_hash for user in before[1]
    }
    assert {alice.login_id, bob.login_id} < {login.id for login in entered}
    await asyncio.to_thread(command.upgrade, _config(database_url), "head")
    async with Parley(settings, LIVE_MODELS) as parley:
        assert (await alice.viewer(parley)).username == "alice"


async def test_existing_names_that_look_alike_are_kept(database_url: str, settings: Settings) -> None:
    await asyncio.to_thread(command.downgrade, _config(database_url), "0008")
    coco, lookalike = Old("coco"), Old("\u0441\u043e\u0441\u043e")
    for person in (coco, lookalike):
        await person.enter(database_url)
    await asyncio.to_thread(command.upgrade, _config(database_url), "head")
    async with Parley(settings, LIVE_MODELS) as parley:
        for person in (coco, lookalike):
            assert await find_user_named(parley, person.name)
        with pytest.raises(Invalid):
            await accounts.sign_up(parley, "mallory@example.com", "c0co", PASSWORD)


async def test_the_earlier_release_may_write_during_a_rolling_upgrade(database_url: str, settings: Settings) -> None:
    """The schema is that of this release, and a process of the earlier release still runs."""
    alice = Old("alice")
    await alice.enter(database_url)
    async with Parley(settings, LIVE_MODELS) as parley:
        await maintenance.run_once(parley)
        viewer = await alice.viewer(parley)
        user = await find_user_named(parley, "alice")
        assert render(user)["confirmed"] is False
        assert (user.sign_in_count, user.signed_in_at, user.last_signed_in_address, user.leaving) == (0, None, "", None)
        async with parley.reading() as reading:
            (login,) = await logins.logins_of(reading, viewer)
            (comment,) = (await threads.page(reading, GUEST, Topic("Article", "alice"))).comments
        shown = logins.render(login, viewer.login_id)
        assert (shown["device"], shown["address"], shown["seen_at"]) == ("", "", login.created_at)
        assert (comment.body, comment.username) == ("hello", "alice")

        assert await logins.sign_in(parley, "alice@example.com", PASSWORD, remember=True)
        await post_comment(parley, viewer, "from this release", ARTICLE)
        await logins.end_others(parley, viewer)
        await accounts.delete(parley, viewer, PASSWORD, "erase")


async def test_an_interrupted_migration_changes_nothing(database_url: str) -> None:
    """The last step fails, and the schema is completely the earlier one."""
    await asyncio.to_thread(command.downgrade, _config(database_url), "0001")
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE mails (id INTEGER)"))
    with pytest.raises(Exception, match="mails"):
        await asyncio.to_thread(command.upgrade, _config(database_url), "head")
    async with engine.begin() as connection:
        columns = await connection.run_sync(
            lambda sync: {found["name"] for found in inspect(sync).get_columns("users")}
        )
        assert "confirmed_at" not in columns
        assert (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar_one() == "0001"
        await connection.execute(text("DROP TABLE mails"))
    await engine.dispose()
    await asyncio.to_thread(command.upgrade, _config(database_url), "head")
    database = Database(database_url)
    assert await database.schema() is Schema.CURRENT
    await database.close()


async def test_comments_under_other_spellings_of_an_id_are_found_under_the_canonical_one(
    database_url: str, settings: Settings
) -> None:
    """Comments under three spellings of an id become one conversation, with their likes, counts and notifications."""
    hello, slashed, doubled = (Topic("Article", id_) for id_ in ("2024/hello", "2024/hello/", "2024//hello"))
    alone, resolved, odd = (Topic("Article", id_) for id_ in ("cafe\u0301", "a/../b", "caf\ufffd"))
    async with Parley(settings, LIVE_MODELS) as parley:
        alice, bob = await create_viewer(parley, "Alice"), await create_viewer(parley, "Bob")
        first = await post_comment(parley, alice, "1", hello)
        edited = await post_comment(parley, alice, "2", slashed)
        await edit_comment(parley, alice, edited, "2 edited")
        liked = await post_comment(parley, alice, "3, @Bob", slashed)
        await likes.like(parley, bob, liked.id)
        await delete_comment(parley, alice, await post_comment(parley, alice, "gone", slashed))
        await post_comment(parley, bob, "4", doubled)
        for topic in (alone, resolved, odd):
            await post_comment(parley, alice, str(topic), topic)
        async with parley.writing(slashed.about) as write, commentables.changing(write, slashed) as commentable:
            commentable.title, commentable.locked = "Hello", True
        async with parley.reading() as reading:
            epoch, _ = await read_heads(reading, [])

    await asyncio.to_thread(command.downgrade, _config(database_url), "0003")
    await asyncio.to_thread(command.upgrade, _config(database_url), "head")

    async with Parley(settings, LIVE_MODELS) as parley:
        async with parley.reading() as reading:
            page = await threads.page(reading, bob, hello)
            assert (await read_heads(reading, []))[0] != epoch, "earlier cursors cause a reset"
            assert (await likes.read_likes(reading, bob, hello)).rows[0].place == str(hello)
            (notification,) = (await inbox.read_inbox(reading, bob)).page.rows
            for topic in (slashed, doubled, alone, resolved, odd):
                assert (await read_heads(reading, [topic, topic.about]))[1] == {topic: 0, topic.about: 0}
            for id_ in ("caf\u00e9", "b", "caf_"):
                found = await threads.page(reading, bob, Topic("Article", id_))
                assert (len(found.comments), found.commentable.comments_count) == (1, 1)
        assert [comment.body for comment in page.comments] == ["1", "4", "2 edited", "3, @Bob"]
        assert [comment.edited for comment in page.comments] == [False, False, True, False]
        assert notification.place == str(hello)
        assert (page.commentable.title, page.commentable.locked, page.commentable.comments_count) == ("Hello", True, 4)
        seqs = [comment.created_seq for comment in page.comments]
        assert seqs == sorted(set(seqs))
        assert page.seq >= max(comment.seq for comment in page.comments)
        assert (await edit_comment(parley, alice, first, "1 edited")).seq == page.seq + 1
        assert first.id == page.comments[0].id


def _config(url: str) -> Config:
    config = Config(ROOT / "alembic.ini")
    config.attributes["url"] = url
    return config
