"""Commentables over REST: their titles, locks and counts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.accounts.identity import parley_of
from app.commentables import commentables
from app.commentables.commentables import Commentable
from app.http.problems import Problem, invalid
from app.http.requests import parse_topic, query_flag, topic_from
from app.http.responses import answer
from app.live.topics import Topic

MAX_TOPICS = 100  # in one request; a stream has the same limit


async def index(request: Request) -> Response:
    """The commentables of these topics, with the cursor to stream them from.

    Pages of hosts write names in any form. With `by_name=1` an invalid name does not affect the others. The response
    then has `names`: name in the query → its topic, and `refused`: name in the query → what is wrong with it.
    """
    by_name = query_flag(request, "by_name")
    names, refused = read_names(request) if by_name else ({}, {})
    async with parley_of(request).reading() as reading:
        found, cursor = await commentables.snapshot(reading, names.values() if by_name else topics_of(request))
    members = {"names": {name: str(topic) for name, topic in names.items()}, "refused": refused} if by_name else {}
    return answer(snapshot(found.values(), cursor) | members)


def snapshot(found: Iterable[Commentable], cursor: str) -> dict[str, Any]:
    return {"commentables": [commentables.render(one) for one in found], "cursor": cursor, "before": None}


def topics_of(request: Request) -> list[Topic]:
    """The topics in the query. Raises Problem 422."""
    return [_topic(request, name) for name in _names(request)]


def read_names(request: Request) -> tuple[dict[str, Topic], dict[str, str]]:
    """({name in the query: its topic}, {invalid name in the query: what is wrong with it}).

    Raises Problem 422 if there is no name, and if there are too many.
    """
    topics, refused = {}, {}
    for name in _names(request):
        try:
            topics[name] = _topic(request, name)
        except Problem as problem:
            refused[name] = _what_is_wrong(request, name, problem)
    return topics, refused


def _what_is_wrong(request: Request, name: str, problem: Problem) -> str:
    """A message for the person who made the page. Most invalid names have an unknown type, or none."""
    types = sorted(parley_of(request).settings.commentable_types)
    type_, slash, _ = name.strip(" ").partition("/")
    if slash and type_ in types:
        return problem.errors[0][1]
    return f"the type must be one of {', '.join(types)} (COMMENTABLE_TYPES), as in {next(iter(types), 'Article')}/1"


def _names(request: Request) -> list[str]:
    names = request.query_params.getlist("topic")
    if not 1 <= len(names) <= MAX_TOPICS:
        raise invalid(("topic", f"Name 1 to {MAX_TOPICS} topics, like Article/1"))
    return names


def _topic(request: Request, name: str) -> Topic:
    topic = parse_topic(name)
    return topic_from(request, topic.type, topic.id, field="topic")
