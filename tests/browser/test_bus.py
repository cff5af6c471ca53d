"""The bus: events of the server and of the front end. Local events are never sent to the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.browser.people import Person
from tests.support.people import delete, edit, write

if TYPE_CHECKING:
    from tests.browser.conftest import OpenBrowser

COLLECT = """() => {
  window.received = [];
  parley.bus.on("all", (name, data) => window.received.push([name, data]));
}"""


async def events_named(person: Person, name: str) -> list[Any]:
    events: list[list[Any]] = await person.page.evaluate("window.received")
    return [data for event, data in events if event == name]


async def test_a_guest_opens_the_dialog_by_a_local_event_without_a_request(guest: Person) -> None:
    await guest.page.evaluate(COLLECT)
    requests = requests_of(guest)
    await guest.page.evaluate("parley.bus.trigger('local.entry.wanted', 'signup')")
    await guest.page.locator("dialog.entry[open][data-mode=signup]").wait_for()
    await guest.page.locator(".entry__close").click()
    await guest.page.evaluate("parley.bus.trigger('local.announcement', 'Tea is ready.')")
    await guest.until("document.querySelector('.announcer').textContent === 'Tea is ready.'", "the announcement")
    # If the dialog's code was still loading, the event is triggered again for the dialog, which listens only then.
    assert set(await events_named(guest, "local.entry.wanted")) == {"signup"}
    assert len(await events_named(guest, "local.entry.closed")) == 1
    assert requests_of(guest) == requests


def requests_of(person: Person) -> list[str]:
    """The requests of the page, without files: the browser requests the icon at any time."""
    return [request for request in person.requests if "/static/" not in request]


async def test_alices_stream_triggers_events_under_the_names_of_the_server(alice: Person) -> None:
    await alice.page.evaluate(COLLECT)
    comment = await write(alice.client, "One")
    await edit(alice.client, comment, "Two")
    await delete(alice.client, comment)
    is_last = "([name]) => name === 'global.comment.destroy.success'"
    await alice.until(f"window.received.some({is_last})", "the last of three events")
    created, *_ = await events_named(alice, "global.comment.create.success")
    updated, *_ = await events_named(alice, "global.comment.update.success")
    destroyed, *_ = await events_named(alice, "global.comment.destroy.success")
    assert created == comment
    assert updated["body"] == "Two"
    assert set(destroyed) == {"id", "commentable_type", "commentable_id", "seq", "created_seq"}


async def test_alice_sees_no_change_from_events_that_arrive_twice_or_late(alice: Person) -> None:
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


async def test_alices_page_gets_each_state_of_the_stream_as_an_event(open_browser: OpenBrowser) -> None:
    alice = await open_browser("Alice")
    await alice.page.evaluate(COLLECT)
    await alice.page.evaluate("parley.connector.close()")
    await alice.page.evaluate("parley.connector.resume()")
    await alice.sees_connection_status("live")
    assert await events_named(alice, "local.stream.state") == ["idle", "connecting", "live"]
    assert "cursor" in (await events_named(alice, "local.stream.heartbeat"))[0]
