"""Changes: `GET /changes/<topic>`, for guests behind a cache (`READERS=collapsed`).

A cache in front of Parley, such as nginx or a CDN, answers all guests of a topic with one response of Parley:

1. The response is a guest's. It depends on the address only, and on the Origin if origins are listed. Cookies are
   ignored.
2. At the head, the request is a long poll. A cache that collapses equal requests (`proxy_cache_lock` of nginx) sends
   one of them to Parley, and lets the others wait for its response.
3. A shared cache may use a response for a second. So nothing that was erased or hidden is sent for longer than that.
   Errors are not stored.
4. A response has the query of the next request. If nothing was new, that query has a new `turn`. With the same query
   as before, a client would get the same response from the cache, again and again, until it expires.
5. The turns of a topic begin at fixed times, in all processes. So after a turn, all guests of a topic share a request,
   although they came at different times. Different topics begin their turns at different times.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode
from zlib import crc32

from pydantic import Field
from starlette.requests import Request
from typing_extensions import TypedDict

from app.accounts.identity import parley_of
from app.http import rate_limits
from app.http.endpoints import Endpoint
from app.http.middleware.csrf import is_listed
from app.http.parameters import Flag, Parameter, WholeNumber
from app.http.problems import Problem
from app.http.responses import Json
from app.http.schemas import Cursor
from app.live.stream.poll import poll
from app.live.stream.session import Session
from app.live.tasks import Tasks
from app.live.topics import Topic
from app.live.viewers import GUEST
from app.streams import MAX_CURSORS, admission_of, cursors_from, permitted_topic

TURN_SECONDS = 20.0  # less than the timeouts of usual proxies and CDNs, which are 30 s or more
MIN_WAIT_SECONDS = 1.0  # a poll that would be shorter takes the next turn, too
RETRY_AFTER_SECONDS = "2"  # if this process is full or shuts down; a cache sends the next request to another one
CACHING = {"Cache-Control": "public, max-age=0, s-maxage=1"}  # (3)

R = TypeVar("R")

AFTER = Parameter(
    "after",
    {"type": "array", "items": {"type": "string"}, "maxItems": MAX_CURSORS},
    "The cursor of the last response, or those of snapshots. If several name the topic, the smallest counts. Without "
    "one, the response has no changes, but the cursor of the head.",
)
NOW = Flag("now", "`1`: respond at once, even if nothing is new.")
TURN = WholeNumber(
    "turn", "From `next`. It tells this request from the previous one, to which nothing was new.", least=0
)


class Event(TypedDict):
    """An event of a stream: a change, or `reset`."""

    name: str
    data: dict[str, Any]


class Changes(TypedDict):
    events: Annotated[list[Event], Field(description="In order. If there are more, the next response has them.")]
    cursor: Cursor
    next: Annotated[str, Field(description="The query of the next request.")]


@Endpoint("GET /changes/{type}/{id:path}", [AFTER, NOW, TURN], limit_all=rate_limits.CHANGES, refuses=[403])
async def show(request: Request) -> Json[Changes]:
    """Read the changes of a topic after a cursor.

    They are those that a guest's stream has, even if you are signed in. If there are none yet, the response waits for
    them, for up to 21 seconds. Responses may be cached for a second. Caches should collapse equal requests. The topic
    may also be one about a commentable: `/changes/Commentable/Article/1`.
    """
    topic = permitted_topic(request, GUEST, "{type}/{id}".format(**request.path_params))
    after, asked = cursors_from(request, AFTER.name), TURN.read(request) or 0
    wait = not NOW.read(request) and bool(after)
    session = _session(request, topic, after)
    with admission_of(request).place(request, GUEST) as free, request.app.state.streams.tracked(_Ending(session)):
        batch = await _unless_disconnected(request, poll(session, wait=wait)) if free else None
    if batch is None:
        raise Problem(503, "Please try again.", headers={"Retry-After": RETRY_AFTER_SECONDS})
    turn, _ = _turn(topic, time.time())
    if batch.cursor in after and not batch.events:
        turn = max(turn, asked + 1)  # (4), even if the clock of the process that gave `asked` is ahead
    events: list[Event] = [{"name": name, "data": data} for name, data in batch.events]
    query = urlencode({"after": batch.cursor, "turn": turn})
    return Json({"events": events, "cursor": batch.cursor, "next": query}, headers=_headers(request))


def _session(request: Request, topic: Topic, after: list[str]) -> Session:
    parley = parley_of(request)
    return Session(
        parley.feeds,
        [topic],
        GUEST,
        after,
        pacing=parley.pacing,
        heartbeats=parley.heartbeats,
        stats=parley.stream_stats,
        heartbeat=_turn(topic, time.time())[1],
        once=True,
        network=rate_limits.queue_key_of(request),
    )


def _turn(topic: Topic, now: float) -> tuple[int, float]:
    """The number of the topic's turn at this time, and for how many seconds a request waits then (5)."""
    position = now / TURN_SECONDS + crc32(topic.key.encode()) / 2**32
    left = (1 - position % 1) * TURN_SECONDS
    return int(position), left if left > MIN_WAIT_SECONDS else left + TURN_SECONDS


def _headers(request: Request) -> dict[str, str]:
    """The response to a page of a listed origin has other headers, so a cache has to store it separately."""
    origins = parley_of(request).settings.allowed_origins
    return CACHING | ({"Vary": "Origin"} if origins and not is_listed(request.scope, origins) else {})


class _Ending:
    """Ends a session when the server shuts down."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def end_in(self, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self._session.end)


async def _unless_disconnected(request: Request, work: Coroutine[Any, Any, R]) -> R:
    """The result of `work`, which is cancelled if the client disconnects."""
    async with Tasks() as tasks:
        working, listening = tasks.start(work), tasks.start(_disconnected(request))
        await asyncio.wait((working, listening), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Problem(400, "The request ended too early.")
        return working.result()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
