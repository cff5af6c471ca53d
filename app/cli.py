"""The command line for operators: `parley`, or `python -m app`. docs/command.md shows every command. Only this module
imports click.

An error that the operator can fix ends in one line on stderr and an exit code: 2 if the command line is wrong, 1 for
any other error. A traceback is a bug in Parley.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import click
import uvicorn

from app import __version__, demo, logs
from app.accounts import logins, roles
from app.accounts.user import USER, Role, User, clean_email
from app.commentables import commentables
from app.database import Unmigrated, migrate, operator_message
from app.doctor import State, examine
from app.errors import Refusal
from app.live.gids import BadGid, Gid, GidNotFound
from app.live.service import Parley
from app.live.topics import Topic
from app.live.viewers import Viewer
from app.mail.mail_queue import DeadLetter, dead_letters
from app.models import LIVE_MODELS
from app.settings import PACKAGE, Settings, override
from app.webhooks import deliveries
from app.webhooks.deliveries import Delivery

# Bounds connections that do not come through a proxy. It needs httptools, which Windows lacks; there uvicorn chooses.
HTTP = "auto" if sys.platform == "win32" else "app.bounded_http:BoundedHttpProtocol"
SHUTDOWN_TIMEOUT_SECONDS = 10  # for open connections
MAX_LISTED = 100
COLOURS = {State.OK: "green", State.WARNING: "yellow", State.WRONG: "red"}

R = TypeVar("R")


class BadArgument(click.ClickException):
    """An argument that cannot be parsed. It prints one line; click's own error would print the usage, too."""

    exit_code = 2


class Parsed(click.ParamType[R]):
    """An argument that `parse` converts. On a ValueError the message is `template`, with {value} and {error}."""

    def __init__(self, name: str, parse: Callable[[str], R], template: str) -> None:
        self.name = name
        self._parse = parse
        self._template = template

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> R:
        try:
            return self._parse(value)
        except ValueError as error:
            raise BadArgument(self._template.format(value=value, error=error)) from None


ADDRESS = Parsed("address", clean_email, "{value}: {error}.")
GID = Parsed("gid", Gid.parse, "{error}.")
TOPIC = Parsed("topic", Topic.canonical, "{value}: {error}.")


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="Parley", message="%(prog)s %(version)s")
@click.pass_context
def parley(context: click.Context) -> None:
    """A live comments service. Without a command, it runs `parley serve`.

    Settings come from the environment and from .env; .env.example lists them.
    """
    if context.invoked_subcommand is None:
        context.invoke(serve)


def main() -> None:
    parley(prog_name="parley")


def _with_parley(work: Callable[[Parley], Awaitable[R]]) -> R:
    """Run `work` with a Parley that serves no streams. Its hints are sent before this returns."""

    async def run(settings: Settings) -> R:
        async with Parley(settings, LIVE_MODELS, listening=False) as parley:
            await parley.database.require_current_schema()
            return await work(parley)

    return _with_one_line_errors(lambda: asyncio.run(run(Settings.load())))


def _with_one_line_errors(work: Callable[[], R]) -> R:
    """Run `work`. Errors that the operator can fix become one line on stderr."""
    try:
        return work()
    except GidNotFound as error:
        raise click.ClickException(f"{error}: this object doesn't exist or was deleted.") from None
    except (Refusal, BadGid, Unmigrated) as error:
        raise click.ClickException(str(error)) from None
    except Exception as error:
        if message := operator_message(error):
            raise click.ClickException(f"The database: {message}") from None
        raise


# -- serving ------------------------------------------------------------------------------------------------


