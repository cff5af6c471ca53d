"""Endpoints: what a declaration means for requests and for the API's document."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from app.http.endpoints import Endpoint, resources
from app.http.requests import Input
from app.http.responses import Json
from app.live.viewers import Viewer
from app.moderation import moderation, moderation_api


class Note(Input):
    text: str


class Stored(TypedDict):
    text: str


async def store(request: Request, viewer: Viewer, form: Note) -> Json[Stored]:
    """Store a note.

    Repeating it
    changes nothing.

    It is private.
    """
    return Json({"text": form.text})


def test_the_signature_and_the_docstring_describe_the_endpoint() -> None:
    endpoint = Endpoint("PUT,PATCH /api/notes/{id}", statuses=[201, 200])(store)
    assert (endpoint.methods, endpoint.path) == (["PUT", "PATCH"], "/api/notes/{id}")
    assert (endpoint.signed_in, endpoint.form) == (True, Note)
    assert endpoint.answers == {201: Stored, 200: Stored}
    assert endpoint.summary == "Store a note"
    assert endpoint.description == "Repeating it changes nothing.\n\nIt is private."
    assert endpoint.errors("PUT") == [400, 401, 403, 404, 413, 415, 422, 503]


def test_a_handler_without_a_body_answers_204_and_a_union_has_a_body_for_each_status() -> None:
    async def delete(request: Request) -> None: ...

    async def forget(request: Request) -> Response: ...

    async def sign_up(request: Request) -> Json[Stored] | Json[Note]: ...

    assert Endpoint("DELETE /api/notes")(delete).answers == {204: None}
    assert Endpoint("DELETE /api/notes")(forget).answers == {204: None}
    assert Endpoint("POST /api/notes", statuses=[201, 202])(sign_up).answers == {201: Stored, 202: Note}


def test_a_declaration_with_admit_and_without_a_viewer_fails() -> None:
    async def hide(request: Request) -> None: ...

    with pytest.raises(TypeError, match="needs a `viewer`"):
        Endpoint("PUT /api/notes/hidden", admit=moderation.refuse_non_moderators)(hide)


def test_one_path_has_one_resource_with_all_its_methods() -> None:
    found = {resource.path: list(resource.endpoints) for resource in resources(moderation_api, under="/api")}
    assert found["/comments/{id}/hidden"] == ["PUT", "DELETE"]
