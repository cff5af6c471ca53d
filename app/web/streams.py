"""Streams: `GET /streams`, a session over Server-Sent Events. The only module that knows sse-starlette.

1. The library watches for the server's shutdown and tells each response through its `shutdown_event`; ours is the
   session itself, which then says farewell. Past the grace period the library cancels what is left.
2. `ping=0`: our heartbeats are events, which scripts can see; a comment in between would be one more task a stream.
3. Any status but 200 ends a browser's EventSource for good. So who has opened too many, or comes when we are full, is
   answered 200, told when to come back, and nothing else.
4. At shutdown streams end one after the other: who ends ten thousand at once is visited by ten thousand at once.
5. Who reads nothing cannot be told goodbye, and a connection that is closed in order waits until all was read. So a
   stream that could not be finished is torn off; uvicorn would wait for it as long as it waits for anybody.
6. Whose machine or network is gone says nothing at all, and a kernel tries for a quarter of an hour to reach them. They
   would be seen here as long. So it is told to give up as soon as we would. (Behind a proxy it is the proxy's affair.)
"""

from __future__ import annotations

import asyncio
import random
import socket
from contextlib import AbstractContextManager, suppress
from typing import Any, cast

import anyio
from sse_starlette.sse import AppStatus, EventSourceResponse, SendTimeoutError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.live import blocks
from app.live.sessions import Session
from app.live.topics import QUEUE, Topic
from app.live.viewers import LoginEnded, Viewer
from app.models.refusals import TooMany
from app.web import limits
from app.web.admission import Admission
from app.web.identity import current_viewer, holder_of, how_ended, parley_of
from app.web.input import parse_topic, topic_from
from app.web.problems import Problem, invalid

MOST_TOPICS = 100  # a stream
MOST_CURSORS = 100
RETRY_FAREWELL = (60_000, 120_000)  # milliseconds; who listens has gone by then
RETRY_FULL = (10, 20)  # seconds
FAREWELLS = 2_000  # a second (4), and sooner where they would take more than
LONGEST_FAREWELLS = 3.0  # seconds
FAREWELL = 5.0  # seconds that a stream gets to end by itself at shutdown
SEND_TIMEOUT = 60.0  # seconds that a client may leave a block unread; cut off, it comes back with its cursor

HEADERS = {"Cache-Control": "no-store, no-transform"}


async def show(request: Request) -> Response:
    """The stream of these topics for this viewer; see `app.live.sessions`."""
    try:
        await limits.take(request, limits.STREAM)
    except TooMany as refusal:
        return _later(refusal.seconds, refusal.seconds * 2)
    viewer = await current_viewer(request)
    ended = how_ended(request)
    if _is_for_another(request, viewer):
        return _farewell(ended or LoginEnded())
    if ended and "topic" not in request.query_params:
        return _farewell(ended)
    session = Session(
        parley_of(request).feeds,
        _topics(request, viewer),
        viewer,
        _cursors(request),
        authorise=lambda: _authorise(request, viewer),
        heartbeat=parley_of(request).settings.heartbeat_seconds,
        once=request.query_params.get("once") == "1",
        ended=ended,
        presence=parley_of(request).presence if request.query_params.get("presence") == "1" else None,
    )
    return Stream(session, admission_of(request).place(request, viewer), admission_of(request))


def admission_of(request: Request) -> Admission:
    admission: Admission = request.app.state.admission
    return admission


def _later(least: int, most: int) -> Response:
    """Come back so many seconds from now."""
    wait = blocks.retry((least * 1_000, most * 1_000)) + b"\n"
    return Response(wait, headers=HEADERS, media_type="text/event-stream")  # (3)


def _is_for_another(request: Request, viewer: Viewer) -> bool:
    """A page may say who looks (`user=`): an EventSource comes back with whatever cookie is there by then."""
    meant = request.query_params.get("user")
    return meant is not None and meant != str(viewer.user_id or "")


def _farewell(ended: LoginEnded) -> Response:
    """For a page that is not this viewer's any more, and does not know yet."""
    last = blocks.auth(ended.reason) + blocks.retry(RETRY_FAREWELL) + b"\n"
    return Response(last, headers=HEADERS, media_type="text/event-stream")


