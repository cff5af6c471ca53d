"""What is said of a conversation as a whole: how much there is, its title, and that it is locked."""

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
MUCH = 120  # comments: more than a page has


async def decide(served: Parley, **what: Any) -> None:
    """As moderators do, and jobs."""
    async with served.writing(ARTICLE.about) as writing, commentables.changing(writing, ARTICLE) as commentable:
        for name, value in what.items():
            setattr(commentable, name, value)


async def counts(person: Person, number: int) -> None:
    words = f"{COUNT}.textContent === '{number} comments' && {COUNT}.dataset.count === '{number}'"
    await person.until(words, f"{number} comments")


async def test_the_number_is_exact_though_not_all_is_loaded(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient, served: Parley, add_comments: AddComments
) -> None:
    await add_comments(MUCH)
    await decide(served, comments_count=MUCH)
    alice = await open_browser("Alice")
    await counts(alice, MUCH)
    comment = await write(carol_client, "One more")
    await counts(alice, MUCH + 1)
    await delete(carol_client, comment)
    await counts(alice, MUCH)
    await alice.write("And mine")
    await counts(alice, MUCH + 1)


async def test_nothing_is_said_where_it_is_locked(
    alice: Person, served: Parley, carol_client: httpx.AsyncClient
) -> None:
    await write(carol_client, "One")
    await alice.sees("One")
    await alice.composer.fill("Half a")
    await decide(served, locked=True)
    note = alice.page.locator(".thread__locked")
    await note.wait_for()
    assert await note.inner_text() == "Comments are closed."
    assert not await alice.composer.is_visible()
    await alice.focus_is_on(".thread__locked")
    await alice.reload()
    assert await note.is_visible()
    await decide(served, locked=False)
    await alice.composer.wait_for()
    assert not await note.is_visible()
    assert await alice.composer.input_value() == "Half a"


async def test_what_was_written_before_one_knew_is_kept(alice: Person, served: Parley, page_errors: PageErrors) -> None:
    page_errors.allow("403")
    await alice.page.evaluate("parley.connector.close()")
    await decide(served, locked=True)
    await alice.write("Too late")
    note = alice.comment("Too late").locator(".comment__note")
    await alice.until("parley.outbox.records.some(({ problem }) => problem)", "the refusal")
    assert "Comments are closed." in await note.inner_text()


async def test_a_title_is_a_live_thing_too(alice: Person, served: Parley) -> None:
    await decide(served, title="What the parrot meant")
    await alice.until("document.querySelector('.article__title').textContent === 'What the parrot meant'", "it")
    assert await alice.page.title() == "What the parrot meant · Parley"
    await alice.reload()
    assert await alice.page.locator("h1").inner_text() == "What the parrot meant"


async def test_the_front_page_counts_along(
    open_browser: OpenBrowser, carol_client: httpx.AsyncClient, site: Site, served: Parley
) -> None:
    guest = await open_browser(at="/")
    await wait_for_streams(site)
    card = guest.page.locator(".card[data-commentable='Article/1']")
    assert await card.locator(".card__count").inner_text() == "No comments yet"
    first = await write(carol_client, "One")
    await guest.until("document.querySelector('.card__count').textContent === '1 comment'", "one")
    await write(carol_client, "Two")
    await write(carol_client, "Elsewhere", commentable_type="Page", commentable_id="about")
    await guest.until("document.querySelector('.card__count').textContent === '2 comments'", "two")
    await guest.until("[...document.querySelectorAll('.card__count')].at(-1).textContent === '1 comment'", "the page's")
    await delete(carol_client, first)
    await guest.until("document.querySelector('.card__count').textContent === '1 comment'", "one again")
    await decide(served, title="What the parrot meant")
    await guest.until("document.querySelector('.card__title').textContent === 'What the parrot meant'", "the title")
