"""A person's browser during a fault: it repeats a request until the server accepts it."""

from __future__ import annotations

from uuid import uuid4

import httpx

from tests.support.people import ARTICLE, snapshot
from tests.support.waiting import wait_until

RECOVERY_TIMEOUT_SECONDS = 20.0  # the server must work again within this time


class PersistentWriter:
    """Retries each write. `refusals` are the statuses of its failed attempts, 0 for a broken connection."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.refusals: list[int] = []

    async def write(self, body: str) -> None:
        """Post a comment until the server acknowledges it, always under one id, so that it is stored once."""
        comment = {**ARTICLE, "id": str(uuid4()), "body": body}

        async def acknowledged() -> bool:
            try:
                response = await self.client.post("/api/comments/", json=comment, timeout=5)
            except httpx.TransportError:
                self.refusals.append(0)
                return False
            if response.status_code not in (200, 201):
                self.refusals.append(response.status_code)
                assert response.status_code in (502, 503), response.text
                assert "retry-after" in response.headers
            return response.status_code in (200, 201)

        await wait_until(acknowledged, f"{body!r} to be stored", RECOVERY_TIMEOUT_SECONDS)

    async def write_all(self, *bodies: str) -> None:
        for body in bodies:
            await self.write(body)

    async def assert_stored(self, *bodies: str) -> None:
        """Check that the thread has each comment exactly once, in the order of writing."""
        found = [comment["body"] for comment in (await snapshot(self.client, limit=100))["comments"]]
        assert found == list(bodies)
