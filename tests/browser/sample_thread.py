"""A conversation with a bit of everything in it, for whoever looks at pages as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.people import delete, expected, write

if TYPE_CHECKING:
    import httpx

# Nothing moves (what glides is paused, and led on frame by frame), and no colour is on its way to another.
STILL = "document.getAnimations().every(({ playState }) => playState === 'finished')"


async def converse(alice: httpx.AsyncClient, bob: httpx.AsyncClient, carol: httpx.AsyncClient) -> None:
    """Replies, markdown, a name, likes, what is left of a comment, a report: and notifications of it for each."""
    first = await write(bob, "“Mind the *step*.” **Thirty years** of it, and [that](https://example.com/) is all.")
    almonds = await write(alice, "The almonds were a mistake.\n\n> You never open with almonds.\n\n- mirror\n- `hello`")
    answer = await write(carol, "@bob I love this bird, and so does @Alice.", parent_id=first["id"])
    gone = await write(bob, "Never mind", parent_id=almonds["id"])
    await write(alice, "But I do mind, @Carol", parent_id=gone["id"])
    await delete(bob, gone)
    for person, comment in ((alice, first), (carol, first), (bob, almonds)):
        expected(await person.put(f"/api/comments/{comment['id']}/like", json={}), 200)
    report = {"reason": "other", "note": "Everybody does"}
    expected(await bob.put(f"/api/comments/{answer['id']}/report", json=report), 200)
