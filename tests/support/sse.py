"""An event stream over real HTTP, parsed by the WHATWG's rules as a browser does."""

from __future__ import annotations

import asyncio
import codecs
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.support.waiting import WAIT_TIMEOUT_SECONDS, cancel_tasks


@dataclass(frozen=True)
class Block:
    """The lines between two blank lines. Without `data` a browser gets no event, but `id` moves its position."""

    id: str | None = None
    event: str = "message"
    data: str | None = None
    retry: int | None = None

    def json(self) -> Any:
        assert self.data is not None, f"no data in {self}"
        return json.loads(self.data)

    @property
    def model(self) -> dict[str, Any]:
        """The model of a change."""
        return dict(self.json()["payload"]["model"])


class Parser:
    """Turns bytes into blocks. Comments are no blocks."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""
        self._begun = False
        self._fields: dict[str, str] = {}

    def feed(self, chunk: bytes) -> Iterator[Block]:
        self._rest += self._decode(chunk)
        if self._rest and not self._begun:
            self._begun = True
            self._rest = self._rest.removeprefix("\ufeff")
        while line := re.search(r"\r\n|\n|\r(?=.)", self._rest, re.DOTALL):
            text, self._rest = self._rest[: line.start()], self._rest[line.end() :]
            if text:
                self._take(text)
            elif self._fields:
                yield self._block()

    def _take(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._fields["data"] = f"{self._fields['data']}\n{value}" if "data" in self._fields else value
        elif (
            name == "event"
            or (name == "id" and "\0" not in value)
            or (name == "retry" and value.isascii() and value.isdigit())
        ):
            self._fields[name] = value

    def _block(self) -> Block:
        fields, self._fields = self._fields, {}
        retry = fields.get("retry")
        return Block(
            fields.get("id"),
            fields.get("event") or "message",
            fields.get("data"),
            None if retry is None else int(retry),
        )


class Stream:
    """A stream that is being read. An EventSource would send `position` as Last-Event-ID."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.blocks: list[Block] = []  # those that `next` and `until` have returned or skipped
        self.position: str | None = None
        self._arrived: asyncio.Queue[Block | None] = asyncio.Queue()

    async def next(self, timeout: float = WAIT_TIMEOUT_SECONDS) -> Block:
        """The next block; fail if none comes in time, or if the stream has ended."""
        try:
            block = await asyncio.wait_for(self._arrived.get(), timeout)
        except TimeoutError:
            raise AssertionError(f"no block within {timeout:g} s; blocks so far: {self.blocks}") from None
        if block is None:
            self._arrived.put_nowait(None)  # for the next call
            raise AssertionError(f"the stream has ended; blocks so far: {self.blocks}")
        self.blocks.append(block)
        self.position = self.position if block.id is None else block.id
        return block

    async def until(self, wanted: str | Callable[[Block], bool], timeout: float = WAIT_TIMEOUT_SECONDS) -> Block:
        """The next block of this event (`create.success` matches each model's), or for which `wanted` is true."""
        is_wanted = _named(wanted) if isinstance(wanted, str) else wanted
        async with asyncio.timeout(timeout):
            while True:
                block = await self.next(timeout)
                if is_wanted(block):
                    return block

    async def next_event(self) -> Block:
        """The next block with data that is no heartbeat. To prove that nothing came, write a comment and expect it."""
        return await self.until(lambda block: block.data is not None and block.event != "heartbeat")

    async def ended(self, timeout: float = WAIT_TIMEOUT_SECONDS) -> None:
        """Wait for the server to end the stream."""
        async with asyncio.timeout(timeout):
            while (block := await self._arrived.get()) is not None:
                self.blocks.append(block)
        self._arrived.put_nowait(None)

    async def read(self) -> None:
        parser = Parser()
        try:
            async for chunk in self.response.aiter_bytes():
                for block in parser.feed(chunk):
                    self._arrived.put_nowait(block)
        except httpx.TransportError:
            pass  # a broken connection ends the stream, too
        finally:
            self._arrived.put_nowait(None)


@asynccontextmanager
async def open_stream(
    client: httpx.AsyncClient,
    *topics: str,
    cursor: str | None = None,
    last_event_id: str | None = None,
    **query: Any,
) -> AsyncIterator[Stream]:
    """Open a stream of these topics with `client`'s cookies, and close it at the end of the block."""
    parameters: list[tuple[str, str]] = [("topic", topic) for topic in topics]
    parameters += [] if cursor is None else [("cursor", cursor)]
    parameters += [(name, str(value)) for name, value in query.items()]
    headers = {"Accept": "text/event-stream"}
    if last_event_id is not None:
        headers["Last-Event-ID"] = last_event_id
    timeout = httpx.Timeout(WAIT_TIMEOUT_SECONDS, read=None)
    async with client.stream(
        "GET", "/streams", params=httpx.QueryParams(tuple(parameters)), headers=headers, timeout=timeout
    ) as response:
        if response.status_code != httpx.codes.OK:
            await response.aread()
            raise AssertionError(f"{response.status_code}: {response.text}")
        stream = Stream(response)
        reading = asyncio.create_task(stream.read())
        try:
            yield stream
        finally:
            await cancel_tasks(reading)


def _named(name: str) -> Callable[[Block], bool]:
    return lambda block: block.data is not None and (block.event == name or block.event.endswith(f".{name}"))
