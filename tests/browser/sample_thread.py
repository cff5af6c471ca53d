"""A thread with one of each thing, for tests that check whole pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.people import delete, read_json, write

if TYPE_CHECKING:
    import httpx

# No animation or transition runs. Tests that step through an animation frame by frame pause it.
NOTHING_ANIMATES = "document.getAnimations().every(({ playState }) => playState === 'finished')"


async def write_sample_thread(alice: httpx.AsyncClient, bob: httpx.AsyncClient, carol: httpx.AsyncClient) -> None:
    """Write replies, Markdown, a mention, likes, a deleted comment with a reply, and a report."""
    first = await write(bob, "“Mind the *step*.” **Thirty years** of it, and [that](https://example.com/) is all.")
    almonds = await write(alice, "The almonds were a mistake.\n\n> You never open with almonds.\n\n- mirror\n- `hello`")
    answer = await write(carol, "@bob I love this bird, and so does @Alice.", parent_id=first["id"])
    gone = await write(bob, "Never mind", parent_id=almonds["id"])
    await write(alice, "But I do mind, @Carol", parent_id=gone["id"])
    await delete(bob, gone)
    for person, comment in ((alice, first), (carol, first), (bob, almonds)):
        read_json(await person.put(f"/api/comments/{comment['id']}/like", json={}), 200)
    report = {"reason": "other", "note": "Everybody does"}
    read_json(await bob.put(f"/api/comments/{answer['id']}/report", json=report), 200)
