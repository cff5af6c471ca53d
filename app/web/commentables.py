"""Commentables over REST: titles, locks and counts, for whoever shows them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.live.topics import Topic
from app.models import commentable as commentables
from app.models.commentable import Commentable
from app.web.answers import answer
from app.web.identity import parley_of
from app.web.input import parse_topic, topic_from
from app.web.problems import invalid

MOST_TOPICS = 100  # in one answer, as in one stream


async def index(request: Request) -> Response:
    """The commentables of these topics, with the cursor to stream them from."""
    async with parley_of(request).reading() as reading:
        found, cursor = await commentables.snapshot(reading, topics_of(request))
    return answer(snapshot(found.values(), cursor))


def snapshot(found: Iterable[Commentable], cursor: str) -> dict[str, Any]:
    return {"commentables": [commentables.render(one) for one in found], "cursor": cursor, "before": None}


def topics_of(request: Request) -> list[Topic]:
    """Those that the query names. Raises Problem 422."""
    topics = [_topic(request, name) for name in request.query_params.getlist("topic")]
    if not 1 <= len(topics) <= MOST_TOPICS:
        raise invalid(("topic", f"Name 1 to {MOST_TOPICS}, like Article/1"))
    return topics


def _topic(request: Request, name: str) -> Topic:
    topic = parse_topic(name)
    return topic_from(request, topic.type, topic.id, field="topic")
