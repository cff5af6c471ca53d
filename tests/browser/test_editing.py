"""What somebody has typed is theirs: no change by others, no refusal and no lost connection takes it away."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from playwright.async_api import Route

from tests.browser.page_errors import NETWORK, PageErrors
from tests.browser.people import Person
from tests.support.people import delete, edit, write
from tests.support.waiting import wait_until


async def refuse(person: Person, method: str, status: int, detail: str, **more: Any) -> None:
    """The server, or something before it, refuses this method once."""
    problem = {"type": "about:blank", "title": "Refused", "status": status, "detail": detail, **more}
    refused = False

    async def answer(route: Route) -> None:
        nonlocal refused
        if refused or route.request.method != method:
            await route.fallback()
        else:
            refused = True
            await route.fulfill(status=status, content_type="application/problem+json", body=json.dumps(problem))

    await person.page.route("**/api/comments/**", answer)


# -- an open editor --------------------------------------------------------------------------------------------


async def test_an_open_editor_is_left_alone(alice: Person, carol_client: httpx.AsyncClient) -> None:
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
    await alice.until("document.querySelector('.editor__conflict').checkVisibility()", "to be told")

    assert await alice.page.evaluate("""[
        window.textarea === document.querySelector('.editor textarea'), document.activeElement === window.textarea,
        window.textarea.value, window.textarea.selectionStart, window.textarea.selectionEnd,
    ]""") == [True, True, "Half a thought", 2, 4]
    assert await alice.page.locator(".editor__theirs").inner_text() == "Changed on the phone"
    assert await alice.bodies() == ["Above", "Changed on the phone", "Below, changed", "And more"]

    await alice.page.locator(".editor__save").click()
    await alice.sees("Above", "Half a thought", "Below, changed", "And more")
    await alice.matches_server()


async def test_an_edit_of_something_stale_shows_both_and_loses_nothing(alice: Person, page_errors: PageErrors) -> None:
    page_errors.allow(NETWORK)
    comment = await write(alice.client, "As it was")
    await alice.sees("As it was")
    await alice.page.evaluate("parley.connector.close()")
    await edit(alice.client, comment, "As the phone has it")
    async with alice.page.expect_response(lambda response: response.request.method == "PATCH") as answer:
        await alice.edit("As it was", "As the laptop has it")
    assert (await (await answer.value).json())["status"] == 412

    await alice.page.locator(".editor__conflict").wait_for()
    assert await alice.editor.input_value() == "As the laptop has it"
    assert await alice.page.locator(".editor__theirs").inner_text() == "As the phone has it"

    await alice.page.locator(".editor__save").click()
    await alice.page.evaluate("parley.connector.resume()")
    await alice.sees("As the laptop has it")
    await alice.matches_server()


async def test_of_two_texts_the_other_can_be_taken(alice: Person, page_errors: PageErrors) -> None:
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


async def test_the_text_stays_when_its_comment_is_deleted_meanwhile(alice: Person) -> None:
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


async def test_escape_leaves_all_as_it_was(alice: Person) -> None:
    await alice.write("Stays")
    await alice.is_settled()
    await alice.open_editor("Stays")
    await alice.editor.fill("Goes")
    await alice.editor.press("Escape")
    await alice.sees("Stays")
    assert not [request for request in alice.requests if request.startswith(("PUT", "PATCH"))]


# -- refusals --------------------------------------------------------------------------------------------------


async def test_a_refused_comment_keeps_its_text_and_says_why(alice: Person, page_errors: PageErrors) -> None:
    page_errors.allow(NETWORK)
    await refuse(alice, "POST", 422, "Invalid", errors=[{"field": "body", "detail": "Too frank"}])
    await alice.write("What I think")
    await alice.sees_note("What I think", "Couldn't post this comment. Too frank")
    assert await alice.snapshot() == []

    await alice.edit("What I think", "What I say")
    await alice.sees("What I say")
    await alice.matches_server()


@pytest.mark.parametrize("status", [429, 502, 503])
async def test_what_the_server_cannot_take_just_now_is_sent_again_by_itself(
    status: int, alice: Person, page_errors: PageErrors
) -> None:
    page_errors.allow(NETWORK)
    await refuse(alice, "POST", status, "Later, please")
    await alice.write("Patience")
    await refuse(alice, "PATCH", status, "Later, please")
    await alice.is_settled()
    await alice.edit("Patience", "Persistence")
    await alice.is_settled()
    await refuse(alice, "DELETE", status, "Later, please")
    await alice.write("Gone soon")
    await alice.is_settled()
    await alice.delete("Gone soon")
    await alice.sees("Persistence")
    await alice.until("parley.outbox.records.length === 0", "all to be sent")
    await alice.matches_server()


@pytest.mark.virtual_clock
async def test_over_what_the_server_stumbles_it_is_not_asked_for_ever(alice: Person, page_errors: PageErrors) -> None:
    page_errors.allow(NETWORK)
    asked = []

    async def stumble(route: Route) -> None:
        body = route.request.post_data_json["body"]
        if body == "A stone":
            asked.append(body)
            await route.fulfill(status=500)
        else:
            await route.continue_()

    await alice.page.route("**/api/comments/", stumble)
    await alice.write("A stone")
    await alice.write("Behind it")
    await wait_until(lambda: _later(alice, len(asked) == 5), "the last try")
    await alice.sees_note("A stone", "Couldn't post this comment. Something went wrong. Please try again.")
    await alice.until("parley.comments.length === 2 && parley.outbox.records.length === 1", "the next to be sent")
    assert [comment["body"] for comment in await alice.snapshot()] == ["Behind it"]
    assert len(asked) == 5
    await alice.page.unroute("**/api/comments/", stumble)
    await alice.comment("A stone").locator(".comment__retry").click()
    await alice.matches_server()


async def _later(person: Person, is_enough: bool) -> bool:
    await person.page.clock.run_for(1_000)
    return is_enough


async def test_a_comment_that_cannot_be_posted_can_be_discarded(alice: Person, page_errors: PageErrors) -> None:
    page_errors.allow(NETWORK)
    await refuse(alice, "POST", 422, "No")
    await alice.write("Never mind")
    await alice.comment("Never mind").locator(".comment__discard").click()
    await alice.matches_server()
    assert await alice.bodies() == []


async def test_a_comment_whose_answer_is_lost_is_posted_once(alice: Person, page_errors: PageErrors) -> None:
    page_errors.allow(NETWORK)
    taken = 0

    async def lose_the_first_answer(route: Route) -> None:
        nonlocal taken
        response = await route.fetch()
        taken += 1
        if taken == 1:
            await route.abort()
        else:
            await route.fulfill(response=response)

    await alice.page.evaluate("parley.connector.close()")  # so no echo tells that it was taken
    await alice.page.route("**/api/comments/**", lose_the_first_answer)
    await alice.write("Did it arrive?")
    await alice.is_settled()
    await alice.page.evaluate("parley.connector.resume()")
    await alice.matches_server()
    assert taken == 2


@pytest.mark.parametrize(("status", "why"), [(422, "Too long"), (403, "Not yours")])
async def test_a_refused_edit_keeps_its_text_and_says_why(
    status: int, why: str, alice: Person, page_errors: PageErrors
) -> None:
    page_errors.allow(NETWORK)
    await alice.write("As it is")
    await alice.is_settled()
    await refuse(alice, "PATCH", status, why)
    await alice.edit("As it is", "As it should be")
    await alice.page.locator(".editor__problem").wait_for()
    assert why in await alice.page.locator(".editor__problem").inner_text()
    assert await alice.editor.input_value() == "As it should be"
    assert (await alice.snapshot())[0]["body"] == "As it is"
    await alice.page.locator(".editor__save").click()
    await alice.sees("As it should be")
    await alice.matches_server()


async def test_a_refused_delete_brings_the_comment_back(alice: Person, page_errors: PageErrors) -> None:
    page_errors.allow(NETWORK)
    await alice.write("Tenacious")
    await alice.is_settled()
    await refuse(alice, "DELETE", 403, "Not yours")
    await alice.delete("Tenacious")
    await alice.sees_note("Tenacious", "Couldn't delete this comment. Not yours")
    await alice.delete("Tenacious")
    await alice.sees()
    await alice.matches_server()


async def test_nothing_is_posted_without_a_word(alice: Person) -> None:
    await alice.write("   \n ")
    await alice.write("A word")
    await alice.sees("A word")
    await alice.is_settled()
    assert len([request for request in alice.requests if request.startswith("POST")]) == 1
