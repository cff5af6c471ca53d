"""The commentable of a thread: its count of comments, its title, and whether comments are closed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.commentables import commentables
from app.live.topics import Topic
from tests.browser.conftest import AddComments, OpenBrowser
from tests.browser.network_faults import wait_for_streams
from tests.browser.page_errors import PageErrors
from tests.browser.people import Person
from tests.support.people import delete, write

if TYPE_CHECKING:
    import httpx

    from app.live.service import Parley
    from tests.support.serving import Site

ARTICLE = Topic("Article", "1")
COUNT = "document.querySelector('.thread__count')"
MORE_THAN_A_PAGE = 120  # comments


async def change_commentable(served: Parley, **values: Any) -> None:
    """Write to the commentable, as a moderator or a job does."""
    async with served.writing(ARTICLE.about) as writing, commentables.changing(writing, ARTICLE) as commentable:
        for name, value in values.items():
            setattr(commentable, name, value)


async def sees_count(person: Person, number: int) -> None:
    words = f"{COUNT}.textContent === '{number} comments' && {COUNT}.dataset.count === '{number}'"
    await person.until(words, f"{number} comments")


async def test_alice_sees_the_exact_count_though_not_all_comments_are_loaded(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient, served: Parley, add_comments: AddComments
) -> None:
    await add_comments(MORE_THAN_A_PAGE)
    await change_commentable(served, comments_count=MORE_THAN_A_PAGE)
    alice = await open_browser("Alice")
    await sees_count(alice, MORE_THAN_A_PAGE)
    comment = await write(carol_client, "One more")
    await sees_count(alice, MORE_THAN_A_PAGE + 1)
    await delete(carol_client, comment)
    await sees_count(alice, MORE_THAN_A_PAGE)
    await alice.write("And mine")
    await sees_count(alice, MORE_THAN_A_PAGE + 1)


async def test_alice_cannot_write_while_comments_are_closed(
    alice: Person, served: Parley, carol_client: httpx.AsyncClient
) -> None:
    await write(carol_client, "One")
    await alice.sees("One")
    await alice.composer.fill("Half a")
    await change_commentable(served, locked=True)
    note = alice.page.locator(".thread__locked")
    await note.wait_for()
    assert await note.inner_text() == "Comments are closed."
    assert not await alice.composer.is_visible()
    await alice.focus_is_on(".thread__locked")
    await alice.reload()
    assert await note.is_visible()
    await change_commentable(served, locked=False)
    await alice.composer.wait_for()
    assert not await note.is_visible()
    assert await alice.composer.input_value() == "Half a"


async def test_alice_keeps_a_text_that_is_refused_because_comments_were_closed(
    alice: Person, served: Parley, page_errors: PageErrors
) -> None:
    page_errors.allow("403")
    await alice.page.evaluate("parley.connector.close()")
    await change_commentable(served, locked=True)
    await alice.write("Too late")
    note = alice.comment("Too late").locator(".comment__note")
    await alice.until("parley.outbox.records.some(({ problem }) => problem)", "the refusal")
    assert "Comments are closed." in await note.inner_text()


async def test_alice_sees_a_new_title_at_once(alice: Person, served: Parley) -> None:
    await change_commentable(served, title="What the parrot meant")
    await alice.until(
        "document.querySelector('.article__title').textContent === 'What the parrot meant'", "the new title"
    )
    assert await alice.page.title() == "What the parrot meant · Parley"
    await alice.reload()
    assert await alice.page.locator("h1").inner_text() == "What the parrot meant"


async def test_a_guest_sees_the_counts_on_the_front_page_change(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient, site: Site, served: Parley
) -> None:
    guest = await open_browser(at="/")
    await wait_for_streams(site)
    card = guest.page.locator(".card[data-commentable='Article/1']")
    assert await card.locator(".card__count").inner_text() == "No comments yet"
    first = await write(carol_client, "One")
    await guest.until("document.querySelector('.card__count').textContent === '1 comment'", "one comment")
    await write(carol_client, "Two")
    await write(carol_client, "Elsewhere", commentable_type="Page", commentable_id="about")
    await guest.until("document.querySelector('.card__count').textContent === '2 comments'", "two comments")
    await guest.until(
        "[...document.querySelectorAll('.card__count')].at(-1).textContent === '1 comment'", "the count of the page"
    )
    await delete(carol_client, first)
    await guest.until("document.querySelector('.card__count').textContent === '1 comment'", "one comment again")
    await change_commentable(served, title="What the parrot meant")
    await guest.until("document.querySelector('.card__title').textContent === 'What the parrot meant'", "the title")
