"""A person at a browser: what they do with keys and clicks, and what they see."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from playwright.async_api import BrowserContext, Error, Frame, Locator, Page, Request

from tests.support.people import ARTICLE, PASSWORD, email_of, write
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    import httpx

    from tests.browser.page_errors import PageErrors

MAX_TAB_PRESSES = 60  # more than the elements of any page that take the focus
DAY_SECONDS = 86_400
TIMEOUT_MS = 40_000  # for each wait; long, because the machine may be busy

SHOWN = """() => Array.from(document.querySelectorAll(".thread__list > .comment"), (el) => {
  const part = (name) => el.querySelector(".comment__" + name);
  return {
    id: el.dataset.commentId,
    username: part("author").textContent,
    body: part("body").textContent,
    edited: part("edited").checkVisibility(),
    current_user_can_edit: part("actions").checkVisibility(),
    state: el.checkVisibility() ? el.dataset.state : "hidden",
  };
})"""
# The text that a screen reader reads out for a field with an error.
DESCRIPTION = """(field) => document.querySelector(field).getAttribute("aria-describedby").split(" ")
  .map((id) => document.getElementById(id)).filter((el) => el.checkVisibility() && el.matches(".field__error"))
  .map((el) => el.textContent).join(" ")"""
NOTICE = "document.querySelector('.notice__words').textContent"
BODIES = f"() => ({SHOWN})().filter((shown) => shown.state !== 'hidden').map((shown) => shown.body)"
MODELS = "() => parley.comments.toJSON()"
# The ids of all comments in the page, inside the list and outside.
IDS = "() => Array.from(document.querySelectorAll('[data-comment-id]'), (el) => el.dataset.commentId)"
READY = "window.parley && ['live', 'idle'].includes(parley.connector.state) && parley.loading() === 0"
SENT = "parley.outbox.records.length === 0"
FIND = "parley.comments.find((comment) => comment.text() === body && comment.state() !== 'deleting')"
EDIT = f"""([body, text]) => {{
  const comment = {FIND};
  comment.edit(text, {{ seq: comment.get("seq"), body: comment.get("body") }});
}}"""
DELETE = f"(body) => {FIND}.remove()"


class Person:
    """`page` is the tab that the person looks at. `client` is an HTTP client with a login of the same account."""

    def __init__(self, name: str, context: BrowserContext, client: httpx.AsyncClient, page_errors: PageErrors) -> None:
        self.name = name
        self.context = context
        self.client = client
        self.server_url = str(client.base_url).rstrip("/")  # of the server, not of a proxy
        self.requests: list[str] = []  # "GET /api/comments/" …, of all tabs, in the order in which they were sent
        self.open_requests: set[Request] = set()  # of all tabs; a stream counts until it is open
        self.page: Page
        context.set_default_timeout(TIMEOUT_MS)
        context.on("page", page_errors.listen)
        context.on("request", self._add_request)
        context.on("response", lambda response: self._close_request(response.request))
        context.on("requestfailed", self._close_request)

    def _add_request(self, request: Request) -> None:
        self.requests.append(_named(request.method, request.url))
        self.open_requests.add(request)

    def _close_request(self, request: Request) -> None:
        self.open_requests.discard(request)

    # -- pages and tabs ------------------------------------------------------------------------------------

    async def visit(self, path: str) -> Person:
        """Open a page in a new tab, and wait until it is live."""
        self.page = await self.context.new_page()
        await self.go(path)
        return self

    async def open_another_tab(self, path: str = "/Article/1") -> Person:
        """The same person, with this path in a new tab."""
        return await self._at(self.page).visit(path)

    def tabs(self) -> list[Person]:
        """The same person, once for each tab that shows a thread."""
        return [self._at(page) for page in self.context.pages if _article(page.url)]

    def inside(self, frame: Frame) -> Person:
        """The same person, in a frame of this tab. `page.keyboard` does not exist on a frame; use the tab's."""
        return self._at(cast(Page, frame))

    def _at(self, page: Page) -> Person:
        tab = object.__new__(Person)
        tab.__dict__.update(self.__dict__)
        tab.page = page
        return tab

    async def go(self, path: str) -> None:
        """Open another page in this tab. An address with a host is not a page of Parley, so it is not waited for."""
        ours = path.startswith("/")
        await self.page.goto(path, wait_until="load" if ours else "domcontentloaded")
        if ours:
            await self.is_ready()

    async def reload(self) -> None:
        await self.page.reload()
        await self.is_ready()

    async def is_ready(self) -> None:
        """Wait until the page's code is loaded, and its stream, if it has one, is open."""
        await self.until(READY, "the page")

    async def sees_connection_status(self, state: str) -> None:
        """Wait until the connection status shows this state."""
        await self.until(
            f"document.querySelector('.light').dataset.state === '{state}'", f"the connection status to be {state}"
        )

    async def until(self, condition: str, what_for: str, timeout: float = TIMEOUT_MS) -> None:
        """Wait until this JavaScript condition is true in the page, for at most `timeout` milliseconds."""
        # Not `wait_for_function`: it evaluates a string in the page, which the Content Security Policy forbids.
        await wait_until(lambda: self._is(condition), f"{self.name} to see {what_for}: {condition}", timeout / 1_000)

    async def _is(self, condition: str) -> bool:
        try:
            return bool(await self.page.evaluate(f"() => {condition}"))
        except Error:  # the tab is loading another page
            return False

    async def take_screenshots(self, directory: Path) -> None:
        for number, page in enumerate(self.context.pages):
            with suppress(Error):  # the page may have crashed
                await page.screenshot(path=directory / f"{self.name}-{number}.png", full_page=True)

    # -- the keyboard ---------------------------------------------------------------------------------------

    async def tab_to(self, selector: str, key: str = "Tab") -> None:
        """Press this key until the focus is on a matching element."""
        for _ in range(MAX_TAB_PRESSES):
            await self.page.keyboard.press(key)
            if await self.has_focus(selector):
                return
        raise AssertionError(f"{MAX_TAB_PRESSES} times {key} did not move the focus to {selector}")

    async def press(self, selector: str, key: str = "Tab") -> None:
        """Move the focus there with this key and press Enter. Wait until the code that this needs is loaded."""
        await self.tab_to(selector, key)
        await self.page.keyboard.press("Enter")
        await self.until("!window.parley || parley.loading() === 0", "the code to be loaded")

    async def type(self, selector: str, text: str) -> None:
        """Move the focus to this field, and replace its text."""
        if not await self.has_focus(selector):
            await self.tab_to(selector)
        await self.page.keyboard.press("Control+A")
        await self.page.keyboard.type(text)

    async def has_focus(self, selector: str) -> bool:
        return bool(await self.page.evaluate("(selector) => document.activeElement.matches(selector)", selector))

    async def focus_is_on(self, selector: str) -> None:
        await self.until(f"document.activeElement.matches({json.dumps(selector)})", f"the focus on {selector}")

    # -- forms ----------------------------------------------------------------------------------------------

    async def fill(self, form: str, **fields: str) -> None:
        """Fill in the fields of a form by their names, and submit it."""
        for name, value in fields.items():
            await self.page.locator(f"{form} [name={name}]").fill(value)
        await self.page.locator(f"{form} [type=submit]:visible").click()

    async def sees_field_error(self, form: str, field: str, words: str = "") -> None:
        """Wait until this field is invalid, has the focus, and is described by an error with these words."""
        await self.focus_is_on(f"{form} [name={field}][aria-invalid=true]")
        described: str = await self.page.evaluate(DESCRIPTION, f"{form} [name={field}]")
        assert words in described, described
        assert described

    async def sees_text(self, selector: str, words: str) -> None:
        """Wait until this element is visible and contains these words."""
        part = f"document.querySelector({json.dumps(selector)})"
        await self.until(f"{part}?.checkVisibility() && {part}.textContent.includes({json.dumps(words)})", words)

    async def sees_note(self, body: str, words: str) -> None:
        """Wait until the note below the comment is this text."""
        note = self.comment(body).locator(".comment__note")

        async def has_note() -> bool:
            return await note.inner_text() == words

        await wait_until(has_note, words)

    async def sees_notice(self, words: str) -> None:
        """Wait until the notice shows these words, and a screen reader reads them out."""
        text = json.dumps(words)
        await self.until(f"document.querySelector('.notice').checkVisibility() && {NOTICE} === {text}", words)
        await self.until(f"document.querySelector('.announcer').textContent.includes({text})", f"{words} (read out)")

    async def sees_no_notice(self) -> None:
        assert not await self.page.locator(".notice").is_visible()

    # -- mail -----------------------------------------------------------------------------------------------

    async def gets_mail(self, to: str, subject: str) -> None:
        """Wait for this mail, and open the list of mails in this tab."""
        await wait_until(lambda: self._has_mail(to, subject), f"“{subject}” to {to}")
        await self.go("/dev/mail")

    async def _has_mail(self, to: str, subject: str) -> bool:
        page = await (await self.context.request.get("/dev/mail")).text()
        return to in page and subject in page

    async def follow_link(self, path: str) -> str:
        """Follow the latest mail's link to this path by keyboard, and wait for the page. Returns its token."""
        await self.tab_to(f".mail a[href*='{path}#']")
        token = str(await self.page.evaluate("document.activeElement.hash.slice(1)"))
        await self.page.keyboard.press("Enter")
        await self.until(f"location.pathname === '{path}'", path)
        await self.is_ready()
        return token

    # -- the thread -----------------------------------------------------------------------------------------

    @property
    def composer(self) -> Locator:
        return self.page.locator(".composer textarea")

    @property
    def editor(self) -> Locator:
        return self.page.locator(".editor textarea")

    def comment(self, body: str) -> Locator:
        """The comment with this text, also while its editor is open."""
        text = self.page.locator(".comment__body", has_text=re.compile(f"^{re.escape(body)}$"))
        return self.page.locator(".thread__list > .comment").filter(has=text)

    async def write(self, body: str) -> None:
        await self.composer.fill(body)
        await self.composer.press("Control+Enter")

    async def open_editor(self, body: str) -> None:
        await self.comment(body).locator(".comment__edit").click()
        await self.editor.wait_for()

    async def write_and_start_edit(self, body: str, new: str) -> dict[str, Any]:
        """Write a comment over HTTP, open its editor, and type the new text without saving. Returns the comment."""
        comment = await write(self.client, body)
        await self.sees(body)
        await self.open_editor(body)
        await self.editor.fill(new)
        return comment

    async def edit(self, body: str, new: str) -> None:
        await self.open_editor(body)
        await self.editor.fill(new)
        await self.editor.press("Control+Enter")

    async def delete(self, body: str) -> None:
        comment = self.comment(body)
        await comment.locator(".comment__delete").click()
        await comment.locator(".comment__delete-yes").click()

    async def edit_in_model(self, body: str, new: str) -> None:
        """Edit a comment through its model, without the editor."""
        await self.page.evaluate(EDIT, [body, new])

    async def delete_in_model(self, body: str) -> None:
        """Delete a comment through its model, without the dialog."""
        await self.page.evaluate(DELETE, body)

    async def shown(self) -> list[dict[str, Any]]:
        """All comments in the list, as the page shows them."""
        shown: list[dict[str, Any]] = await self.page.evaluate(SHOWN)
        return shown

    async def bodies(self) -> list[str]:
        bodies: list[str] = await self.page.evaluate(BODIES)
        return bodies

    async def sees(self, *bodies: str) -> None:
        """Wait until the list shows exactly these texts, in this order."""
        await self._comes_to(BODIES, list(bodies))

    async def sees_newest(self, *bodies: str) -> None:
        """Wait until these are the newest comments, whatever is above them."""
        newest = f"parley.comments.slice(-{len(bodies)}).map((comment) => comment.get('body'))"
        wanted = json.dumps(json.dumps(bodies, separators=(",", ":")))
        await self.until(f"JSON.stringify({newest}) === {wanted}", "the newest comments")

    async def scroll_to_composer(self) -> None:
        """Scroll to the live end, where new comments appear without the pill."""
        await self.page.evaluate(
            "document.querySelector('.composer').scrollIntoView({ block: 'end', behavior: 'instant' })"
        )

    async def has_sent_all(self, timeout: float = TIMEOUT_MS) -> None:
        """Wait until the outbox is empty."""
        await self.until(SENT, "the outbox to be empty", timeout)

    async def is_settled(self) -> None:
        """Wait until no comment has an unconfirmed change."""
        await self.until("parley.comments.every((comment) => comment.state() === 'settled')", "settled comments")

    async def snapshot(self) -> list[dict[str, Any]]:
        """The comments that the API returns to this browser now, from all pages of the thread."""
        comments: list[dict[str, Any]] = []
        article, before = _article(self.page.url) or ARTICLE, {}
        while True:
            address = f"{self.server_url}/api/comments/"
            response = await self.context.request.get(address, params={**article, **before, "limit": 100})
            page = await response.json()
            comments = page["comments"] + comments
            if page["before"] is None:
                return comments
            before = {"before": page["before"]}

    async def matches_server(self, loaded: Sequence[dict[str, Any]] | None = None) -> None:
        """Wait until the models and the page equal a fresh snapshot, or `loaded` if the page has loaded only a part."""
        await self.is_settled()
        fresh = list(await self.snapshot() if loaded is None else loaded)
        await self._comes_to(MODELS, fresh)
        await self._comes_to(SHOWN, [_as_shown(comment) for comment in fresh])

    async def every_tab_matches_server(self) -> None:
        for tab in self.tabs():
            await tab.matches_server()
            assert await tab.page.evaluate(IDS) == [comment["id"] for comment in await tab.snapshot()], tab.page.url

    async def _comes_to(self, script: str, expected: list[Any]) -> None:
        with suppress(AssertionError):
            await wait_until(lambda: self._shows(script, expected), "the page to match")
        assert await self.page.evaluate(script) == expected, self.name  # pytest shows the difference

    async def _shows(self, script: str, expected: list[Any]) -> bool:
        return bool(await self.page.evaluate(script) == expected)

    @property
    def streams(self) -> list[str]:
        """The stream requests of all tabs."""
        return [request for request in self.requests if request.startswith("GET /streams")]

    # -- the account ----------------------------------------------------------------------------------------

    async def open_sign_in(self) -> None:
        await self.page.locator(".account__sign-in").click()
        await self.page.locator("dialog.entry[open]").wait_for()

    async def sign_in(self, name: str, password: str = PASSWORD) -> None:
        """Sign in with the dialog, which must be open."""
        await self.fill(".entry", email=email_of(name), password=password)
        await self.is_signed_in(name)

    async def sign_in_by_keys(self, name: str, password: str = PASSWORD, button: str = ".account__sign-in") -> None:
        """Open the dialog with this button and submit it, all by keyboard. The password may be wrong."""
        await self.press(button)
        await self.type(".entry [name=email]", email_of(name))
        await self.type(".entry [name=password]", password)
        await self.page.keyboard.press("Enter")

    async def sign_in_without_page(self, name: str) -> None:
        """Sign in without a page. The browser's tabs share the cookie, but get no message about it."""
        form = {"email": email_of(name), "password": PASSWORD}
        assert (await self.context.request.post(f"{self.server_url}/api/session", data=form)).ok

    async def sign_up(self, name: str, password: str = PASSWORD) -> None:
        """Sign up with the dialog, which must be open."""
        await self.fill(".entry", username=name, email=email_of(name), password=password)
        await self.is_signed_in(name)

    async def is_signed_in(self, name: str | None = None) -> None:
        await self._account_is("signed-in")
        name = name or self.name
        await self.until(f"document.querySelector('.account__name').textContent === {json.dumps(name)}", name)

    async def is_guest(self) -> None:
        await self._account_is("guest")

    async def _account_is(self, state: str) -> None:
        await self.until(
            f"document.querySelector('.account').dataset.state === '{state}'", f"the account state {state}"
        )


def cookies_of(client: httpx.AsyncClient) -> list[Any]:
    """The client's cookies, for a browser context. They survive a restart of the browser."""
    more = {"url": str(client.base_url), "expires": time.time() + DAY_SECONDS}
    return [{"name": cookie.name, "value": cookie.value, **more} for cookie in client.cookies.jar]


def _as_shown(comment: dict[str, Any]) -> dict[str, Any]:
    names = ("id", "username", "body", "edited", "current_user_can_edit")
    return {name: comment[name] for name in names} | {"state": "settled"}


def _article(url: str) -> dict[str, str] | None:
    """The commentable at this address, if it is the address of a thread."""
    thread = re.fullmatch(r"https?://[^/]+/(Article|Page)/(\w+)", url)
    return {"commentable_type": thread[1], "commentable_id": thread[2]} if thread else None


def _named(method: str, url: str) -> str:
    return f"{method} /{url.split('/', 3)[3]}"
