"""Somebody at a browser: what they do with keys and clicks, and what they see."""

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

    from tests.browser.page_errors import Complaints

MOST_TABS = 60  # more than any page has
A_DAY = 86_400  # seconds
PATIENCE = 40_000  # milliseconds in which the page has to do what is asked of it, on a machine that is busy

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
# What a screen reader says of a field that is refused.
DESCRIPTION = """(field) => document.querySelector(field).getAttribute("aria-describedby").split(" ")
  .map((id) => document.getElementById(id)).filter((el) => el.checkVisibility() && el.matches(".field__error"))
  .map((el) => el.textContent).join(" ")"""
NOTICE = "document.querySelector('.notice__words').textContent"
BODIES = f"() => ({SHOWN})().filter((shown) => shown.state !== 'hidden').map((shown) => shown.body)"
MODELS = "() => parley.comments.toJSON()"
# Of every comment anywhere in the page, in the list or not.
IDS = "() => Array.from(document.querySelectorAll('[data-comment-id]'), (el) => el.dataset.commentId)"
READY = "window.parley && ['live', 'idle'].includes(parley.connector.state) && parley.loading() === 0"
SENT = "parley.outbox.records.length === 0"
FIND = "parley.comments.find((comment) => comment.text() === body && comment.state() !== 'deleting')"
REWRITE = f"""([body, text]) => {{
  const comment = {FIND};
  comment.edit(text, {{ seq: comment.get("seq"), body: comment.get("body") }});
}}"""
REMOVE = f"(body) => {FIND}.remove()"


