"""Rounds: one stream serves many pages, and its address is short enough for every proxy."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from playwright.async_api import Route

from tests.browser.complaints import NETWORK, Complaints
from tests.browser.people import Person
from tests.support.people import write

if TYPE_CHECKING:
    import httpx

STREAMS = re.compile(r"/streams\?")
SLUGS = [f"an-ordinary-slug-of-an-article-{number:02}" for number in range(85)]
COUNTS = "/embed/counts?" + urlencode([("topic", f"Article/{slug}") for slug in SLUGS])

PLAN = """async ([members, options]) => {
  const { planRound } = await import("/static/js/round_plan.js");
  const { lineLength, streamAddress } = await import("/static/js/stream_address.js");
  const refused = new Set(options.refused ?? []);
  const { members: ours, topics, cursors } = planRound(members, { ...options, refused });
  const asked = { topics, cursors, user: options.user, presence: true, once: true };
  return { tabs: ours.map(({ tab }) => tab), topics, length: lineLength(streamAddress(asked)) };
}"""
USER = "0b7f5e0e-6f0c-4c4a-9d51-2f6d8f6f1c11"
ROOM = 6_000


def tab(name: str, *, visible: bool = False, topic: str | None = None, counts: int = 0, prefix: str = "") -> Any:
    about = [f"Commentable/Article/{prefix}{SLUGS[number % 85]}-{number // 85}" for number in range(counts)]
    cursor = "~".join(["3kf0aQ1x", *(f"bWxP2c0Qk1A.{number}" for number in range(counts))])
    return {
        "tab": name,
        "isVisible": visible,
        "topics": [topic or f"Article/{name}"],
        "cursors": [f"3kf0aQ1x~{name}"],
        "counts": {"topics": about, "cursors": [cursor] if counts else []},
    }


async def planned(person: Person, *members: Any, **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = await person.page.evaluate(PLAN, [list(members), {"user": USER, **options}])
    return found


async def test_an_address_has_room_for_what_people_see_first(guest: Person) -> None:
    few = await planned(guest, tab("1"), tab("2", counts=2))
    assert few["tabs"] == ["2", "1"]
    assert len(few["topics"]) == 4

    many = await planned(guest, tab("1"), tab("list", counts=85), tab("another", counts=85, prefix="x"))
    assert sorted(many["tabs"]) == ["1", "another", "list"], "no thread is left out for a number"
    assert many["topics"][:3] == ["Article/another", "Article/list", "Article/1"]
    assert 50 < len(many["topics"]) < 98
    assert many["length"] <= ROOM

    longest = [tab(str(number), topic="Article/" + "🦜" * 199 + str(number)) for number in range(9)]
    longest[0]["isVisible"] = True
    pages = await planned(guest, *longest)
    assert pages["tabs"] == ["0", "8"], "the visible tab, and then the last"
    assert pages["length"] <= ROOM

    crowd = await planned(guest, *(tab(str(number), counts=3) for number in range(200)))
    assert len(crowd["topics"]) <= 98
    assert crowd["length"] <= ROOM

    alone = await planned(guest, tab("1", counts=85), maxLine=300)
    assert alone["topics"] == ["Article/1"]
    refused = await planned(guest, tab("1"), tab("2"), refused=["Article/2"])
    assert (refused["tabs"], refused["topics"]) == (["2", "1"], ["Article/1"])


class Proxy:
    """Refuses some addresses of streams, and lists the lengths of all that were requested."""

    def __init__(self, max_length: int = 8_192, refuses: str = "") -> None:
        self.lengths: list[int] = []
        self._max_length = max_length
        self._refuses = refuses

    async def answer(self, route: Route) -> None:
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
async def test_a_page_of_many_numbers_leaves_the_thread_live(
    alice: Person, phone: httpx.AsyncClient, complaints: Complaints, max_length: int
) -> None:
    complaints.allow(NETWORK)
    proxy = Proxy(max_length)
    await alice.context.route(STREAMS, proxy.answer)
    numbers = await alice.another_tab(COUNTS)
    await alice.until("parley.connector.state === 'live'", "the thread to be live")
    assert max(proxy.lengths) < ROOM + len("http://127.0.0.1:65535")
    await write(phone, "Over the stream")
    await alice.sees("Over the stream")
    for slug in (SLUGS[0], SLUGS[-1]):
        await write(phone, "Counted", commentable_id=slug)
    await numbers.page.bring_to_front()
    await numbers.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # a poll is due
    for slug in (SLUGS[0], SLUGS[-1]):
        one = f"parley.commentables.named('Article/{slug}').get('comments_count') === 1"
        await numbers.until(one, "the number of comments", timeout=40_000)
    assert len(proxy.lengths) < 20


async def test_a_topic_that_is_refused_costs_the_other_tabs_nothing(
    alice: Person, phone: httpx.AsyncClient, complaints: Complaints
) -> None:
    complaints.allow(NETWORK)
    proxy = Proxy(refuses="Article%2F2")
    await alice.context.route(STREAMS, proxy.answer)
    await alice.another_tab("/Article/2")
    await alice.until("parley.connector.state === 'live'", "the thread to be live")
    await write(phone, "Over the stream")
    await alice.sees("Over the stream")