@parley.command()
@click.option("--host", help="Address to listen on; default: HOST.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; default: PORT.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, help="Processes that share the port.")
@click.option("--reload", is_flag=True, help="Restart when the code changes (development, one worker).")
def serve(host: str | None = None, port: int | None = None, workers: int = 1, reload: bool = False) -> None:
    """Migrate, write the demo in development, and serve."""
    if reload and workers > 1:
        raise click.UsageError("--reload works with one worker only.")
    override(host=host, port=port)
    settings = Settings.load()
    _with_one_line_errors(lambda: migrate(settings.database_url))
    if settings.environment == "development" and _with_parley(demo.seed):
        _print_seeded()
    if settings.environment == "production":
        _with_parley(demo.refuse_accounts)  # here, too, so that the workers do not start first
    click.echo(f"Parley on http://{settings.host}:{settings.port}{settings.root_path}")
    uvicorn.run(
        "app.main:app", host=settings.host, port=settings.port, timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_SECONDS,
        workers=workers, reload=reload, reload_dirs=[str(PACKAGE)] if reload else None,
        forwarded_allow_ips=settings.forwarded_allow_ips, http=HTTP,
        log_config=logs.config(settings.log_format, settings.log_level),
    )  # fmt: skip


@parley.command("migrate")
def migrate_command() -> None:
    """Update the database schema to this release."""
    done = _with_one_line_errors(lambda: migrate(Settings.load().database_url))
    for step in done:
        click.echo(f"Done: {step}")
    if not done:
        click.echo("Nothing to do: the schema is up to date.")


@parley.command("seed")
def seed_command() -> None:
    """Write the demo into an empty database. Only in development."""
    if Settings.load().environment != "development":
        raise click.ClickException("The demo is for development only: its password is public.")
    if _with_parley(demo.seed):
        _print_seeded()
    else:
        click.echo("Nothing to do: there are accounts already.")


def _print_seeded() -> None:
    click.echo(f"Seeded a demo. Sign in as {', '.join(demo.ADDRESSES)}, with the password: {demo.PASSWORD}")


@parley.group("demo")
def demo_group() -> None:
    """Manage the demo's accounts, whose password is published."""


@demo_group.command("remove")
@click.option("--all", "changed_too", is_flag=True, help="Also demo accounts whose password was changed.")
def remove_demo(changed_too: bool) -> None:
    """Delete the demo's accounts with their comments, and its titles. Do this before production starts."""
    deleted, left = _with_parley(lambda parley: demo.remove(parley, changed_too=changed_too))
    click.echo(f"Deleted: {', '.join(deleted)}." if deleted else "Nothing to do: no account has the demo's password.")
    if left:
        click.echo(f"Left, because the password was changed: {', '.join(left)}. --all deletes them, too.")


# -- operations ---------------------------------------------------------------------------------------------


@parley.command()
@click.option("--url", help="Check this address instead of PUBLIC_URL.")
@click.pass_context
def doctor(context: click.Context, url: str | None) -> None:
    """Check the installation and suggest fixes. Exits with 1 if something is wrong."""
    logging.getLogger("app").addHandler(logging.NullHandler())  # findings show what would be logged
    context.exit(1 if State.WRONG in asyncio.run(_print_findings(url)) else 0)


async def _print_findings(url: str | None) -> set[State]:
    states = set()
    async for finding in examine(url):
        states.add(finding.state)
        state = click.style(f"{finding.state:8}", fg=COLOURS[finding.state])
        click.echo(f"{state} {finding.subject:14} {finding.message}")
        if finding.advice:
            click.echo(f"{'':24}{finding.advice}")
    return states


@parley.command()
def epoch() -> None:
    """Declare a new history of the database: once, after you have restored a backup.

    Clients with an older cursor get a reset and load everything again. Without a new epoch, a client that has read
    further than the backup goes would ignore new changes, because it already has changes with the same numbers.
    """
    renewed = _with_parley(lambda parley: parley.renew_epoch())
    click.echo(f"The epoch is now {renewed}. Every client reloads its data.")


@parley.command()
@click.argument("gid", type=GID)
def touch(gid: Gid) -> None:
    """Send an object again, after its row was changed from outside: gid://parley/Comment/<id>."""
    _with_parley(lambda parley: parley.touch(gid))
    click.echo(f"{gid} was sent again to everyone who may see it.")


@parley.command()
@click.argument("topics", type=TOPIC, nargs=-1, metavar="[TOPIC]...")
def recount(topics: tuple[Topic, ...]) -> None:
    """Count the comments of these commentables again (Article/1), or of all. Clients get the corrected counts."""
    corrected = _with_parley(lambda parley: commentables.recount(parley, topics))
    for topic, was, now in corrected:
        click.echo(f"{topic}: corrected from {was} to {now}.")
    if not corrected:
        click.echo("Nothing to do: all counts are right.")


@parley.group("mail")
def mail_group() -> None:
    """E-mails that could not be sent."""


@mail_group.command("failed")
def failed_mail() -> None:
    """List the newest e-mails that will not be sent, and why."""

    async def read(parley: Parley) -> list[DeadLetter]:
        async with parley.reading() as reading:
            return await dead_letters(reading, MAX_LISTED)

    for mail in _with_parley(read):
        click.echo(f"{mail.died_at:%Y-%m-%d %H:%M} {mail.kind:15} {ascii(mail.address)[1:-1]:32} {mail.reason}")


@parley.group("webhooks")
def webhooks_group() -> None:
    """Webhooks that could not be delivered."""


@webhooks_group.command("failed")
def failed_webhooks() -> None:
    """List the newest webhooks that are no longer sent, and why."""

    async def read(parley: Parley) -> Sequence[Delivery]:
        async with parley.reading() as reading:
            return await deliveries.dead_letters(reading, MAX_LISTED)

    for failed in _with_parley(read):
        gid = Gid(failed.model, str(failed.object_id))
        click.echo(f"{failed.failed_at:%Y-%m-%d %H:%M} {gid} {ascii(failed.url)[1:-1]} {failed.error}")


@webhooks_group.command("retry")
def retry_webhooks() -> None:
    """Send the webhooks again that could not be delivered."""

    async def retry(parley: Parley) -> int:
        async with parley.database.transaction() as writing, writing.begin():
            return await deliveries.retry_dead_letters(writing)

    click.echo(f"Webhooks to be sent again: {_with_parley(retry)}.")


# -- accounts -----------------------------------------------------------------------------------------------


@parley.group("user")
def users() -> None:
    """Accounts, their roles and their logins."""


@users.command()
@click.argument("address", type=ADDRESS)
def show(address: str) -> None:
    """Show the account with this address."""
    for name, value in _with_parley(lambda parley: _describe_account(parley, address)).items():
        click.echo(f"{name:10} {value}")


async def _describe_account(parley: Parley, address: str) -> dict[str, str]:
    async with parley.reading() as reading:
        user = await roles.account_at(reading, address)
        open_logins = await logins.logins_of(reading, Viewer(user.id, user.username))
    return {
        "name": user.username,
        "address": f"{user.email} ({'confirmed' if user.confirmed_at else 'not confirmed'})",
        "role": f"{user.role}, blocked" if user.blocked_at else user.role,
        "since": f"{user.created_at:%Y-%m-%d}",
        "logins": str(len(open_logins)),
        "gid": str(USER.gid(user)),
    }


@users.command("list")
def list_moderators() -> None:
    """List owners and moderators."""

    async def read(parley: Parley) -> list[User]:
        async with parley.reading() as reading:
            return await roles.list_moderators(reading)

    for user in _with_parley(read):
        click.echo(f"{user.role:10} {user.email:32} {user.username}")


@users.command()
@click.argument("address", type=ADDRESS)
@click.argument("role", type=click.Choice([role.value for role in Role]))
@click.option("--force", is_flag=True, help="Even if no owner is left.")
def role(address: str, role: str, force: bool) -> None:
    """Set the role of an account. Make the first owner here; owners appoint others in the browser."""
    user = _with_parley(lambda parley: roles.assign_role(parley, address, Role(role), force=force))
    click.echo(f"{user.username} is {'an' if role == Role.OWNER else 'a'} {role} now.")


@users.command("end-logins")
@click.argument("address", type=ADDRESS)
def end_logins(address: str) -> None:
    """Sign an account out everywhere, immediately."""

    async def end(parley: Parley) -> tuple[User, int]:
        async with parley.reading() as reading:
            user = await roles.account_at(reading, address)
        return user, await logins.end_everywhere(parley, user.id)

    user, ended = _with_parley(end)
    click.echo(f"{user.username} was signed out everywhere ({ended} {'sign-in' if ended == 1 else 'sign-ins'}).")
