"""Live models: the renderer that a model gets from the type of its members."""

from __future__ import annotations

from typing import get_type_hints
from uuid import uuid4

import pytest

from app.live.model import Tombstone, render_as
from tests.live.note import Note


class RenderedNote(Tombstone):
    text: str
    hidden: bool


class Misspelt(Tombstone):
    txet: str


def test_clients_get_the_members_of_the_type_and_no_other_column() -> None:
    note = Note(id=uuid4(), topic="Article/1", seq=2, created_seq=1, user_id=uuid4(), text="Hello", hidden=False)
    render = render_as(Note, RenderedNote)
    assert render(note) == {**note.tombstone(), "text": "Hello", "hidden": False}
    assert get_type_hints(render)["return"] is RenderedNote, "the schema in the API's documentation"


def test_a_member_that_the_model_does_not_have_is_refused() -> None:
    with pytest.raises(TypeError, match="Note has no txet"):
        render_as(Note, Misspelt)
