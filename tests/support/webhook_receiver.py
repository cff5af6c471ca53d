"""A real receiver of webhooks in the test's own event loop. A test can make it refuse, hang and redirect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.support.serving import serving


@dataclass(frozen=True)
class Webhook:
    """A request that arrived."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def message(self) -> dict[str, Any]:
        return dict(from_json(self.body))

    @property
    def type(self) -> str:
        return str(self.message["type"])

    @property
    def model(self) -> dict[str, Any]:
        return dict(self.message["data"]["model"])

    @property
    def topic(self) -> str:
        return str(self.message["data"]["topic"])


class Receiver:
    """Acknowledges every webhook, unless a test sets a fault for a topic, or for "" (every topic)."""

    def __init__(self) -> None:
        self.url = ""
        self.received: list[Webhook] = []  # all requests, acknowledged or not
        self.acknowledged: list[Webhook] = []
        self._responses: dict[str, Response] = {}
        self._hanging: set[str] = set()
        self._continue = asyncio.Event()

    def respond(self, status: int, topic: str = "", **headers: str) -> None:
        self._responses[topic] = Response(status_code=status, headers=headers)

    def hang(self, topic: str = "") -> None:
        self._hanging.add(topic)

    def behave(self) -> None:
        """Acknowledge again, and go on with the requests that hang."""
        self._responses.clear()
        self._hanging.clear()
        self._continue.set()

    def bodies(self) -> Sequence[tuple[str, str]]:
        """(type, text) of each acknowledged comment; the text of a deleted one is ""."""
        return [(webhook.type, webhook.model.get("body", "")) for webhook in self.acknowledged]

    async def receive(self, request: Request) -> Response:
        webhook = Webhook(dict(request.headers), await request.body())
        self.received.append(webhook)
        if self._hanging & {"", webhook.topic}:
            await self._continue.wait()
        response = self._responses.get(webhook.topic) or self._responses.get("") or Response(status_code=204)
        if response.status_code < 300:
            self.acknowledged.append(webhook)
        return response


@asynccontextmanager
async def webhook_receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    async with serving(Starlette(routes=[Route("/hook", receiver.receive, methods=["POST", "GET"])])) as site:
        receiver.url = f"{site.url}/hook"
        try:
            yield receiver
        finally:
            receiver.behave()
