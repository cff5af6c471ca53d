"""Guests with READERS=collapsed: their pages are live without a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.browser.conftest import OpenBrowser
    from tests.browser.people import Person

pytestmark = pytest.mark.parametrize("settings", [{"readers": "collapsed"}], indirect=True)


def paths(person: Person) -> set[str]:
    return {request.partition("?")[0] for request in person.requests}


async def test_a_guest_sees_changes_live_without_a_stream_and_gets_one_after_signing_in(
    open_browser: OpenBrowser,
) -> None:
    alice, guest = await open_browser("Alice"), await open_browser()
    other_tab = await guest.open_another_tab("/Article/2")
    await alice.write("A step")
    await guest.sees("A step")
    await alice.edit("A step", "Two steps")
    await guest.sees("Two steps")
    await guest.sees_text(".thread__count", "1 comment")
    await alice.delete("Two steps")
    await guest.sees()
    await alice.go("/Article/2")
    await alice.write("In the other tab")
    await other_tab.sees("In the other tab")
    await guest.matches_server()
    assert {"GET /changes/Article/1", "GET /changes/Commentable/Article/1"} <= paths(guest)
    assert "GET /streams" not in paths(guest)
    assert "GET /changes/Article/1" not in paths(alice)
    await guest.open_sign_in()
    await guest.sign_in("Alice")
    await guest.is_signed_in("Alice")
    await wait_until(lambda: "GET /streams" in paths(guest), "the stream to open")
    await guest.write("From here")
    await guest.matches_server()
