"""`python -m app`, which is `make run`: migrate, seed the demo in development, serve.

And what an operator does now and then: `python -m app epoch`, `python -m app owner alice@example.com`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

import uvicorn

from app import logs
from app.database import Trouble, in_a_line, migrate
from app.demo import PASSWORD, PEOPLE, seed
from app.live.parley import Parley
from app.models import LIVE_MODELS, role
from app.models.refusals import Refusal
from app.models.user import clean_email
from app.settings import Settings

GRACE = 10  # seconds that open connections get at shutdown


def serve(settings: Settings) -> None:
    migrate(settings.database_url)
    if settings.environment == "development" and asyncio.run(_seed(settings)):
        people = ", ".join(f"{name.lower()}@example.com" for name in PEOPLE)
        print(f"Seeded a demo. Sign in as {people}, with the password: {PASSWORD}")  # noqa: T201
    print(f"Parley on http://{settings.host}:{settings.port}{settings.root_path}")  # noqa: T201
    uvicorn.run(
        "app.main:app",
        host=settings.host,
        port=settings.port,
        timeout_graceful_shutdown=GRACE,
        log_config=logs.config(settings.log_format, settings.log_level),
    )


async def _seed(settings: Settings) -> bool:
    async with Parley(settings, LIVE_MODELS, listening=False) as parley:
        return await seed(parley)


def renew_epoch(settings: Settings) -> None:
    """Say that the database has another history now: what is done once after a backup was restored.

    Cursors of the old one are worthless from then on, and whoever comes with one is told to fetch anew. Without it, a
    client could have read further than the backup goes, and would take what comes next for what it knows already.
    """

    async def renew() -> str:
        async with Parley(settings, LIVE_MODELS, listening=False) as parley:
            return await parley.renew_epoch()

    print(f"The epoch is {asyncio.run(renew())} now; every client fetches anew.")  # noqa: T201


def make_owner(settings: Settings, address: str) -> None:
    """The account with this address is an owner from now on: the first, who appoints all others in the browser."""

    async def make(email: str) -> str:
        async with Parley(settings, LIVE_MODELS, listening=False) as parley:
            return (await role.make_owner(parley, email)).username

    try:
        email = clean_email(address)
    except ValueError as error:
        sys.exit(f"{address}: this is not {error}.")
    try:
        print(f"{asyncio.run(make(email))} is an owner now.")  # noqa: T201
    except Refusal as refusal:
        sys.exit(f"{address}: {refusal}")
    except Trouble as error:
        sys.exit(f"The database: {in_a_line(error)}")


COMMANDS: dict[str, Callable[..., None]] = {"serve": serve, "epoch": renew_epoch, "owner": make_owner}
USAGE = "python -m app [serve | epoch | owner <email address>]"


def main(arguments: list[str]) -> None:
    name, *more = arguments or ["serve"]
    if name not in COMMANDS or len(more) != (name == "owner"):
        sys.exit(USAGE)
    COMMANDS[name](Settings.load(), *more)


if __name__ == "__main__":
    main(sys.argv[1:])
