"""Streams: `GET /streams`, a session over Server-Sent Events.

A browser's EventSource never reconnects after a status other than 200. So if a client has opened too many streams, or
the process is full, the response is 200 with only a `retry:` that says when to reconnect.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from app.accounts.identity import current_viewer, how_ended, parley_of, viewer_with_login
from app.errors import TooMany
from app.http import rate_limits
from app.http.endpoints import Endpoint
from app.http.parameters import Flag, Parameter, topics_parameter
from app.http.problems import Problem, invalid
from app.http.requests import parse_topic, topic_from
from app.http.sse_response import PushResponse
from app.http.stream_limits import Admission
from app.live import wire
from app.live.stream.session import Session
from app.live.topics import QUEUE, Topic
from app.live.viewers import GUEST, LoginEnded, Viewer

MAX_TOPICS = 100  # per stream
MAX_CURSORS = 100
LONG_POLL_SECONDS = 5.0  # that a long poll waits for news: a buffering proxy shows the client nothing before its end
LOGIN_ENDED_RETRY_MILLISECONDS = (60_000, 120_000)  # milliseconds; the page has closed the stream by then
FULL_RETRY_SECONDS = (10, 20)  # seconds
HEADERS = {"Cache-Control": "no-store, no-transform"}

ONCE = Flag("once", "`1`: the stream ends after the first batch, for long polling.")
GUEST_ONLY = Flag("guest", "`1`: the stream is a guest's, even if the request has a login cookie.")
PRESENCE = Flag("presence", "`1`: take part in presence. Others see you, and you see them.")
PARAMETERS = (
    topics_parameter({"type": "string"}, MAX_TOPICS),
    Parameter(
        "cursor",
        {"type": "array", "items": {"type": "string"}, "maxItems": MAX_CURSORS},
        "The start of the stream: cursors of snapshots, or the last `id:`. If several name a topic, the smallest "
        "counts. A topic that no cursor names starts at its head.",
    ),
    Parameter(
        "Last-Event-ID",
        {"type": "string"},
        "The last `id:`. It takes precedence over `cursor`. Browsers send it.",
        where="header",
    ),
    ONCE,
    Parameter(
        "user",
        {"type": "string"},
        "The id of the account that the page is shown to; empty for a guest. If another account is signed in, the "
        "stream begins with `auth`, and ends.",
    ),
    GUEST_ONLY,
    PRESENCE,
)


@Endpoint("GET /streams", PARAMETERS, statuses=[200], refuses=[403])
async def show(request: Request) -> ASGIApp:
    """Stream the changes of topics.

    The response is Server-Sent Events, until the client closes it. `x-events` describes them. If you are signed in,
    your own `User/<id>` is included. A guest must name a topic. If an address or a login has too many streams, or they
    have too many topics, the response is 200 with `retry:`, and ends: after any other status, a browser's EventSource
    does not reconnect.
    """
    names = dict.fromkeys(request.query_params.getlist("topic"))
    try:
        await rate_limits.take(request, rate_limits.STREAM)
        await rate_limits.take(request, rate_limits.STREAM_TOPICS, cost=max(1, min(len(names), MAX_TOPICS)))
    except TooMany as refusal:
        return _retry_response(refusal.seconds, refusal.seconds * 2)
    is_guest = GUEST_ONLY.read(request)  # counts on a host's page need no login
    viewer = GUEST if is_guest else await current_viewer(request)
    ended = how_ended(request)
    if _is_for_another(request, viewer):
        return _login_ended_response(ended or LoginEnded())
    if ended and not names:
        return _login_ended_response(ended)
    parley, once = parley_of(request), ONCE.read(request)
    heartbeat = parley.settings.heartbeat_seconds
    session = Session(
        parley.feeds,
        _topics(request, viewer, names),
        viewer,
        _cursors(request),
        pacing=parley.pacing,
        heartbeats=parley.heartbeats,
        stats=parley.stream_stats,
        authorise=partial(viewer_with_login, parley, viewer.login_id) if viewer.login_id else None,
        heartbeat=min(heartbeat, LONG_POLL_SECONDS) if once else heartbeat,
        once=once,
        ended=ended,
        presence=parley.presence if PRESENCE.read(request) else None,
        network=rate_limits.queue_key_of(request),
    )
    leave = admission_of(request).take(request, viewer, len(session.topics))
    if leave is None:
        return _retry_response(*FULL_RETRY_SECONDS)
    return PushResponse(session, request.app.state.streams, HEADERS, leave)


def admission_of(request: Request) -> Admission:
    admission: Admission = request.app.state.admission
    return admission


def _retry_response(least: int, most: int) -> Response:
    """A response that lets the client reconnect after between `least` and `most` seconds."""
    wait = wire.retry((least * 1_000, most * 1_000)) + b"\n"
    return Response(wait, headers=HEADERS, media_type="text/event-stream")


def _is_for_another(request: Request, viewer: Viewer) -> bool:
    """Whether the page is another user's (`user=`): an EventSource reconnects with the cookie that is there then."""
    meant = request.query_params.get("user")
    return meant is not None and meant != str(viewer.user_id or "")


