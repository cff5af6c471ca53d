"""`parley`, which is `python -m app`: what an operator does. docs/command.md shows every command. Only we know click.

What the operator can mend ends in one line on stderr and an exit code: 2 where the command line is wrong, 1 where
something else is. A traceback is a mistake of ours.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click
import uvicorn

from app import __version__, logs
from app import demo as demos
from app.accounts import logins, roles
from app.accounts.user import USER, Role, User, clean_email
from app.commentables import commentables
from app.database import Unmigrated, migrate, operator_message
from app.demo import ADDRESSES, PASSWORD, seed
from app.doctor import State, examine
from app.errors import Refusal
from app.live.gids import BadGid, Gid, GidNotFound
from app.live.service import Parley
from app.live.topics import Topic
from app.live.viewers import Viewer
from app.mail.mail_queue import DeadLetter, dead_letters
from app.models import LIVE_MODELS
from app.settings import PACKAGE, Settings, override

# It bounds connections that do not come through a proxy. It needs httptools. Windows lacks that, so uvicorn chooses.
HTTP = "auto" if sys.platform == "win32" else "app.bounded_http:BoundedHttpProtocol"
GRACE = 10  # seconds that open connections get at shutdown
COLOURS = {State.OK: "green", State.WARNING: "yellow", State.WRONG: "red"}

R = TypeVar("R")


class Mistake(click.ClickException):
    """A word on the command line that names nothing: one line, where click would say the usage, too."""

    exit_code = 2


class Parsed(click.ParamType[R]):
    """A word that `parse` takes, or refuses with a ValueError; `complaint` says so, of {value} and {error}."""

    def __init__(self, name: str, parse: Callable[[str], R], complaint: str) -> None:
        self.name = name
        self._parse = parse
        self._complaint = complaint

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> R:
        try:
            return self._parse(value)
        except ValueError as error:
            raise Mistake(self._complaint.format(value=value, error=error)) from None


ADDRESS = Parsed("address", clean_email, "{value}: {error}.")
GID = Parsed("gid", Gid.parse, "{error}.")
TOPIC = Parsed("topic", Topic.canonical, "{value}: {error}.")


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="Parley", message="%(prog)s %(version)s")
@click.pass_context
def parley(context: click.Context) -> None:
    """A live comments service. Without a command it serves, as `parley serve` does.

    Settings come from the environment and from .env, see .env.example.
    """
    if context.invoked_subcommand is None:
        context.invoke(serve)


def main() -> None:
    parley(prog_name="parley")


def _work(work: Callable[[Parley], Awaitable[R]]) -> R:
    """Do this with a Parley that has no streams to feed; what it publishes is sent before it ends."""

    async def run(settings: Settings) -> R:
        async with Parley(settings, LIVE_MODELS, listening=False) as parley:
            await parley.database.require_current_schema()
            return await work(parley)

    return _or_a_line(lambda: asyncio.run(run(Settings.load())))


def _or_a_line(work: Callable[[], R]) -> R:
    try:
        return work()
    except GidNotFound as error:
        raise click.ClickException(f"{error}: this object doesn't exist or was deleted.") from None
    except (Refusal, BadGid, Unmigrated) as error:
        raise click.ClickException(str(error)) from None
    except Exception as error:
        if said := operator_message(error):
            raise click.ClickException(f"The database: {said}") from None
        raise


# -- serving ------------------------------------------------------------------------------------------------


@parley.command()
@click.option("--host", help="Address to listen on; default: HOST.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; default: PORT.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, help="Processes that share the port.")
@click.option("--reload", is_flag=True, help="Restart when the code changes (development, one worker).")
def serve(host: str | None = None, port: int | None = None, workers: int = 1, reload: bool = False) -> None:
    """Migrate, seed the demo in development, serve."""
    if reload and workers > 1:
        raise click.UsageError("--reload works with one worker only.")
    override(host=host, port=port)
    settings = Settings.load()
    _or_a_line(lambda: migrate(settings.database_url))
    if settings.environment == "development" and _work(seed):
        _say_seeded()
    if settings.environment == "production":
        _work(demos.refuse_accounts)  # here once, so that not every worker starts and refuses
    click.echo(f"Parley on http://{settings.host}:{settings.port}{settings.root_path}")
    uvicorn.run(
        "app.main:app", host=settings.host, port=settings.port, timeout_graceful_shutdown=GRACE,
        workers=workers, reload=reload, reload_dirs=[str(PACKAGE)] if reload else None,
        forwarded_allow_ips=settings.forwarded_allow_ips, http=HTTP,
        log_config=logs.config(settings.log_format, settings.log_level),
    )  # fmt: skip


@parley.command("migrate")
def migrate_command() -> None:
    """Update the database schema to this release."""
    done = _or_a_line(lambda: migrate(Settings.load().database_url))
    for step in done:
        click.echo(f"Done: {step}")
    if not done:
        click.echo("Nothing to do: the schema is up to date.")


@parley.command("seed")
def seed_command() -> None:
    """Write the demo into an empty database, for development."""
    if Settings.load().environment != "development":
        raise click.ClickException("The demo is for development only: its password is public.")
    if _work(seed):
        _say_seeded()
    else:
        click.echo("Nothing to do: there are accounts already.")


def _say_seeded() -> None:
    click.echo(f"Seeded a demo. Sign in as {', '.join(ADDRESSES)}, with the password: {PASSWORD}")


@parley.group("demo")
def demo_group() -> None:
    """Manage the demo's accounts, whose password is published."""


