"""`python -m app`, which is `make run`: migrate, seed the demo in development, serve. And `python -m app epoch`."""

from __future__ import annotations

import asyncio
import sys

import uvicorn

from app.database import migrate
from app.demo import PASSWORD, PEOPLE, seed
from app.live.parley import Parley
from app.models import LIVE_MODELS
from app.settings import Settings

GRACE = 10  # seconds that open connections get at shutdown


def serve(settings: Settings) -> None:
    migrate(settings.database_url)
    if settings.environment == "development" and asyncio.run(_seed(settings)):
        people = ", ".join(f"{name.lower()}@example.com" for name in PEOPLE)
        print(f"Seeded a demo. Sign in as {people}, with the password: {PASSWORD}")  # noqa: T201
    print(f"Parley on http://{settings.host}:{settings.port}{settings.root_path}")  # noqa: T201
    uvicorn.run("app.main:app", host=settings.host, port=settings.port, timeout_graceful_shutdown=GRACE)


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


COMMANDS = {"serve": serve, "epoch": renew_epoch}


def main(arguments: list[str]) -> None:
    name = arguments[0] if arguments else "serve"
    if name not in COMMANDS or len(arguments) > 1:
        sys.exit(f"python -m app [{'|'.join(COMMANDS)}]")
    COMMANDS[name](Settings.load())


if __name__ == "__main__":
    main(sys.argv[1:])
