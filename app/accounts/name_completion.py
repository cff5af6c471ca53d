"""Name completion: the accounts whose names begin with the text after an `@`."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Select, func, or_, select

from app.accounts.user import UNCLAIMED_KEY_PREFIX, User, username_key
from app.comments.comments import SHOWN_TO_ALL, Comment
from app.database import Reading
from app.live.topics import Topic
from app.live.viewers import Viewer

MAX_NAMES = 8

Name = tuple[UUID, str]


async def beginning_with(reading: Reading, viewer: Viewer, prefix: str, topic: Topic | None = None) -> Sequence[Name]:
    """(id, name) of at most `MAX_NAMES` accounts whose names begin with `prefix`, the shortest names first. If there is
    a topic, people who have commented there come first.

    Names are compared in their canonical form. The viewer, and deleted and blocked accounts, are left out.
    """
    names = _of(viewer, prefix)
    here = (await reading.execute(names.where(User.id.in_(_authors(topic))))).all() if topic else []
    others = (await reading.execute(names.where(User.id.not_in([id_ for id_, _ in here])))).all()
    return [(id_, name) for id_, name in (*here, *others)][:MAX_NAMES]


def _of(viewer: Viewer, prefix: str) -> Select[UUID, str]:
    # A name with underscores in place of spaces is a mention, too. The name itself is compared as well, because its
    # canonical form may be shorter than the typed prefix.
    key = username_key(prefix.replace("’", "'"))
    keys = [User.username_key.startswith(form, autoescape=True) for form in {key, key.replace("_", " ")}]
    begins = or_(*keys, User.username.istartswith(prefix, autoescape=True))
    has_name = ~User.username_key.startswith(UNCLAIMED_KEY_PREFIX)
    is_active = User.deleted_at.is_(None), User.blocked_at.is_(None), User.id != viewer.user_id, has_name
    order = func.length(User.username_key), User.username_key
    return select(User.id, User.username).where(begins, *is_active).order_by(*order).limit(MAX_NAMES)


def _authors(topic: Topic) -> Select[UUID]:
    return select(Comment.user_id).where(Comment.topic == str(topic), SHOWN_TO_ALL)
