"""The layout of comments: long texts, stacked marks and right-to-left scripts; on phones and on paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.people import read_json, write

if TYPE_CHECKING:
    import httpx

    from tests.browser.conftest import OpenBrowser

PHONE = {"width": 390, "height": 800}
HEBREW = "שלום עולם"
STACKED = "Z" + "\u0301\u0300\u0302\u0303\u0304\u0306\u0307\u0308" * 40
LINES = "\n".join(["x"] * 4_900)

BODY = "document.getElementById('comment-{id}').querySelector('.comment__body')"
# Buttons, links and fields outside of text that are smaller than `least`, including the touch area around them.
SMALL = """(least) => Array.from(document.querySelectorAll("button, a, input, select, textarea"))
  .filter((el) => el.checkVisibility() && !el.closest("p, .comment__body, .skip"))
  .filter((el) => {
    const { width, height } = el.getBoundingClientRect();
    const around = getComputedStyle(el, "::after");
    const room = around.position === "absolute" ? around : { width: 0, height: 0 };
    const [wide, high] = [Math.max(width, parseFloat(room.width)), Math.max(height, parseFloat(room.height))];
    return Math.round(wide) < least || Math.round(high) < least;
  })
  .map((el) => el.outerHTML.slice(0, 120))"""


async def test_alice_sees_long_and_stacked_and_hebrew_comments_inside_their_edges(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient
) -> None:
    """A comment of 4,900 lines is folded. Stacked marks are cut off at the edges of their comment."""
    await write(carol_client, f"{STACKED} {STACKED}")
    long = await write(carol_client, LINES)
    hebrew = await write(carol_client, f"{HEBREW}\nand English")
    alice = await open_browser("Alice")
    page = alice.page
    assert await page.evaluate("getComputedStyle(document.querySelector('.comment__body')).overflow") == "clip"
    body, button = BODY.format(id=long["id"]), page.locator(f"#comment-{long['id']} .comment__unfold")
    assert await page.evaluate(f"{body}.offsetHeight") < 900
    assert await button.get_attribute("aria-expanded") == "false"
    await button.click()
    assert await page.evaluate(f"{body}.offsetHeight") > 100_000
    assert await button.inner_text() == "Show less"
    await button.click()
    assert await page.evaluate(f"{body}.offsetHeight") < 900
    # Each line of plain text has its own direction, and so does typed text.
    assert await page.evaluate(f"getComputedStyle({BODY.format(id=hebrew['id'])}).direction") == "rtl"
    assert await page.evaluate(f"getComputedStyle({BODY.format(id=hebrew['id'])}).unicodeBidi") == "plaintext"
    await page.fill(".composer__body", HEBREW)
    assert await page.evaluate("getComputedStyle(document.querySelector('.composer__body')).direction") == "rtl"
    # A printed page shows all of it, without buttons.
    await page.emulate_media(media="print")
    assert await page.evaluate(f"{body}.offsetHeight") > 100_000
    assert not await page.locator("button:visible, textarea:visible").count()
    # A link to it unfolds it.
    await page.emulate_media(media="screen")
    await page.evaluate(f"location.hash = '#comment-{long['id']}'")
    await alice.until(f"{body}.offsetHeight > 100_000", "the whole comment")


async def test_alice_has_room_for_replies_and_fingertips_on_a_phone(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient
) -> None:
    first = await write(carol_client, "One")
    reply = await write(carol_client, "Two", parent_id=first["id"])
    last = await write(carol_client, "Three")
    alice = await open_browser("Alice", viewport=PHONE, has_touch=True, is_mobile=True)
    page = alice.page
    left = [await page.evaluate(f"{BODY.format(id=one['id'])}.getBoundingClientRect().left") for one in (first, reply)]
    assert left[1] - left[0] >= 12, "a reply is visibly indented"
    # A line leads from a comment down along its replies, and ends at the last reply.
    style = "getComputedStyle(document.getElementById('comment-{id}')).getPropertyValue('--{name}')"
    styles = {
        (one["body"], name): await page.evaluate(style.format(id=one["id"], name=name))
        for one in (first, reply, last)
        for name in ("own-line", "line-0", "height-0")
    }
    drawn = [name for name, value in styles.items() if "line" in name[1] and value != "transparent"]
    assert drawn == [("One", "own-line"), ("Two", "line-0")]
    assert styles["Two", "height-0"] != "100%"
    assert await page.evaluate(SMALL, 44) == []
    # "edited" is beside the time, and the count of earlier comments has a space before its words.
    read_json(await carol_client.patch(f"/api/comments/{last['id']}", json={"body": "Three, edited"}), 200)
    await alice.sees("One", "Two", "Three, edited")
    gap = """() => {
      const edited = document.querySelector(".comment__edited:not([hidden])");
      const time = edited.parentNode.querySelector(".comment__link");
      return edited.getBoundingClientRect().left - time.getBoundingClientRect().right;
    }"""
    assert 0 <= await page.evaluate(gap) < 24
    space = "getComputedStyle(document.querySelector('.thread__earlier-count')).whiteSpace"
    assert await page.evaluate(space) == "pre", "otherwise the flex box drops the space"


@pytest.mark.parametrize("ahead", [3, -3], ids=["three hours ahead", "three hours behind"])
async def test_a_guest_with_a_wrong_clock_sees_the_right_age_of_a_comment(
    ahead: int, open_browser: OpenBrowser, carol_client: httpx.AsyncClient
) -> None:
    await write(carol_client, "A moment ago")
    guest = await open_browser(None)
    await guest.page.add_init_script(f"const now = Date.now.bind(Date); Date.now = () => now() + {ahead} * 3_600_000;")
    await guest.reload()
    age = "document.querySelector('.comment__time').shadowRoot.textContent"
    await guest.until(f"/just now|seconds? ago|minutes? ago/.test({age})", "the age of the comment")


async def test_alices_screen_reader_gets_the_number_of_likes_once_it_is_known(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient
) -> None:
    comment = await write(carol_client, "Likeable")
    alice = await open_browser("Alice")
    label = "document.querySelector('.comment__like').getAttribute('aria-label')"
    await alice.page.evaluate("parley.comments.first().unset('likes_count')")
    assert await alice.page.evaluate(label) == "Like"
    read_json(await carol_client.put(f"/api/comments/{comment['id']}/like", json={}), 200)
    await alice.until(f"{label} === 'Like, 1 like'", "the number of likes")
