"""Pages: what a browser opens. Each carries its first snapshot and the cursor that goes with it."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.database import Reading
from app.demo import ARTICLES
from app.live.counters import read_heads
from app.live.cursors import write_cursor
from app.live.topics import BadTopic, Topic
from app.models import comment as comments
from app.models.user import find_user, render
from app.web.comments import snapshot
from app.web.identity import current_viewer, parley_of
from app.web.problems import Problem
from app.web.templates import page


async def front(request: Request) -> Response:
    async with parley_of(request).reading() as reading:
        bootstrap = await _bootstrap(request, reading)
        counts = await comments.count(reading, ARTICLES)
    articles = [
        {"path": f"/{topic}", "title": article.title, "summary": article.summary, "comments_count": counts[topic],
         "commentable_type": topic.type, "commentable_id": topic.id}
        for topic, article in ARTICLES.items()
    ]  # fmt: skip
    return page("front.html", {"title": "Parley", "articles": articles, "bootstrap": bootstrap})


async def thread(request: Request) -> Response:
    topic = _topic(request)
    viewer = await current_viewer(request)
    async with parley_of(request).reading() as reading:
        bootstrap = await _bootstrap(request, reading)
        first = await comments.page(reading, topic)
    bootstrap |= {"thread": snapshot(first, viewer), "topics": [str(topic)]}
    bootstrap["cursors"].append(first.cursor)
    article = ARTICLES.get(topic)
    title = article.title if article else f"{topic.type} {topic.id}"
    return page("thread.html", {"title": title, "article": article, "bootstrap": bootstrap})


async def _bootstrap(request: Request, reading: Reading) -> dict[str, Any]:
    """Who is looking, and from where on their own topic is to be followed: the counter first, then the row."""
    viewer = await current_viewer(request)
    bootstrap: dict[str, Any] = {"user": None, "cursors": [], "thread": None, "topics": []}
    if viewer.user_id is not None:
        epoch, heads = await read_heads(reading, [Topic.account(viewer.user_id)])
        user = await find_user(reading, viewer.user_id)
        bootstrap |= {"user": user and render(user), "cursors": [write_cursor(epoch, heads)]}
    return bootstrap


def _topic(request: Request) -> Topic:
    try:
        topic = Topic(request.path_params["type"], request.path_params["id"])
    except BadTopic:
        raise Problem(404, "There is nothing here.") from None
    if topic.type not in parley_of(request).settings.commentable_types:
        raise Problem(404, "There is nothing here.")
    return topic
