"""The literal reference: Parley as written from only the words "Redis pub/sub, one generator for each user".

Each session has its own Redis subscription. At each hint, each session reads, renders and encodes the comment. It
writes with Parley's own code, so that the only difference is how a change reaches the sessions.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic_core import to_json
from redis.asyncio import Redis
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.accounts import accounts
from app.comments import comments, posting
from app.comments.comments import Comment
from app.live.gids import Gid
from app.live.service import Parley
from app.live.topics import Topic
from app.live.viewers import Viewer
from app.models import LIVE_MODELS
from app.settings import Settings


async def create(request: Request) -> Response:
    form = json.loads(await request.body())
    topic = Topic(form["commentable_type"], form["commentable_id"])
    comment, _ = await posting.post(
        request.app.state.parley, request.app.state.author, topic, form["body"], uuid.uuid4()
    )
    return JSONResponse({"id": str(comment.id)}, 201)


async def stream(request: Request) -> Response:
    return EventSourceResponse(follow(request.app, Topic.parse(request.query_params["topic"])), ping=300)


async def follow(app: Starlette, topic: Topic) -> AsyncIterator[ServerSentEvent]:
    parley: Parley = app.state.parley
    async with Redis.from_url(await parley.redis_url() or "") as redis, redis.pubsub() as pubsub:
        await pubsub.subscribe(parley.settings.redis_channel_name)
        yield ServerSentEvent(comment="hi")
        async for message in pubsub.listen():
            if message["type"] != "message":
                continue
            gid = Gid.parse(message["data"].decode())
            if gid.model != "Comment" or gid.params["topic"] != str(topic):
                continue
            async with parley.reading() as reading:
                comment = await reading.get_one(Comment, uuid.UUID(gid.id))
            model = comments.render(comment)
            yield ServerSentEvent(
                to_json({"payload": {"model": model}}).decode(),
                event="global.comment.create.success",
                id=gid.params["seq"],
            )


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    async with Parley(Settings.load(), LIVE_MODELS, listening=False) as parley:
        app.state.parley = parley
        user = await accounts.create_account(parley, "writer@example.com", "Writer", "talk among friends")
        app.state.author = Viewer(user.id, user.username)
        yield


app = Starlette(
    routes=[Route("/streams", stream), Route("/api/comments/", create, methods=["POST"])], lifespan=lifespan
)