@demo_group.command("remove")
@click.option("--all", "changed_too", is_flag=True, help="Also demo accounts whose password was changed.")
def remove_demo(changed_too: bool) -> None:
    """Delete the demo's accounts with their comments, and its titles. Do this before production starts."""
    deleted, left = _work(lambda parley: demos.remove(parley, changed_too=changed_too))
    click.echo(f"Deleted: {', '.join(deleted)}." if deleted else "Nothing to do: no account has the demo's password.")
    if left:
        click.echo(f"Left, because the password was changed: {', '.join(left)}. --all deletes them, too.")


# -- looking after it ---------------------------------------------------------------------------------------


@parley.command()
@click.option("--url", help="Check this address instead of PUBLIC_URL.")
@click.pass_context
def doctor(context: click.Context, url: str | None) -> None:
    """Check the installation and suggest fixes. Exits with 1 if something is wrong."""
    logging.getLogger("app").addHandler(logging.NullHandler())  # what would be logged is told as a finding
    context.exit(1 if State.WRONG in asyncio.run(_tell(url)) else 0)


async def _tell(url: str | None) -> set[State]:
    states = set()
    async for finding in examine(url):
        states.add(finding.state)
        click.echo(f"{click.style(f'{finding.state:8}', fg=COLOURS[finding.state])} {finding.about:14} {finding.said}")
        if finding.advice:
            click.echo(f"{'':24}{finding.advice}")
    return states


@parley.command()
def epoch() -> None:
    """Say that the database has another history now: once, after a backup was restored.

    Cursors of the old one are worthless from then on, and whoever comes with one is told to fetch anew. Without it, a
    client could have read further than the backup goes, and would take what comes next for what it knows already.
    """
    renewed = _work(lambda parley: parley.renew_epoch())
    click.echo(f"The epoch is now {renewed}. Every client reloads its data.")


@parley.command()
@click.argument("gid", type=GID)
def touch(gid: Gid) -> None:
    """Tell everyone that an object was changed by other hands: gid://parley/Comment/<id>, say."""
    _work(lambda parley: parley.touch(gid))
    click.echo(f"{gid} was sent again to everyone who may see it.")


@parley.command()
@click.argument("topics", type=TOPIC, nargs=-1, metavar="[TOPIC]...")
def recount(topics: tuple[Topic, ...]) -> None:
    """Count the comments of these commentables anew (Article/1), or of all, and tell everyone what was wrong."""
    wrong = _work(lambda parley: commentables.recount(parley, topics))
    for place, was, now in wrong:
        click.echo(f"{place}: corrected from {was} to {now}.")
    if not wrong:
        click.echo("Nothing to do: all counts are right.")


@parley.group("mail")
def mail_group() -> None:
    """Mail that could not be sent."""


@mail_group.command("failed")
def failed_mail() -> None:
    """List the newest mails that will not be sent, and why."""

    async def found(parley: Parley) -> list[DeadLetter]:
        async with parley.reading() as reading:
            return await dead_letters(reading, 100)

    for letter in _work(found):
        click.echo(f"{letter.died_at:%Y-%m-%d %H:%M} {letter.kind:15} {ascii(letter.address)[1:-1]:32} {letter.reason}")


# -- people -------------------------------------------------------------------------------------------------


@parley.group("user")
def users() -> None:
    """Accounts: who somebody is, and what they may do."""


@users.command()
@click.argument("address", type=ADDRESS)
def show(address: str) -> None:
    """What is known of the account with this address."""
    for name, value in _work(lambda parley: _facts(parley, address)).items():
        click.echo(f"{name:10} {value}")


async def _facts(parley: Parley, address: str) -> dict[str, str]:
    async with parley.reading() as reading:
        user = await roles.account_at(reading, address)
        standing = await logins.logins_of(reading, Viewer(user.id, user.username))
    return {
        "name": user.username,
        "address": f"{user.email} ({'confirmed' if user.confirmed_at else 'not confirmed'})",
        "role": f"{user.role}, blocked" if user.blocked_at else user.role,
        "since": f"{user.created_at:%Y-%m-%d}",
        "logins": str(len(standing)),
        "gid": str(USER.gid(user)),
    }


@users.command("list")
def list_moderating() -> None:
    """Owners and moderators."""

    async def found(parley: Parley) -> list[User]:
        async with parley.reading() as reading:
            return await roles.list_moderators(reading)

    for user in _work(found):
        click.echo(f"{user.role:10} {user.email:32} {user.username}")


@users.command()
@click.argument("address", type=ADDRESS)
@click.argument("role", type=click.Choice([role.value for role in Role]))
@click.option("--force", is_flag=True, help="Even if no owner is left.")
def role(address: str, role: str, force: bool) -> None:
    """Give an account a role. Make the first owner here; owners appoint others in the browser."""
    user = _work(lambda parley: roles.assign_role(parley, address, Role(role), force=force))
    click.echo(f"{user.username} is {'an' if role == Role.OWNER else 'a'} {role} now.")


@users.command("end-logins")
@click.argument("address", type=ADDRESS)
def end_logins(address: str) -> None:
    """Sign an account out everywhere, immediately."""

    async def end(parley: Parley) -> tuple[User, int]:
        async with parley.reading() as reading:
            user = await roles.account_at(reading, address)
        return user, await logins.end_everywhere(parley, user.id)

    user, ended = _work(end)
    click.echo(f"{user.username} was signed out everywhere ({ended} {'sign-in' if ended == 1 else 'sign-ins'}).")
