"""Two people in two windows, frame by frame: the README's animated picture.

`pytest --everything tests/browser/test_two_windows.py --screenshots docs` writes it. Pillow, which joins the frames, is
installed with the benches (`make bench`).
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.test_likes import like, sees_likes
from tests.browser.test_presence import SHOWS_PRESENCE, sees_typing
from tests.support.people import write

if TYPE_CHECKING:
    import httpx

    from tests.browser.conftest import OpenBrowser

WINDOW = {"width": 480, "height": 560}
GAP = 12  # pixels between the windows
FRAME_MS, LONG_FRAME_MS = 500, 1_400
COLORS = 96
MAX_BYTES = 500_000

Frame = tuple[bytes, bytes, int]  # Alice's window, Bob's window, milliseconds


async def test_alice_and_bob_talk_in_two_windows(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient, request: pytest.FixtureRequest
) -> None:
    await write(carol_client, "Who else has seen the bird?")
    alice, bob = [await open_browser(name, viewport=WINDOW) for name in ("Alice", "Bob")]
    frames: list[Frame] = []

    async def take(milliseconds: int = FRAME_MS) -> None:
        pictures = [await person.page.screenshot(caret="initial") for person in (alice, bob)]
        frames.append((*pictures, milliseconds))

    for person in (alice, bob):
        await person.page.evaluate("document.querySelector('.thread').scrollIntoView()")
        await person.until(SHOWS_PRESENCE, "the other person")  # the page reports typing only if somebody is there
    await take(LONG_FRAME_MS)
    await alice.composer.focus()
    for words in ("It sat on ", "my balcony ", "this morning."):
        await alice.composer.press_sequentially(words)
        await sees_typing(bob, "Alice is typing…")
        await take()
    await alice.composer.press("Control+Enter")
    text = "It sat on my balcony this morning."
    for person in (alice, bob):
        await person.sees("Who else has seen the bird?", text)
        await person.is_settled()
    await take(LONG_FRAME_MS)
    await like(bob, text)
    for person in (alice, bob):
        await sees_likes(person, text, "1", pressed=person is bob)
    await take(LONG_FRAME_MS)
    await alice.open_editor(text)
    better = "It sat on my balcony at six this morning."
    await alice.editor.fill(better)
    await take(LONG_FRAME_MS)
    await alice.editor.press("Control+Enter")
    for person in (alice, bob):
        await person.sees("Who else has seen the bird?", better)
        await person.is_settled()
    await take(LONG_FRAME_MS)
    assert len({picture for frame in frames for picture in frame[:2]}) > len(frames)
    if directory := request.config.getoption("screenshots", None):
        save(directory / "two-windows.gif", frames)


def save(path: Path, frames: list[Frame]) -> None:
    from PIL import Image

    pictures = []
    for *windows, _ in frames:
        picture = Image.new("RGB", (2 * WINDOW["width"] + GAP, WINDOW["height"]), "#888")
        for place, window in enumerate(windows):
            picture.paste(Image.open(io.BytesIO(window)), (place * (WINDOW["width"] + GAP), 0))
        pictures.append(picture.quantize(COLORS, dither=Image.Dither.NONE))
    durations = [milliseconds for *_, milliseconds in frames]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=durations, loop=0, optimize=True)
    assert path.stat().st_size < MAX_BYTES