class Person:
    """`page` is the tab they look at; `client` acts for the same account, from another device without a page."""

    def __init__(self, name: str, context: BrowserContext, client: httpx.AsyncClient, complaints: Complaints) -> None:
        self.name = name
        self.context = context
        self.client = client
        self.road_round = str(client.base_url).rstrip("/")  # to the server, wherever the page's own road leads
        self.requests: list[str] = []  # "GET /api/comments/" …, of all tabs, in the order of sending
        self.unanswered: set[Request] = set()  # of all tabs; a stream is answered once it is open
        self.page: Page
        context.set_default_timeout(PATIENCE)
        context.on("page", complaints.listen)
        context.on("request", self._sent)
        context.on("response", lambda response: self._answered(response.request))
        context.on("requestfailed", self._answered)

    def _sent(self, request: Request) -> None:
        self.requests.append(_named(request.method, request.url))
        self.unanswered.add(request)

    def _answered(self, request: Request) -> None:
        self.unanswered.discard(request)

    # -- looking at pages -----------------------------------------------------------------------------------

    async def visit(self, path: str) -> Person:
        """Open a page in a new tab, and wait until it is live."""
        self.page = await self.context.new_page()
        await self.go(path)
        return self

    async def another_tab(self, path: str = "/Article/1") -> Person:
        """The same person, looking at one more tab."""
        return await self._at(self.page).visit(path)

    def tabs(self) -> list[Person]:
        """The same person, once for each tab in which there is a thread."""
        return [self._at(page) for page in self.context.pages if _article(page.url)]

    def inside(self, frame: Frame) -> Person:
        """The same person, looking into a frame of this tab. The keyboard is the tab's."""
        return self._at(cast(Page, frame))

    def _at(self, page: Page) -> Person:
        tab = object.__new__(Person)
        tab.__dict__.update(self.__dict__)
        tab.page = page
        return tab

    async def go(self, path: str) -> None:
        """Open another page in this tab. One with a host in its address is somebody else's, and need not be ready."""
        ours = path.startswith("/")
        await self.page.goto(path, wait_until="load" if ours else "domcontentloaded")
        if ours:
            await self.is_ready()

    async def reload(self) -> None:
        await self.page.reload()
        await self.is_ready()

    async def is_ready(self) -> None:
        """The page's parts are loaded, and its stream, if it has one, is open."""
        await self.until(READY, "the page")

    async def is_in_state(self, state: str) -> None:
        """Waits until the connection light says that."""
        await self.until(f"document.querySelector('.light').dataset.state === '{state}'", f"the light to be {state}")

    async def until(self, condition: str, what_for: str, timeout: float = PATIENCE) -> None:
        """Wait until this is true in the page."""
        # Not `wait_for_function`, which evaluates in the page while that runs: the page's policy forbids it.
        await wait_until(lambda: self._is(condition), f"{self.name} to see {what_for}: {condition}", timeout / 1_000)

    async def _is(self, condition: str) -> bool:
        try:
            return bool(await self.page.evaluate(f"() => {condition}"))
        except Error:  # between two pages
            return False

    async def take_pictures(self, directory: Path) -> None:
        for number, page in enumerate(self.context.pages):
            with suppress(Error):  # it may have crashed
                await page.screenshot(path=directory / f"{self.name}-{number}.png", full_page=True)

    # -- without a mouse ------------------------------------------------------------------------------------

    async def tab_to(self, selector: str, key: str = "Tab") -> None:
        for _ in range(MOST_TABS):
            await self.page.keyboard.press(key)
            if await self.has_focus(selector):
                return
        raise AssertionError(f"{key} never comes to {selector}")

    async def press(self, selector: str, key: str = "Tab") -> None:
        """Go there with this key, and press Enter. Waits until the code that this needs is loaded."""
        await self.tab_to(selector, key)
        await self.page.keyboard.press("Enter")
        await self.until("!window.parley || parley.loading() === 0", "the code to be loaded")

    async def type(self, selector: str, text: str) -> None:
        """Go on to this field, and type that in place of what is there."""
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
        """Fill these fields of a form, by their names, and submit it."""
        for name, value in fields.items():
            await self.page.locator(f"{form} [name={name}]").fill(value)
        await self.page.locator(f"{form} [type=submit]:visible").click()

    async def is_refused(self, form: str, field: str, words: str = "") -> None:
        """Waits until this field is marked, has the focus, and is described by what is wrong with it."""
        await self.focus_is_on(f"{form} [name={field}][aria-invalid=true]")
        described: str = await self.page.evaluate(DESCRIPTION, f"{form} [name={field}]")
        assert words in described, described
        assert described

    async def shows(self, selector: str, words: str) -> None:
        """Waits until this part of the page is there, with these words in it."""
        part = f"document.querySelector({json.dumps(selector)})"
        await self.until(f"{part}?.checkVisibility() && {part}.textContent.includes({json.dumps(words)})", words)

    async def shows_note(self, body: str, words: str) -> None:
        """Waits until that stands below the comment."""
        note = self.comment(body).locator(".comment__note")

        async def is_there() -> bool:
            return await note.inner_text() == words

        await wait_until(is_there, words)

    async def is_told(self, words: str) -> None:
        """Waits until the notice says that, to the eye, and to a screen reader."""
        said = json.dumps(words)
        await self.until(f"document.querySelector('.notice').checkVisibility() && {NOTICE} === {said}", words)
        await self.until(f"document.querySelector('.announcer').textContent.includes({said})", f"{words} (read out)")

    async def is_told_nothing(self) -> None:
        assert not await self.page.locator(".notice").is_visible()

    # -- mail -----------------------------------------------------------------------------------------------

    async def gets_mail(self, to: str, subject: str) -> None:
        """Waits for this mail, and looks at it in this tab."""
        await wait_until(lambda: self._has_mail(to, subject), f"“{subject}” to {to}")
        await self.go("/dev/mail")

    async def _has_mail(self, to: str, subject: str) -> bool:
        page = await (await self.context.request.get("/dev/mail")).text()
        return to in page and subject in page

    async def follow_link(self, path: str) -> str:
        """Jump to latest mail's link there, press Enter, and be on that page. Answers the token that was in it."""
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
        """The comment with this text, or whose editor is open over it."""
        text = self.page.locator(".comment__body", has_text=re.compile(f"^{re.escape(body)}$"))
        return self.page.locator(".thread__list > .comment").filter(has=text)

    async def write(self, body: str) -> None:
        await self.composer.fill(body)
        await self.composer.press("Control+Enter")

    async def open_editor(self, body: str) -> None:
        await self.comment(body).locator(".comment__edit").click()
        await self.editor.wait_for()

    async def begins_to_edit(self, body: str, new: str) -> dict[str, Any]:
        """Has written that elsewhere, and has its editor open, with the new text in it. Answers with the comment."""
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

    async def rewrite(self, body: str, new: str) -> None:
        """Edit, whatever the page has buttons for."""
        await self.page.evaluate(REWRITE, [body, new])

    async def remove(self, body: str) -> None:
        """Delete, whatever the page has buttons for."""
        await self.page.evaluate(REMOVE, body)

    async def shown(self) -> list[dict[str, Any]]:
        """Every comment in the page, as one sees it."""
        shown: list[dict[str, Any]] = await self.page.evaluate(SHOWN)
        return shown

    async def bodies(self) -> list[str]:
        bodies: list[str] = await self.page.evaluate(BODIES)
        return bodies

    async def sees(self, *bodies: str) -> None:
        """Waits until these, in this order, and nothing else are the thread."""
        await self._comes_to(BODIES, list(bodies))

    async def has_sent_all(self, timeout: float = PATIENCE) -> None:
        """Waits until the outbox is empty."""
        await self.until(SENT, "all to be sent", timeout)

    async def is_settled(self) -> None:
        """Waits until nothing is on its way to the server."""
        await self.until("parley.comments.every((comment) => comment.state() === 'settled')", "all to be settled")

    async def snapshot(self) -> list[dict[str, Any]]:
        """What a fresh GET answers to this browser, all pages of it."""
        comments: list[dict[str, Any]] = []
        article, before = _article(self.page.url) or ARTICLE, {}
        while True:
            address = f"{self.road_round}/api/comments/"
            answer = await self.context.request.get(address, params={**article, **before, "limit": 100})
            page = await answer.json()
            comments = page["comments"] + comments
            if page["before"] is None:
                return comments
            before = {"before": page["before"]}

    async def sees_the_truth(self, loaded: Sequence[dict[str, Any]] | None = None) -> None:
        """Waits until models and page equal a fresh snapshot (or `loaded`, where that is a part of one)."""
        await self.is_settled()
        fresh = list(await self.snapshot() if loaded is None else loaded)
        await self._comes_to(MODELS, fresh)
        await self._comes_to(SHOWN, [_as_shown(comment) for comment in fresh])

    async def sees_the_truth_in_every_tab(self) -> None:
        for tab in self.tabs():
            await tab.sees_the_truth()
            assert await tab.page.evaluate(IDS) == [comment["id"] for comment in await tab.snapshot()], tab.page.url

    async def _comes_to(self, look: str, wanted: list[Any]) -> None:
        with suppress(AssertionError):
            await wait_until(lambda: self._shows(look, wanted), "the page to follow")
        assert await self.page.evaluate(look) == wanted, self.name  # pytest shows the difference

    async def _shows(self, look: str, wanted: list[Any]) -> bool:
        return bool(await self.page.evaluate(look) == wanted)

    @property
    def streams(self) -> list[str]:
        """The requests for streams, of all tabs."""
        return [request for request in self.requests if request.startswith("GET /streams")]

    # -- the account ----------------------------------------------------------------------------------------

    async def open_sign_in(self) -> None:
        await self.page.locator(".account__sign-in").click()
        await self.page.locator("dialog.entry[open]").wait_for()

    async def sign_in(self, name: str, password: str = PASSWORD) -> None:
        """In the dialog, which is open."""
        await self.fill(".entry", email=email_of(name), password=password)
        await self.is_signed_in(name)

    async def sign_in_by_keys(self, name: str, password: str = PASSWORD, button: str = ".account__sign-in") -> None:
        """Press this button, which is next, and fill in the dialog. The password may be wrong."""
        await self.press(button)
        await self.type(".entry [name=email]", email_of(name))
        await self.type(".entry [name=password]", password)
        await self.page.keyboard.press("Enter")

    async def sign_in_beside(self, name: str) -> None:
        """Sign in without a page. The browser's tabs share the cookie, and are told nothing."""
        form = {"email": email_of(name), "password": PASSWORD}
        assert (await self.context.request.post(f"{self.road_round}/api/session", data=form)).ok

    async def sign_up(self, name: str, password: str = PASSWORD) -> None:
        """In the dialog, which is open."""
        await self.fill(".entry", username=name, email=email_of(name), password=password)
        await self.is_signed_in(name)

    async def is_signed_in(self, name: str | None = None) -> None:
        await self._account_is("signed-in")
        name = name or self.name
        await self.until(f"document.querySelector('.account__name').textContent === {json.dumps(name)}", name)

    async def is_guest(self) -> None:
        await self._account_is("guest")

    async def _account_is(self, state: str) -> None:
        await self.until(f"document.querySelector('.account').dataset.state === '{state}'", f"to be {state}")


def cookies_of(client: httpx.AsyncClient) -> list[Any]:
    """The client's, for a browser's context. They outlive a restart of the browser."""
    more = {"url": str(client.base_url), "expires": time.time() + A_DAY}
    return [{"name": cookie.name, "value": cookie.value, **more} for cookie in client.cookies.jar]


def _as_shown(comment: dict[str, Any]) -> dict[str, Any]:
    names = ("id", "username", "body", "edited", "current_user_can_edit")
    return {name: comment[name] for name in names} | {"state": "settled"}


def _article(url: str) -> dict[str, str] | None:
    """What is commented on at this address, if it is a thread's."""
    thread = re.fullmatch(r"https?://[^/]+/(Article|Page)/(\w+)", url)
    return {"commentable_type": thread[1], "commentable_id": thread[2]} if thread else None


def _named(method: str, url: str) -> str:
    return f"{method} /{url.split('/', 3)[3]}"
