"""The one bus: what only the front-end has to say travels as what the server says does, and never leaves it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.browser.people import Person
from tests.support.people import delete, edit, write

if TYPE_CHECKING:
    from tests.browser.conftest import OpenBrowser

COLLECT = """() => {
  window.heard = [];
  parley.bus.on("all", (name, data) => window.heard.push([name, data]));
}"""


async def heard(person: Person, name: str) -> list[Any]:
    events: list[list[Any]] = await person.page.evaluate("window.heard")
    return [data for event, data in events if event == name]


async def test_events_of_the_front_end_alone_reach_their_listeners(guest: Person) -> None:
    await guest.page.evaluate(COLLECT)
    requests = _asked(guest)
    await guest.page.evaluate("parley.bus.trigger('local.entry.wanted', 'signup')")
    assert await guest.page.locator("dialog.entry").get_attribute("data-mode") == "signup"
    assert await guest.page.locator("dialog.entry").is_visible()
    await guest.page.locator(".entry__close").click()
    await guest.page.evaluate("parley.bus.trigger('local.announcement', 'Tea is ready.')")
    await guest.until("document.querySelector('.announcer').textContent === 'Tea is ready.'", "the announcement")
    # The event comes a second time if the dialog's code was still loading: for the dialog, which listens only then.
    assert set(await heard(guest, "local.entry.wanted")) == {"signup"}
    assert len(await heard(guest, "local.entry.closed")) == 1
    assert _asked(guest) == requests


def _asked(person: Person) -> list[str]:
    """What the page has wanted of the service; its icon comes when the browser likes."""
    return [request for request in person.requests if "/static/" not in request]


async def test_the_stream_speaks_under_the_servers_own_names(alice: Person) -> None:
    await alice.page.evaluate(COLLECT)
    comment = await write(alice.client, "One")
    await edit(alice.client, comment, "Two")
    await delete(alice.client, comment)
    is_last = "([name]) => name === 'global.comment.destroy.success'"
    await alice.until(f"window.heard.some({is_last})", "the last of three")
    created, *_ = await heard(alice, "global.comment.create.success")
    updated, *_ = await heard(alice, "global.comment.update.success")
    destroyed, *_ = await heard(alice, "global.comment.destroy.success")
    assert created == comment
    assert updated["body"] == "Two"
    assert set(destroyed) == {"id", "commentable_type", "commentable_id", "seq", "created_seq"}


async def test_applying_an_event_twice_or_late_does_nothing(alice: Person) -> None:
    comment = await write(alice.client, "One")
    changed = await edit(alice.client, comment, "Two")
    other = await write(alice.client, "Gone")
    await delete(alice.client, other)
    await alice.sees("Two")
    await alice.page.evaluate("(state) => parley.bus.trigger('global.comment.destroy.success', state)", other)
    for state in (comment, changed, comment, other):
        for act in ("create", "update"):
            await alice.page.evaluate(
                "([name, state]) => parley.bus.trigger(name, state)", [f"global.comment.{act}.success", state]
            )
    await alice.matches_server()
    assert await alice.bodies() == ["Two"]


async def test_states_of_the_stream_are_told(open_browser: OpenBrowser) -> None:
    alice = await open_browser("Alice")
    await alice.page.evaluate(COLLECT)
    await alice.page.evaluate("parley.connector.close()")
    await alice.page.evaluate("parley.connector.resume()")
    await alice.sees_connection_status("live")
    assert await heard(alice, "local.stream.state") == ["idle", "connecting", "live"]
    assert "cursor" in (await heard(alice, "local.stream.heartbeat"))[0]
