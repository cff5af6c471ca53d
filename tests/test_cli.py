"""`parley` as an operator runs it: the effects of each command, and its error messages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from app import __version__
from app.cli import parley as command
from app.commentables.commentables import id_of
from app.database import Database
from app.live.topics import Topic
from app.mail import mail_queue
from app.settings import MIGRATIONS, Settings
from app.webhooks.deliveries import Delivery
from tests.support.people import me, person, write
from tests.support.sse import open_stream

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres import PostgresServer
    from tests.support.serving import Site

Run = Callable[..., Awaitable[Result]]


pytestmark = pytest.mark.sqlite_only


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`parley`, on the test's own database and channel."""
    for name in ("database_url", "redis_url", "redis_channel_name"):
        monkeypatch.setenv(name.upper(), getattr(settings, name))

    async def run(*words: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, command, words)

    return run


def read_output(result: Result, code: int = 0) -> str:
    """Check the exit code, and return the output."""
    assert result.exit_code == code, f"{result.exit_code}: {result.output}"
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.output


# -- people -------------------------------------------------------------------------------------------------


async def test_the_operator_makes_the_first_owner(run: Run, site: Site) -> None:
    async with person(site, "Alice") as alice, person(site, "Bob") as bob:
        assert read_output(await run("user", "list")) == ""
        assert read_output(await run("user", "role", "Alice@example.com", "owner")) == "Alice is an owner now.\n"
        assert read_output(await run("user", "role", "bob@example.com", "moderator")) == "Bob is a moderator now.\n"
        user = await me(alice)
        assert user
        assert user["role"] == "owner"
        listed = [line.split() for line in read_output(await run("user", "list")).splitlines()]
        assert listed == [["owner", "alice@example.com", "Alice"], ["moderator", "bob@example.com", "Bob"]]
        assert read_output(await run("user", "role", "bob@example.com", "member")) == "Bob is a member now.\n"
        last = await run("user", "role", "alice@example.com", "member")
        assert read_output(last, 1) == "Error: There must be at least one owner.\n"
        assert (await bob.get("/api/moderation/reports")).status_code == 403
        forced = await run("user", "role", "--force", "alice@example.com", "member")
        assert read_output(forced) == "Alice is a member now.\n"


async def test_an_account_is_shown_and_signed_out_everywhere(run: Run, site: Site) -> None:
    async with person(site, "Alice") as alice, open_stream(alice, "Article/1") as stream:
        user = await me(alice)
        assert user
        await stream.until("heartbeat")
        shown = read_output(await run("user", "show", "alice@example.com")).splitlines()
        facts = {name: value.strip() for name, _, value in (line.partition(" ") for line in shown)}
        assert (facts["name"], facts["role"], facts["logins"]) == ("Alice", "member", "1")
        assert facts["address"] == "alice@example.com (not confirmed)" or facts["address"].endswith("(confirmed)")
        assert facts["gid"] == f"gid://parley/User/{user['id']}"
        ended = read_output(await run("user", "end-logins", "alice@example.com"))
        assert ended == "Alice was signed out everywhere (1 sign-in).\n"
        await stream.until("auth")
        assert await me(alice) is None


# -- objects ------------------------------------------------------------------------------------------------


async def test_a_change_made_with_sql_is_sent_by_a_command(run: Run, site: Site, settings: Settings) -> None:
    async with person(site, "Alice") as alice, open_stream(alice, "Article/1") as stream:
        comment = await write(alice, "As I wrote it")
        await stream.until(lambda block: ".create." in block.event)
        await _execute(settings, "UPDATE comments SET body = 'As somebody else did'")
        gid = f"gid://parley/Comment/{comment['id']}"
        assert read_output(await run("touch", gid)) == f"{gid} was sent again to everyone who may see it.\n"
        update = await stream.until(lambda block: ".update." in block.event)
        assert update.model["body"] == "As somebody else did"
        assert update.model["seq"] == comment["seq"] + 1


