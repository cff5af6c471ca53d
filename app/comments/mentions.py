"""Mentions: finds the accounts that a text mentions.

A write looks the names up. The comment stores the names that were found, the rendering marks them, and their accounts
are notified. So exactly the people whose names are marked are notified.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.accounts.user import User, username_key
from app.among import among
from app.comments import markdown
from app.comments.markdown import Rendering
from app.comments.markdown.mention_syntax import candidates
from app.live.service import Parley

MAX_MENTIONS = 10  # people that one text can mention; further names are text


@dataclass(frozen=True, slots=True)
class Written:
    """A rendered text, and the accounts that it mentions, in order, each once."""

    rendering: Rendering
    mentioned: tuple[UUID, ...]


async def read_text(parley: Parley, text: str) -> Written:
    """Render `text`, and find the accounts that it mentions. This takes milliseconds, so call it before you lock."""
    known = await find(parley, text)
    rendering = await markdown.render_in_thread(text, known)
    people = _people(rendering, known)
    if len(people) > MAX_MENTIONS:
        few = set(people[:MAX_MENTIONS])
        known = {name: id_ for name, id_ in known.items() if id_ in few}
        rendering = await markdown.render_in_thread(text, known)
    return Written(rendering, _people(rendering, known))


async def find(parley: Parley, text: str) -> dict[str, UUID]:
    """The names in `text`, as typed, of accounts that are neither deleted nor blocked."""
    meant = {name: list(_keys(name)) for name in candidates(text)}
    keys = {key for some in meant.values() for key in some}
    if not keys:
        return {}
    ids = await parley.read_together(_read_accounts, keys)
    found = {name: next((ids[key] for key in some if key in ids), None) for name, some in meant.items()}
    return {name: id_ for name, id_ in found.items() if id_}


async def _read_accounts(connection: AsyncConnection, texts: list[set[str]]) -> list[Mapping[str, UUID]]:
    """The accounts that have any of these keys: the same result for each text."""
    rows = await connection.execute(_ACCOUNTS, {"keys": set().union(*texts)})
    found = {row.username_key: row.id for row in rows}
    return [found] * len(texts)


_ACCOUNTS = select(User.username_key, User.id).where(
    among(User.username_key, "keys"), User.deleted_at.is_(None), User.blocked_at.is_(None)
)


def _people(rendering: Rendering, known: Mapping[str, UUID]) -> tuple[UUID, ...]:
    return tuple(dict.fromkeys(known[name] for name in rendering.mentioned))


def _keys(name: str) -> Iterator[str]:
    """The keys that this name may have. An underscore may replace a space: `@Al_Smith` is Al_Smith or Al Smith."""
    for typed in dict.fromkeys((name, name.replace("_", " "))):
        yield username_key(typed.replace("’", "'"))
