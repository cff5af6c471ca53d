"""Atom feeds over HTTP. A feed reader asks again and again, so an unchanged feed is a 304."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from app.accounts.identity import parley_of
from app.atom import address, atom
from app.atom.atom import AtomFeed, Entry
from app.commentables import host_pages
from app.http.endpoints import Endpoint
from app.http.parameters import Parameter
from app.http.responses import is_known
from app.http.security_headers import DOCUMENT_HEADERS
from app.live.topics import Topic
from app.pages.compression import compressed
from app.pages.pages import UNTITLED, articles_of, topic_of
from app.pages.service_worker import REVALIDATE
from app.pages.templates import rendered, respond
from app.text.bidi import isolated

MEDIA = "application/atom+xml"
KEY = Parameter(
    "key", {"type": "string", "maxLength": address.MAX_KEY_LENGTH}, "The key in the account's address.", required=True
)
ETAG = {"ETag": "For `If-None-Match`: it changes if the feed does."}
DESCRIBED: Mapping[str, Any] = {"media": MEDIA, "statuses": [200, 304], "headers": ETAG}
NEVER = "1970-01-01T00:00:00+00:00"  # when an empty feed was updated: Atom requires a time

_FORBIDDEN = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # in XML 1.0, even as references


@Endpoint("GET /feeds/all", **DESCRIBED)
async def everything(request: Request) -> Response:
    """Read the newest comments of all conversations as an Atom feed."""
    settings = parley_of(request).settings
    query = atom.in_all(settings.commentable_types)
    return await _show(request, AtomFeed("all", "All comments", f"{settings.public_url}/", "/feeds/all", query))


@Endpoint("GET /feeds/replies", [KEY], refuses=[404], **DESCRIBED)
async def replies(request: Request) -> Response:
    """Read the newest replies to an account, and mentions of it, as an Atom feed.

    The account's owner gets the address from `GET /api/account/atom`. It needs no login.
    """
    parley = parley_of(request)
    async with parley.reading() as reading:
        user = await address.find_owner(parley, reading, request.query_params.get(KEY.name, ""))
    title = f"Replies and mentions for {isolated(user.username)}"
    page, path = f"{parley.settings.public_url}/inbox", path_of_replies(address.key_of(parley, user))
    return await _show(request, AtomFeed(str(Topic.account(user.id)), title, page, path, atom.for_account(user.id)))


def path_of_replies(key: str) -> str:
    return f"/feeds/replies?{urlencode({KEY.name: key})}"


@Endpoint("GET /feeds/{type}/{id:path}", **DESCRIBED)
async def conversation(request: Request) -> Response:
    """Read the newest comments of a conversation as an Atom feed."""
    topic = topic_of(request)
    parley = parley_of(request)
    title, url = await parley.database.read(partial(atom.read_place, topic=topic))
    title = isolated(_title_of(request, topic, title) or UNTITLED)
    page, path = host_pages.public_page(parley.settings, str(topic), url), atom.path_of(topic)
    return await _show(request, AtomFeed(str(topic), title, page, path, atom.in_conversation(topic)))


async def _show(request: Request, feed: AtomFeed) -> Response:
    """The feed as XML; 304 if the client has it. The tag is read first, so it is never newer than the content."""
    parley = parley_of(request)
    settings = parley.settings
    more = settings.public_url, *sorted(settings.allowed_origins)
    tag = await parley.database.read(partial(atom.read_tag, feed=feed, more=more))
    headers = {**REVALIDATE, **DOCUMENT_HEADERS, "ETag": f'W/"{tag}"'}  # weak: it is the same with and without gzip
    if is_known(request, headers["ETag"]):
        return Response(None, 304, {"Vary": "Accept-Encoding", **headers})
    async with parley.reading() as reading:
        entries, id_ = await atom.read_entries(reading, feed), await atom.read_id(reading, feed)
    context = {
        "feed": feed,
        "id": id_,
        "public_url": settings.public_url,
        "updated": max((entry.comment.updated_at.isoformat() for entry in entries), default=NEVER),
        "entries": [_described(request, entry) for entry in entries],
    }
    xml = _FORBIDDEN.sub("", rendered(request, "atom.xml", context)).encode()
    response = respond(request, lambda: xml, lambda: compressed(xml))
    response.headers.update({**headers, "Content-Type": f"{MEDIA}; charset=utf-8"})
    return response


def _described(request: Request, entry: Entry) -> dict[str, str | None]:
    comment = entry.comment
    topic, author = Topic.parse(comment.topic), isolated(comment.username)
    title = _title_of(request, topic, entry.title)
    return {
        "id": str(comment.id),
        "title": f"{author} on {isolated(title)}" if title else f"A comment by {author}",
        "author": comment.username,
        "page": f"{host_pages.public_page(parley_of(request).settings, comment.topic, entry.url)}#comment-{comment.id}",
        "parent": str(comment.parent_id) if comment.parent_id else None,
        "published": comment.created_at.isoformat(),
        "updated": comment.updated_at.isoformat(),
        "html": entry.html,
    }


def _title_of(request: Request, topic: Topic, title: str) -> str:
    article = articles_of(request).get(topic)
    return title or (article.title if article else "")
