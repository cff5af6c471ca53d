"""Rerendering: comments of an earlier release, or of older rules, get HTML by the current rules.

1. A light text is already shown by the current rules, so storing its HTML is no visible change, and takes no seq.
2. A heavy text was shown as typed until now. Its new HTML is a normal change on its topic.
3. The previous release may still run, and delete a comment without its HTML. This module erases that HTML.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sqlalchemy import select, update

from app.comments import markdown
from app.comments.comments import Comment
from app.comments.markdown import Rendering
from app.live.service import Parley
from app.live.topics import Topic

BATCH_SIZE = 100  # comments that are read at once
MAX_IN_ONE_RUN = 2_000  # comments in one run; the next run continues

_OLDEST = markdown.VERSION << 32  # keys of older rules are below


async def rerender_outdated(parley: Parley) -> None:
    """Render up to `MAX_IN_ONE_RUN` comments that have no current HTML. Several processes may run this at once."""
    await _erase_left_html(parley)
    for _ in range(MAX_IN_ONE_RUN // BATCH_SIZE):
        async with parley.reading() as reading:
            stale = select(Comment).where(Comment.html_key.is_(None) | (Comment.html_key < _OLDEST))
            comments = (await reading.scalars(stale.order_by(Comment.id).limit(BATCH_SIZE))).all()
        if not comments:
            return
        await _store(parley, await asyncio.to_thread(_rendered, comments))


def _rendered(comments: Sequence[Comment]) -> list[tuple[Comment, Rendering]]:
    return [(comment, markdown.render(comment.body, comment.mentioned)) for comment in comments]


async def _store(parley: Parley, rendered: list[tuple[Comment, Rendering]]) -> None:
    changed = [comment.id for comment, new in rendered if new.html is not None and markdown.is_heavy(comment.body)]
    async with parley.database.transaction() as writing, writing.begin():
        for comment, new in rendered:
            if comment.id not in changed:  # (1)
                unchanged = (Comment.id == comment.id) & (Comment.body == comment.body)
                values = {"html": new.html, "html_key": markdown.key(comment.body)}
                await writing.execute(update(Comment).where(unchanged).values(values))
    for comment, new in rendered:
        if comment.id in changed:  # (2)
            await _change(parley, comment, new)


async def _change(parley: Parley, comment: Comment, rendering: Rendering) -> None:
    async with parley.writing(Topic.parse(comment.topic)) as write:
        row = await write.get(Comment, comment.id)
        if row and row.body == comment.body and row.html_key != markdown.key(row.body):
            row.store_rendering(rendering)
            write.update(row)


async def _erase_left_html(parley: Parley) -> None:
    left = Comment.deleted_at.is_not(None) & Comment.html.is_not(None)
    async with parley.database.transaction() as writing, writing.begin():
        await writing.execute(update(Comment).where(left).values(html=None, mentioned=[]))