async def test_a_wrong_count_is_corrected_and_sent(run: Run, site: Site, settings: Settings) -> None:
    async with person(site, "Alice") as alice, open_stream(alice, "Commentable/Article/1") as stream:
        for body in ("One", "Two"):
            await write(alice, body)
            await stream.until(lambda block: "commentable" in block.event)
        assert read_output(await run("recount")) == "Nothing to do: all counts are right.\n"
        await _execute(settings, "UPDATE commentables SET comments_count = 7")
        assert read_output(await run("recount", "Article/2")) == "Nothing to do: all counts are right.\n"
        assert read_output(await run("recount", "Article/1")) == "Article/1: corrected from 7 to 2.\n"
        update = await stream.until(lambda block: ".update." in block.event)
        assert update.model["comments_count"] == 2
        assert update.model["id"] == str(id_of(Topic("Article", "1")))


async def _execute(settings: Settings, statement: str) -> None:
    database = Database(settings.database_url)
    async with database.transaction() as session:
        await session.execute(text(statement))
        await session.commit()
    await database.close()


# -- the schema ---------------------------------------------------------------------------------------------


async def test_migrate_names_the_migrations_that_it_ran(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/new/parley.db")
    none = "Error: The database has no schema, and this release needs 0003: parley migrate\n"
    assert read_output(await run("user", "list"), 1).startswith(none[:50])
    done = read_output(await run("migrate")).splitlines()
    written = sorted(path.name[:4] for path in (MIGRATIONS / "versions").glob("*.py"))
    assert [line[:10] for line in done] == [f"Done: {revision}" for revision in written]
    assert read_output(await run("migrate")) == "Nothing to do: the schema is up to date.\n"
    assert read_output(await run("seed")).startswith("Seeded a demo. Sign in as alice@example.com")
    assert read_output(await run("seed")) == "Nothing to do: there are accounts already.\n"
    _, epoch, *_ = read_output(await run("epoch")).partition("The epoch is ")
    assert epoch


async def test_a_schema_of_a_later_release_is_not_changed(run: Run, settings: Settings) -> None:
    await _execute(settings, "UPDATE alembic_version SET version_num = '9999'")
    assert read_output(await run("migrate"), 1).startswith("Error: The schema is a later release's, or none of ours: ")
    assert read_output(await run("serve"), 1).startswith("Error: The schema is a later release's")
    assert read_output(await run("user", "list"), 1).startswith("Error: The database has 9999, and this release needs ")


async def test_a_schema_of_an_older_release_is_reported(run: Run, settings: Settings) -> None:
    await _execute(settings, "UPDATE alembic_version SET version_num = '0001'")
    assert read_output(await run("epoch"), 1).endswith("parley migrate\n")


# -- mistakes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code", "answer"),
    [
        ("user show bob@example.com", 1, "Error: Account not found."),
        ("user role bob@example.com owner", 1, "Error: Account not found."),
        ("user end-logins bob@example.com", 1, "Error: Account not found."),
        ("user show bob", 2, "Error: bob: Enter an email address, like alice@example.com."),
        ("touch Article/1", 2, "Error: not a gid://parley/<Model>/<id>: 'Article/1'."),
        ("touch gid://parley/Comment/1", 1, "Error: no live model has an object like gid://parley/Comment/1"),
        ("touch gid://parley/Comment/5f0c1f2e-6f0a-4d55-8a3b-0d1f0a3f9b1c", 1, "doesn't exist or was deleted."),
        ("recount article", 2, "Error: article: a topic is a type and an id, like Article/1."),
        ("user role alice@example.com king", 2, "'king' is not one of 'member', 'moderator', 'owner'."),
        ("serve --reload --workers 2", 2, "Error: --reload works with one worker only."),
        ("nonsense", 2, "Error: No such command 'nonsense'."),
    ],
)
async def test_an_error_is_one_line(run: Run, words: str, code: int, answer: str) -> None:
    assert read_output(await run(*words.split()), code).splitlines()[-1].endswith(answer)


async def test_an_unavailable_database_is_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    (tmp_path / "text").write_text("This is no database. " * 100)
    for url, answer in (
        (f"sqlite:///{tmp_path / 'text'}", "Error: The database: "),
        ("postgresql://nobody@127.0.0.1:1/nothing", "Error: The database: "),
        (postgres_server.url("nothing"), 'Error: The database: database "nothing" does not exist'),
    ):
        monkeypatch.setenv("DATABASE_URL", url)
        for words in (["user", "list"], ["migrate"]):
            told = read_output(await run(*words), 1)
            assert told.startswith(answer)
            assert told.count("\n") == 1