def _login_ended_response(ended: LoginEnded) -> Response:
    """A response for a page whose login has ended, or that belongs to another user: `auth` and a long `retry:`."""
    last = wire.auth(ended.reason) + wire.retry(LOGIN_ENDED_RETRY_MILLISECONDS) + b"\n"
    return Response(last, headers=HEADERS, media_type="text/event-stream")


def _topics(request: Request, viewer: Viewer, names: Collection[str]) -> list[Topic]:
    if len(names) > MAX_TOPICS:
        raise invalid(("topic", f"At most {MAX_TOPICS} topics"))
    topics = _permitted_topics(request, viewer, names)
    if viewer.signed_in:
        topics.append(Topic.account(viewer.user_id))
    if viewer.moderator:
        topics.append(QUEUE)
    if not topics:
        raise invalid(("topic", "Name at least one topic, like Article/1"))
    if len(set(topics)) > MAX_TOPICS:
        raise invalid(("topic", f"At most {MAX_TOPICS} topics"))
    return topics


def _permitted_topics(request: Request, viewer: Viewer, names: Collection[str]) -> list[Topic]:
    """Raises the Problem of the first topic that cannot be followed, with the positions of all such topics."""
    topics, refused = [], dict[int, Problem]()
    for position, name in enumerate(names):
        try:
            topics.append(permitted_topic(request, viewer, name))
        except Problem as problem:
            refused[position] = problem
    if refused:
        first = next(iter(refused.values()))
        first.members["topic_positions"] = list(refused)
        raise first
    return topics


def permitted_topic(request: Request, viewer: Viewer, name: str) -> Topic:
    """The topic of this name. Raises Problem 403 if the viewer may not follow it, and 422 if there is no such topic."""
    topic = parse_topic(name)
    if topic.is_account:
        return _permitted(topic, viewer.signed_in and topic == Topic.account(viewer.user_id))
    if topic == QUEUE:
        return _permitted(topic, viewer.moderator)
    if topic.is_about:
        return topic_from(request, topic.place.type, topic.place.id, field="topic").about
    return topic_from(request, topic.type, topic.id, field="topic")


def _permitted(topic: Topic, permitted: bool) -> Topic:
    if not permitted:
        raise Problem(403, "You may not subscribe to this topic.")
    return topic


def _cursors(request: Request) -> list[str]:
    """`Last-Event-ID` takes precedence: the URL of an EventSource stays as it was when the page loaded."""
    if last := request.headers.get("last-event-id"):
        return [last]
    return cursors_from(request, "cursor")


def cursors_from(request: Request, name: str) -> list[str]:
    """The values of this parameter. Raises Problem 422 if there are too many."""
    cursors = request.query_params.getlist(name)
    if len(cursors) > MAX_CURSORS:
        raise invalid((name, f"At most {MAX_CURSORS} cursors"))
    return cursors