class Stream(EventSourceResponse):
    def __init__(self, session: Session, place: AbstractContextManager[bool], admission: Admission) -> None:
        self._place = place
        self._begun = self._complete = False
        super().__init__(
            session.stream(),
            headers=HEADERS,
            ping=0,  # (2)
            sep="\n",
            send_timeout=SEND_TIMEOUT,
            shutdown_event=cast(anyio.Event, _Farewell(session, admission)),  # (1)
            shutdown_grace_period=FAREWELL,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._place as free:
            if not free:
                await _later(*RETRY_FULL)(scope, receive, send)
                return
            _give_up_in_time(receive)
            with suppress(SendTimeoutError):
                await super().__call__(scope, receive, send)
        if self._begun and not self._complete:
            await _tear_off(receive)  # (5)

    async def _stream_response(self, send: Send) -> None:
        self._begun = True
        await super()._stream_response(send)
        self._complete = True


async def _tear_off(receive: Receive) -> None:
    """Abort the connection under this request, where the server lets us have it, as uvicorn does."""
    if transport := _transport(receive):
        transport.abort()
        await asyncio.sleep(0)  # the server hears of it in its loop's next turn


def _give_up_in_time(receive: Receive) -> None:
    """Let this connection break when what is sent stays unacknowledged (6), where the system can do that."""
    transport = _transport(receive)
    connection = transport and transport.get_extra_info("socket")
    if connection and connection.family in (socket.AF_INET, socket.AF_INET6) and hasattr(socket, "TCP_USER_TIMEOUT"):
        with suppress(OSError):  # who asked has gone already
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(SEND_TIMEOUT * 1_000))


def _transport(receive: Receive) -> Any:
    return getattr(getattr(receive, "__self__", None), "transport", None)


class _Farewell:
    def __init__(self, session: Session, admission: Admission) -> None:
        self._session = session
        self._admission = admission

    def set(self) -> None:
        within = min(self._admission.streams / FAREWELLS, LONGEST_FAREWELLS)
        asyncio.get_running_loop().call_later(random.uniform(0, within), self._session.end)  # (4)


def forget_shutdown() -> None:
    """Streams may begin again: the library's mark of a shutdown is the process's, not the server's."""
    AppStatus.should_exit = False


def _topics(request: Request, viewer: Viewer) -> list[Topic]:
    topics = [_topic(request, viewer, name) for name in request.query_params.getlist("topic")]
    if viewer.signed_in:
        topics.append(Topic.account(viewer.user_id))
    if viewer.moderator:
        topics.append(QUEUE)
    if not topics:
        raise invalid(("topic", "Name at least one, like Article/1"))
    if len(set(topics)) > MOST_TOPICS:
        raise invalid(("topic", f"At most {MOST_TOPICS}"))
    return topics


def _topic(request: Request, viewer: Viewer, name: str) -> Topic:
    topic = parse_topic(name)
    if topic.is_account:
        return _permitted(topic, viewer.signed_in and topic == Topic.account(viewer.user_id))
    if topic == QUEUE:
        return _permitted(topic, viewer.moderator)
    if topic.is_about:
        place = parse_topic(topic.id)
        return topic_from(request, place.type, place.id, field="topic").about
    return topic_from(request, topic.type, topic.id, field="topic")


def _permitted(topic: Topic, permitted: bool) -> Topic:
    if not permitted:
        raise Problem(403, "This topic is for others.")
    return topic


def _cursors(request: Request) -> list[str]:
    """`Last-Event-ID` wins: the URL of an EventSource stays as it was when the page was loaded."""
    if last := request.headers.get("last-event-id"):
        return [last]
    cursors = request.query_params.getlist("cursor")
    if len(cursors) > MOST_CURSORS:
        raise invalid(("cursor", f"At most {MOST_CURSORS}"))
    return cursors


async def _authorise(request: Request, viewer: Viewer) -> Viewer:
    if viewer.login_id is None:
        return viewer
    # In a task of its own: who disconnects cancels the session, and a connection cancelled in a query is lost.
    return await parley_of(request).own(holder_of(request, viewer.login_id))
