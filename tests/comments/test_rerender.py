"""Comments without current HTML: of an earlier release or older rules, or with HTML left after a deletion."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import update

from app.comments import comments, markdown
from app.comments.comments import Comment
from app.comments.rerender import rerender_outdated
from app.live.service import Parley
from app.live.viewers import Viewer
from app.live.write.sequences import read_heads
from tests.support.people_without_http import ARTICLE, create_viewer, post_comment

pytestmark = pytest.mark.sqlite_only

HEAVY = "*a* " * 500


@pytest.fixture
async def alice(parley: Parley) -> Viewer:
    return await create_viewer(parley, "alice")


async def rewrite(parley: Parley, comment: Comment, **values: Any) -> None:
    """Write as an earlier release does, which stores no HTML."""
    async with parley.database.transaction() as writing, writing.begin():
        await writing.execute(update(Comment).where(Comment.id == comment.id).values(values))


async def stored(parley: Parley, comment: Comment) -> Comment:
    async with parley.reading() as reading:
        found = await reading.get(Comment, comment.id)
    assert found
    return found


async def head(parley: Parley) -> int:
    async with parley.reading() as reading:
        return (await read_heads(reading, [ARTICLE]))[1][ARTICLE]


async def test_a_light_text_of_an_earlier_release_gets_html_without_a_change(parley: Parley, alice: Viewer) -> None:
    comment = await post_comment(parley, alice, "*a* @alice")
    await rewrite(parley, comment, html=None, html_key=None)
    before, seq = comments.render(await stored(parley, comment)), await head(parley)
    await rerender_outdated(parley)
    row = await stored(parley, comment)
    assert row.html == '<p dir="auto"><em>a</em> <span class="mention">@alice</span></p>'
    assert comments.render(row) == before
    assert await head(parley) == seq


@pytest.mark.parametrize("key", [None, 17])
async def test_a_heavy_text_is_shown_as_typed_until_it_is_rendered(
    parley: Parley, alice: Viewer, key: int | None
) -> None:
    comment = await post_comment(parley, alice, HEAVY)
    await rewrite(parley, comment, html=None, html_key=key)
    row, seq = await stored(parley, comment), await head(parley)
    assert comments.render(row)["plain"] is True
    await rerender_outdated(parley)
    await rerender_outdated(parley)
    shown = comments.render(await stored(parley, comment))
    assert (shown["plain"], shown["html"], shown["edited"]) == (False, markdown.html(HEAVY), False)
    assert (shown["seq"], await head(parley)) == (seq + 1, seq + 1)


async def test_an_edit_by_an_earlier_release_is_not_shown_with_the_old_html(parley: Parley, alice: Viewer) -> None:
    comment = await post_comment(parley, alice, "*secret*")
    await rewrite(parley, comment, body="*public*")
    shown = comments.render(await stored(parley, comment))
    assert shown["html"] == '<p dir="auto"><em>public</em></p>'


async def test_html_of_a_deleted_comment_that_an_earlier_release_left_is_erased(parley: Parley, alice: Viewer) -> None:
    comment = await post_comment(parley, alice, "*secret* @alice")
    await rewrite(parley, comment, body="", username="", deleted_at=datetime.now(UTC))
    await rerender_outdated(parley)
    row = await stored(parley, comment)
    assert (row.html, row.mentioned) == (None, [])
