"""Editing: no change by others, no refusal and no lost connection takes a typed text away."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from playwright.async_api import Route

from tests.browser.network_faults import advance_clock_until
from tests.browser.page_errors import NETWORK, PageErrors
from tests.browser.people import Person
from tests.support.people import delete, edit, write


async def refuse_once(person: Person, method: str, status: int, detail: str, **more: Any) -> None:
    """Respond once to this method with a problem, as the server or a proxy would."""
    problem = {"type": "about:blank", "title": "Refused", "status": status, "detail": detail, **more}
    refused = False

    async def respond(route: Route) -> None:
        nonlocal refused
        if refused or route.request.method != method:
            await route.fallback()
        else:
            refused = True
            await route.fulfill(status=status, content_type="application/problem+json", body=json.dumps(problem))

    await person.page.route("**/api/comments/**", respond)


# -- an open editor --------------------------------------------------------------------------------------------


async def test_alices_open_editor_keeps_its_text_and_cursor_while_others_write(
    alice: Person, carol_client: httpx.AsyncClient
) -> None:
    await write(carol_client, "Above")
    comment = await write(alice.client, "Mine")
    below = await write(carol_client, "Below")
    await alice.sees("Above", "Mine", "Below")
    await alice.open_editor("Mine")
    await alice.editor.fill("Half a thought")
    await alice.page.evaluate("document.querySelector('.editor textarea').setSelectionRange(2, 4)")
    await alice.page.evaluate("window.textarea = document.querySelector('.editor textarea')")

    await edit(carol_client, below, "Below, changed")
    await write(carol_client, "And more")
    await edit(alice.client, comment, "Changed on the phone")
    await alice.until("document.querySelector('.editor__conflict').checkVisibility()", "the conflict")

    assert await alice.page.evaluate("""[
        window.textarea === document.querySelector('.editor textarea'), document.activeElement === window.textarea,
        window.textarea.value, window.textarea.selectionStart, window.textarea.selectionEnd,
    ]""") == [True, True, "Half a thought", 2, 4]
    assert await alice.page.locator(".editor__theirs").inner_text() == "Changed on the phone"
    assert await alice.bodies() == ["Above", "Changed on the phone", "Below, changed", "And more"]

    await alice.page.locator(".editor__save").click()
    await alice.sees("Above", "Half a thought", "Below, changed", "And more")
    await alice.matches_server()


async def test_alice_sees_both_texts_after_she_edits_an_old_version(alice: Person, page_errors: PageErrors) -> None:
    page_errors.allow(NETWORK)
    comment = await write(alice.client, "As it was")
    await alice.sees("As it was")
    await alice.page.evaluate("parley.connector.close()")
    await edit(alice.client, comment, "As the phone has it")
    async with alice.page.expect_response(lambda response: response.request.method == "PATCH") as response:
        await alice.edit("As it was", "As the laptop has it")
    assert (await (await response.value).json())["status"] == 412

    await alice.page.locator(".editor__conflict").wait_for()
    assert await alice.editor.input_value() == "As the laptop has it"
    assert await alice.page.locator(".editor__theirs").inner_text() == "As the phone has it"

    await alice.page.locator(".editor__save").click()
    await alice.page.evaluate("parley.connector.resume()")
    await alice.sees("As the laptop has it")
    await alice.matches_server()


async def test_alice_can_take_the_other_version_in_a_conflict(alice: Person, page_errors: PageErrors) -> None:
    page_errors.allow(NETWORK)
    comment = await write(alice.client, "As it was")
    await alice.sees("As it was")
    await alice.page.evaluate("parley.connector.close()")
    await edit(alice.client, comment, "As the phone has it")
    await alice.edit("As it was", "As the laptop has it")
    await alice.page.locator(".editor__conflict").wait_for()
    await alice.page.locator(".editor__cancel").click()
    await alice.sees("As the phone has it")
    await alice.page.evaluate("parley.connector.resume()")
    await alice.matches_server()


async def test_alice_keeps_her_text_when_its_comment_is_deleted(alice: Person) -> None:
    comment = await write(alice.client, "Short-lived")
    await alice.sees("Short-lived")
    await alice.open_editor("Short-lived")
    await alice.editor.fill("A long and careful text")
    await delete(alice.client, comment)
    await alice.page.locator(".editor__problem").wait_for()
    assert await alice.editor.input_value() == "A long and careful text"
    assert not await alice.page.locator(".editor__save").is_visible()
    await alice.page.locator(".editor__cancel").click()
    await alice.sees()
    await alice.matches_server()


async def test_alice_presses_escape_and_changes_nothing(alice: Person) -> None:
    await alice.write("Stays")
    await alice.is_settled()
    await alice.open_editor("Stays")
    await alice.editor.fill("Goes")
    await alice.editor.press("Escape")
    await alice.sees("Stays")
    assert not [request for request in alice.requests if request.startswith(("PUT", "PATCH"))]


# -- refusals --------------------------------------------------------------------------------------------------


async def test_alice_sees_the_reason_for_a_refused_comment_and_keeps_its_text(
    alice: Person, page_errors: PageErrors
) -> None:
    page_errors.allow(NETWORK)
    await refuse_once(alice, "POST", 422, "Invalid", errors=[{"field": "body", "detail": "Too frank"}])
    await alice.write("What I think")
    await alice.sees_note("What I think", "Couldn't post this comment. Too frank")
    assert await alice.snapshot() == []

    await alice.edit("What I think", "What I say")
    await alice.sees("What I say")
    await alice.matches_server()


@pytest.mark.parametrize("status", [429, 502, 503])
async def test_alices_changes_are_sent_again_after_the_server_was_busy(
    status: int, alice: Person, page_errors: PageErrors
) -> None:
    page_errors.allow(NETWORK)
    await refuse_once(alice, "POST", status, "Later, please")
    await alice.write("Patience")
    await refuse_once(alice, "PATCH", status, "Later, please")
    await alice.is_settled()
    await alice.edit("Patience", "Persistence")
    await alice.is_settled()
    await refuse_once(alice, "DELETE", status, "Later, please")
    await alice.write("Gone soon")
    await alice.is_settled()
    await alice.delete("Gone soon")
    await alice.sees("Persistence")
    await alice.until("parley.outbox.records.length === 0", "an empty outbox")
    await alice.matches_server()


@pytest.mark.virtual_clock
async def test_alices_comment_that_fails_on_the_server_is_sent_five_times_at_most(
    alice: Person, page_errors: PageErrors
) -> None:
    page_errors.allow(NETWORK)
    requests = []

    async def fail(route: Route) -> None:
        body = route.request.post_data_json["body"]
        if body == "A stone":
            requests.append(body)
            await route.fulfill(status=500)
        else:
            await route.continue_()

    await alice.page.route("**/api/comments/", fail)
    await alice.write("A stone")
    await alice.write("Behind it")
    await advance_clock_until(alice, "parley.outbox.records.some(({ problem }) => problem)", "the last try")
    await alice.sees_note("A stone", "Couldn't post this comment. Something went wrong. Please try again.")
    await alice.until(
        "parley.comments.length === 2 && parley.outbox.records.length === 1", "the next comment to be sent"
    )
    assert [comment["body"] for comment in await alice.snapshot()] == ["Behind it"]
    assert len(requests) == 5
    await alice.page.unroute("**/api/comments/", fail)
    await alice.comment("A stone").locator(".comment__retry").click()
    await alice.matches_server()


async def test_alice_can_discard_a_refused_comment(alice: Person, page_errors: PageErrors) -> None:
    page_errors.allow(NETWORK)
    await refuse_once(alice, "POST", 422, "No")
    await alice.write("Never mind")
    await alice.comment("Never mind").locator(".comment__discard").click()
    await alice.matches_server()
    assert await alice.bodies() == []


async def test_alice_posts_a_comment_once_though_the_response_is_lost(alice: Person, page_errors: PageErrors) -> None:
    page_errors.allow(NETWORK)
    handled = 0

    async def drop_first_response(route: Route) -> None:
        nonlocal handled
        response = await route.fetch()
        handled += 1
        if handled == 1:
            await route.abort()
        else:
            await route.fulfill(response=response)

    await alice.page.evaluate("parley.connector.close()")  # so that no echo confirms it
    await alice.page.route("**/api/comments/**", drop_first_response)
    await alice.write("Did it arrive?")
    await alice.is_settled()
    await alice.page.evaluate("parley.connector.resume()")
    await alice.matches_server()
    assert handled == 2


@pytest.mark.parametrize(("status", "why"), [(422, "Too long"), (403, "Not yours")])
async def test_alice_sees_the_reason_for_a_refused_edit_and_keeps_its_text(
    status: int, why: str, alice: Person, page_errors: PageErrors
) -> None:
    page_errors.allow(NETWORK)
    await alice.write("As it is")
    await alice.is_settled()
    await refuse_once(alice, "PATCH", status, why)
    await alice.edit("As it is", "As it should be")
    await alice.page.locator(".editor__problem").wait_for()
    assert why in await alice.page.locator(".editor__problem").inner_text()
    assert await alice.editor.input_value() == "As it should be"
    assert (await alice.snapshot())[0]["body"] == "As it is"
    await alice.page.locator(".editor__save").click()
    await alice.sees("As it should be")
    await alice.matches_server()


async def test_alice_sees_a_comment_again_after_its_delete_is_refused(alice: Person, page_errors: PageErrors) -> None:
    page_errors.allow(NETWORK)
    await alice.write("Tenacious")
    await alice.is_settled()
    await refuse_once(alice, "DELETE", 403, "Not yours")
    await alice.delete("Tenacious")
    await alice.sees_note("Tenacious", "Couldn't delete this comment. Not yours")
    await alice.delete("Tenacious")
    await alice.sees()
    await alice.matches_server()


async def test_alice_cannot_post_a_blank_comment(alice: Person) -> None:
    await alice.write("   \n ")
    await alice.write("A word")
    await alice.sees("A word")
    await alice.is_settled()
    assert len([request for request in alice.requests if request.startswith("POST")]) == 1
