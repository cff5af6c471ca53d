"""Named people over HTTP: each has a browser of their own, and signs up as anybody would."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from tests.support.serving import Site, Spawned

PASSWORD = "talk among friends"
NEW_PASSWORD = "another talk, other friends"
COOKIE, DEVICE_COOKIE = "parley_login", "parley_device"
ARTICLE = {"commentable_type": "Article", "commentable_id": "1"}


@asynccontextmanager
async def person(site: Site | Spawned, name: str, **more: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A browser in which `name` has just signed up."""
    async with site.client() as client:
        await sign_up(client, name, **more)
        yield client


async def sign_up(client: httpx.AsyncClient, name: str, **more: Any) -> dict[str, Any]:
    """Create the account of `name` and sign `client` in."""
    form = {"email": email_of(name), "username": name, "password": PASSWORD, **more}
    return read_json(await client.post("/api/users", json=form), 201)


async def sign_in(client: httpx.AsyncClient, name: str, **more: Any) -> dict[str, Any]:
    """Sign `client` in to the account of `name`, with one more login."""
    form = {"email": email_of(name), "password": PASSWORD, **more}
    return read_json(await client.post("/api/session", json=form), 200)


async def me(client: httpx.AsyncClient) -> dict[str, Any] | None:
    """The account that this browser is signed in to; None for a guest."""
    answer = read_json(await client.get("/api/session"), 200)
    assert answer.keys() == {"user"}
    user: dict[str, Any] | None = answer["user"]
    return user


def email_of(name: str) -> str:
    return f"{name.lower()}@example.com"


async def write(client: httpx.AsyncClient, body: str, **more: Any) -> dict[str, Any]:
    """Write a comment under Article/1, or under the commentable in `more`, and return it."""
    return read_json(await client.post("/api/comments/", json={**ARTICLE, "body": body, **more}), 201)


async def edit(client: httpx.AsyncClient, comment: dict[str, Any], body: str) -> dict[str, Any]:
    """Change a comment's text and return it. The whole model is sent, as Backbone does."""
    return read_json(await client.put(f"/api/comments/{comment['id']}", json={**comment, "body": body}), 200)


async def delete(client: httpx.AsyncClient, comment: dict[str, Any]) -> None:
    response = await client.delete(f"/api/comments/{comment['id']}")
    assert response.status_code == httpx.codes.NO_CONTENT, response.text


async def snapshot(client: httpx.AsyncClient, **query: Any) -> dict[str, Any]:
    """The snapshot that this person gets of Article/1, or of the commentable in `query`."""
    return read_json(await client.get("/api/comments/", params={**ARTICLE, **query}), 200)


def read_json(response: httpx.Response, status: int) -> dict[str, Any]:
    """Check that a response has this status and is JSON, and return its content, an object."""
    assert response.status_code == status, f"{response.status_code}: {response.text}"
    assert response.headers["content-type"] == "application/json"
    content: dict[str, Any] = response.json()
    return content
