"""The floor: the least work with which Python under uvicorn sends the same bytes. It has no cursors and no database.

GET /streams?topic=0          a stream
POST /?topic=0                sends its body, unchanged, to every stream of the topic
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

HEADERS = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]

streams: defaultdict[bytes, set[Any]] = defaultdict(set)


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    topic = scope["query_string"]
    if scope["method"] == "GET":
        await follow(streams[topic], receive, send)
    else:
        block = (await receive())["body"]
        for each in list(streams[topic]):
            await each({"type": "http.response.body", "body": block, "more_body": True})
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def follow(others: set[Any], receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": b": hi\n\n", "more_body": True})
    others.add(send)
    try:
        while (await receive())["type"] != "http.disconnect":
            pass
    finally:
        others.discard(send)
