"""A second live model, as an extension would add it. This file is all that it needs."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.orm import DeclarativeBase, Mapped

from app.live.model import Live, LiveModel
from app.live.service import Parley
from app.live.topics import Topic
from app.live.viewers import Kind


class NoteBase(DeclarativeBase):
    """A base of its own, because migrations are checked against the app's schema."""


class Note(Live, NoteBase):
    __tablename__ = "notes"
    user_id: Mapped[UUID]
    text: Mapped[str]
    hidden: Mapped[bool]

    @property
    def author_id(self) -> UUID:
        return self.user_id

    def erase(self) -> None:
        self.text = ""


def render(note: Note) -> dict[str, Any]:
    shown = {"id": note.id, "text": note.text, "hidden": note.hidden, "mine": False}
    return {**note.tombstone(), **shown}


def visible(note: Note, kind: Kind) -> bool:
    return not note.hidden or kind is not Kind.PUBLIC


NOTE = LiveModel("note", Note, render, visible, for_author={"mine": True})


async def post_note(parley: Parley, topic: Topic, user_id: UUID, text: str) -> Note:
    note = Note(id=uuid4(), topic=str(topic), user_id=user_id, text=text, hidden=False)
    async with parley.writing(topic) as write:
        write.create(note)
    return note
