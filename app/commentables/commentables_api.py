"""Commentables over REST: their titles, locks and counts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, NotRequired

from pydantic import Field
from starlette.requests import Request
from typing_extensions import TypedDict

from app.accounts.identity import parley_of
from app.commentables import commentables
from app.commentables.commentables import Commentable, RenderedCommentable
from app.http.endpoints import Endpoint
from app.http.parameters import TOPIC, Flag, topics_parameter
from app.http.problems import Problem, invalid
from app.http.requests import parse_topic, topic_from
from app.http.responses import Json
from app.http.schemas import Cursor
from app.live.topics import Topic

MAX_TOPICS = 100  # in one request; a stream has the same limit


# Pages of hosts write names in any form.
BY_NAME = Flag(
    "by_name",
    "`1`: an invalid name does not affect the others. The response has the topic of each valid name in `names`, and "
    "the error of each invalid one in `refused`.",
)


class Commentables(TypedDict):
    commentables: list[RenderedCommentable]
    cursor: Cursor
    before: None
    names: NotRequired[Annotated[dict[str, str], Field(description="With `by_name=1`: the topic of each valid name.")]]
    refused: NotRequired[
        Annotated[dict[str, str], Field(description="With `by_name=1`: what is wrong with each other name.")]
    ]


@Endpoint("GET /api/commentables", [topics_parameter(TOPIC, MAX_TOPICS, required=True), BY_NAME])
async def index(request: Request) -> Json[Commentables]:
    """List titles, locks and counts.

    Changes of them are streamed on topics like `Commentable/Article/1`.
    """
    by_name = BY_NAME.read(request)
    names, refused = read_names(request) if by_name else ({}, {})
    async with parley_of(request).reading() as reading:
        found, cursor = await commentables.snapshot(reading, names.values() if by_name else topics_of(request))
    body = snapshot(found.values(), cursor)
    if by_name:
        body |= {"names": {name: str(topic) for name, topic in names.items()}, "refused": refused}
    return Json(body)


def snapshot(found: Iterable[Commentable], cursor: str) -> Commentables:
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