async def test_the_demo_cannot_be_seeded_in_production(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    assert "SECRET_KEY" in str((await run("seed")).exception), "the line names the variable"
    monkeypatch.setenv("SECRET_KEY", "a key that is long enough for production")
    monkeypatch.setenv("REQUIRE_CONFIRMATION", "off")
    assert read_output(await run("seed"), 1).startswith("Error: The demo is for development")


async def test_production_is_not_served_before_the_demo_is_removed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[str] = []
    monkeypatch.setattr("uvicorn.run", lambda app, **options: served.append(app))
    assert read_output(await run("seed")).startswith("Seeded a demo.")
    decided = {"ENVIRONMENT": "production", "SECRET_KEY": "a key that is long enough for production"}
    for name, value in {**decided, "REQUIRE_CONFIRMATION": "off"}.items():
        monkeypatch.setenv(name, value)
    told = read_output(await run("serve", "--workers", "2"), 1)
    assert "alice@example.com (owner)" in told
    assert told.endswith("parley demo remove\n")
    assert served == []
    assert read_output(await run("demo", "remove")).startswith("Deleted: alice@example.com, ")
    assert read_output(await run("demo", "remove")) == "Nothing to do: no account has the demo's password.\n"
    read_output(await run("serve"))
    assert served == ["app.main:app"]


async def test_the_command_has_a_version_and_help(run: Run) -> None:
    assert read_output(await run("--version")) == f"Parley {__version__}\n"
    page = read_output(await run("--help"))
    assert {name for name in command.commands if f"\n  {name} " in page} == set(command.commands)


async def test_mail_that_failed_is_listed(run: Run, site: Site) -> None:
    assert read_output(await run("mail", "failed")) == ""
    served = site.state.parley
    async with served.database.transaction() as writing, writing.begin():
        stored = mail_queue.Mail(
            id=uuid4(), kind="reset", address="=?utf-8?q?boss?=@corp.example", attempts=1, created_at=datetime.now(UTC)
        )
        await mail_queue.make_dead_letter(writing, stored, "cannot be built: ValueError")
    told = read_output(await run("mail", "failed"))
    assert told.split()[2:] == ["reset", "=?utf-8?q?boss?=@corp.example", "cannot", "be", "built:", "ValueError"]


async def test_webhooks_that_failed_are_listed_and_sent_again(run: Run, site: Site) -> None:
    assert read_output(await run("webhooks", "failed")) == ""
    served, now, object_id = site.state.parley, datetime.now(UTC), uuid4()
    async with served.database.transaction() as writing, writing.begin():
        writing.add(
            Delivery(
                url="https://example.com/hook", model="Comment", object_id=object_id, topic="Article/1", seq=1,
                created=True, changed_at=now, failed_at=now, error="the receiver responded 500",
            )
        )  # fmt: skip
    listed = read_output(await run("webhooks", "failed"))
    failed = f"gid://parley/Comment/{object_id} https://example.com/hook the receiver responded 500"
    assert listed.split(maxsplit=2)[2].strip() == failed
    assert read_output(await run("webhooks", "retry")) == "Webhooks to be sent again: 1.\n"
    assert read_output(await run("webhooks", "failed")) == ""


# -- serving ------------------------------------------------------------------------------------------------


async def test_options_override_the_environment(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Links in mail lead to the address that the command serves, in each worker, unless PUBLIC_URL is set."""
    served: dict[str, Any] = {}
    monkeypatch.setattr("uvicorn.run", lambda app, **options: served.update(options, url=Settings.load().public_url))
    monkeypatch.setenv("HOST", "0.0.0.0")
    monkeypatch.setenv("PORT", "1")
    assert read_output(await run("serve", "--host", "localhost", "--port", "8001")).endswith(
        "Parley on http://localhost:8001\n"
    )
    assert (served["host"], served["port"], served["workers"]) == ("localhost", 8001, 1)
    assert served["url"] == "http://localhost:8001"
