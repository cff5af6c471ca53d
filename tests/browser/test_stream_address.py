"""The address of a stream: one stream serves many tabs, and its address is short enough for every proxy."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import Route

from app.demo import Article
from app.live.topics import Topic
from app.pages import pages
from tests.browser.page_errors import NETWORK, PageErrors
from tests.browser.people import Person
from tests.support.people import write

if TYPE_CHECKING:
    import httpx

STREAMS = re.compile(r"/streams\?")
SLUGS = [f"an-ordinary-slug-of-an-article-{number:02}" for number in range(85)]
MAX_LINE_LENGTH = 6_000  # characters; round_plan.js


class Proxy:
    """Refuses some addresses of streams, and lists the lengths of all that were requested."""

    def __init__(self, max_length: int = 8_192, refuses: str = "") -> None:
        self.lengths: list[int] = []
        self._max_length = max_length
        self._refuses = refuses

    async def respond(self, route: Route) -> None:
        url = route.request.url
        topics = [part for part in url.partition("?")[2].split("&") if part.startswith("topic=")]
        refused = f"topic={self._refuses}"
        self.lengths.append(len(url))
        if len(url) > self._max_length:
            await route.fulfill(status=414, body="Request-URI Too Large")
        elif refused in topics:
            problem = json.dumps({"status": 422, "topic_positions": [topics.index(refused)]})
            await route.fulfill(status=422, content_type="application/problem+json", body=problem)
        else:
            await route.continue_()


@pytest.mark.parametrize("max_length", [8_192, 2_500], ids=["as nginx has it", "a stricter one"])
async def test_alices_thread_stays_live_while_another_page_shows_85_counts(
    alice: Person,
    carol_client: httpx.AsyncClient,
    page_errors: PageErrors,
    max_length: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page_errors.allow(NETWORK)
    articles = {Topic("Article", slug): Article(slug, "", "", ()) for slug in SLUGS}
    monkeypatch.setattr(pages, "articles_of", lambda _: articles)
    proxy = Proxy(max_length)
    await alice.context.route(STREAMS, proxy.respond)
    numbers = await alice.open_another_tab("/")
    await alice.until("parley.connector.state === 'live'", "the thread to be live")
    assert max(proxy.lengths) < MAX_LINE_LENGTH + len("http://127.0.0.1:65535")
    await write(carol_client, "Over the stream")
    await alice.sees("Over the stream")
    for slug in (SLUGS[0], SLUGS[-1]):
        await write(carol_client, "Counted", commentable_id=slug)
    await numbers.page.bring_to_front()
    await numbers.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # a poll is due
    for slug in (SLUGS[0], SLUGS[-1]):
        one = f"parley.commentables.named('Article/{slug}').get('comments_count') === 1"
        await numbers.until(one, "the count of comments")
    assert len(proxy.lengths) < 20


async def test_alices_thread_stays_live_while_another_tab_follows_a_refused_topic(
    alice: Person, carol_client: httpx.AsyncClient, page_errors: PageErrors
) -> None:
    page_errors.allow(NETWORK)
    proxy = Proxy(refuses="Article%2F2")
    await alice.context.route(STREAMS, proxy.respond)
    await alice.open_another_tab("/Article/2")
    await alice.until("parley.connector.state === 'live'", "the thread to be live")
    await write(carol_client, "Over the stream")
    await alice.sees("Over the stream")
