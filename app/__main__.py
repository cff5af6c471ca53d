"""`python -m app`, which is `make run`: migrate, seed the demo in development, serve."""

from __future__ import annotations

import asyncio

import uvicorn

from app.database import migrate
from app.demo import PASSWORD, PEOPLE, seed
from app.live.parley import Parley
from app.models import LIVE_MODELS
from app.settings import Settings

GRACE = 10  # seconds that open connections get at shutdown


async def _seed(settings: Settings) -> bool:
    async with Parley(settings, LIVE_MODELS, listening=False) as parley:
        return await seed(parley)


def main() -> None:
    settings = Settings.load()
    migrate(settings.database_url)
    if settings.environment == "development" and asyncio.run(_seed(settings)):
        people = ", ".join(f"{name.lower()}@example.com" for name in PEOPLE)
        print(f"Seeded a demo. Sign in as {people}, with the password: {PASSWORD}")  # noqa: T201
    print(f"Parley on http://{settings.host}:{settings.port}")  # noqa: T201
    uvicorn.run("app.main:app", host=settings.host, port=settings.port, timeout_graceful_shutdown=GRACE)


if __name__ == "__main__":
    main()
