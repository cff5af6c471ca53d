"""Pages: the HTML that a browser opens. Each page contains its first snapshot and the cursor of that snapshot."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.accounts.identity import current_viewer, parley_of
from app.accounts.user import find_user, render
from app.atom import atom
from app.commentables import commentables, commentables_api, host_pages
from app.comments import form, threads
from app.comments.comments_api import guest_cache_of, snapshot, window_from
from app.comments.form import NOTHING_UNSENT, Unsent
from app.comments.guest_cache import Key
from app.comments.threads import Counters
from app.database import Reading
from app.demo import ARTICLES, Article
from app.http import rate_limits
from app.http.middleware.csrf import is_listed
from app.http.middleware.host_names import is_unregistrable, name_in
from app.http.problems import Problem
from app.http.responses import Json
from app.http.security_headers import framed_by
from app.likes import likes_api
from app.live.read.pages import PAGE_SIZE, read_page
from app.live.topics import QUEUE, BadTopic, Topic
from app.mail.mail_queue import list_sent
from app.moderation import moderation_api
from app.moderation.audit_log import Decision
from app.moderation.reports import Report
from app.moderator_mail import choices as moderator_choices
from app.notifications import inbox as inboxes
from app.notifications.notifications_api import snapshot as notifications_snapshot
from app.pages.assets import FOR_ANYBODY
from app.pages.guest_page import GuestPage
from app.pages.service_worker import allow_offline_use
from app.pages.templates import page, rendered, respond, sources
from app.reply_mail import choices, following
from app.webhooks import deliveries
from app.webhooks.deliveries import Delivery

UNTITLED = "Comments"  # the heading of a page without a title
EMBED = "/embed"  # the prefix of the paths of embedded threads
MAX_FAILED_WEBHOOKS = 20
NOT_INDEXED = {"X-Robots-Tag": "noindex"}


async def front(request: Request) -> Response:
    async with parley_of(request).reading() as reading:
        bootstrap = await _bootstrap(request, reading)
        found, cursor = await commentables.snapshot(reading, articles_of(request))
    bootstrap["commentables"] = commentables_api.snapshot(found.values(), cursor)
    articles = [
        {"path": f"/{topic}", "title": found[topic].title or article.title, "summary": article.summary,
         "comments_count": found[topic].comments_count, "commentable_type": topic.type, "commentable_id": topic.id}
        for topic, article in articles_of(request).items()
    ]  # fmt: skip
    context = {"articles": articles, "public_url": parley_of(request).settings.public_url}
    html = page(request, "front.html", {"title": "Parley", "bootstrap": bootstrap, **context})
    return await allow_offline_use(request, html)


def articles_of(request: Request) -> Mapping[Topic, Article]:
    """The demo's articles in development; none in production."""
    return ARTICLES if parley_of(request).settings.environment == "development" else {}


async def thread(request: Request) -> Response:
    """A thread with its article, if it has one. The composer's form posts here, too. `?host=1` redirects to the host's
    page, if it is known. `?before=`, `?after=` and `?around=` select a window as in `GET /api/comments/`: the links to
    earlier and newer comments work without scripts."""
    if request.method == "POST":
        return await form.post(request, topic_of(request), "", _show)
    return _moved(request, "") or await _at_host(request) or await _show(request)


async def _at_host(request: Request) -> Response | None:
    if request.query_params.get("host") != "1":
        return None
    topic = topic_of(request)
    async with parley_of(request).reading() as reading:
        url = (await commentables.of(reading, [topic]))[topic].url
    listed = url and host_pages.is_listed(parley_of(request).settings, url)  # the list may have changed since
    return RedirectResponse(url, 302, {"Cache-Control": "no-store"}) if listed else None


async def embedded(request: Request) -> Response:
    """The thread alone, for an iframe in a page of another site. `static/js/embed/embed.js` inserts the iframe."""
    if request.method == "POST":
        return for_hosts(request, await form.post(request, topic_of(request), EMBED, _show_embedded))
    return _moved(request, EMBED) or await _show_embedded(request)


async def _show(request: Request, unsent: Unsent = NOTHING_UNSENT) -> Response:
    return await _thread(request, "thread.html", "", unsent)


async def _show_embedded(request: Request, unsent: Unsent = NOTHING_UNSENT) -> Response:
    html = await _thread(request, "embed.html", EMBED, unsent, hosts=_hosts(request))
    html.headers.update(NOT_INDEXED)
    return for_hosts(request, html)


async def check(request: Request) -> Response:
    """Why a thread or a number does not appear in a host's page: `embed.js` asks this if it gets no response.

    `topic`: what is wrong with the name in the page, or null. `listed`: whether the asking page's origin may embed
    threads and read numbers. `message`: what is wrong, for the person who made the page. Any origin may ask, because
    the origin may be missing in the list; the response tells no secret.
    """
    _, refused = commentables_api.read_names(request)
    origin = request.headers.get("origin")
    listed = origin is None or is_listed(request.scope, parley_of(request).settings.allowed_origins)
    topic = next(iter(refused.values()), None)
    unlisted = f"This page may not show comments. Add {origin} to ALLOWED_ORIGINS of Parley, and restart Parley."
    message = topic or ("No response, though this page may show comments." if listed else unlisted)
    return Json({"topic": topic, "listed": listed, "message": message}, headers=FOR_ANYBODY)


def _hosts(request: Request) -> str:
    return " ".join(sorted(parley_of(request).settings.allowed_origins))


def for_hosts(request: Request, html: Response) -> Response:
    """Allow the listed origins to show the page in an iframe."""
    html.headers["Content-Security-Policy"] = framed_by(parley_of(request).settings.allowed_origins)
    return html


async def _thread(request: Request, template: str, under: str, unsent: Unsent, **more: Any) -> Response:
    window = window_from(request)
    is_newest = not any(value is not None for value in window.values())
    problem = unsent.problem
    more["canonical"] = None if is_newest else f"/{quote(str(topic_of(request)))}"
    context_at = partial(_thread_context, request, under, window, unsent, more)
    if unsent is NOTHING_UNSENT and not (await current_viewer(request)).signed_in:
        html = await _guest_thread(request, (template, *window.items()), context_at)
    else:
        context = await context_at()
        html = page(request, template, context, problem.status if problem else 200)
        html.headers.update({} if context["is_indexed"] else NOT_INDEXED)
    html.headers.update(problem.headers if problem else {})
    return await allow_offline_use(request, html) if problem is None and is_newest else html


async def _guest_thread(
    request: Request, form: tuple[str, *tuple[Any, ...]], context_at: Callable[[Counters], Awaitable[dict[str, Any]]]
) -> Response:
    """The page for a guest, from memory if possible. `form` is the template and the window."""

    async def render(counters: Counters) -> GuestPage:
        context = await context_at(counters)
        html = rendered(request, form[0], context)
        return GuestPage(html, context["bootstrap"]["now"], context["composer"]["form_id"], context["is_indexed"])

    stored = await guest_cache_of(request).get(Key(topic_of(request), (*form, sources(request))), render)
    own = _now(), uuid4()
    html = respond(request, partial(stored.html, *own), partial(stored.gzip, *own))
    html.headers.update({} if stored.is_indexed else NOT_INDEXED)
    return html


async def _thread_context(
    request: Request,
    under: str,
    window: Mapping[str, Any],
    unsent: Unsent,
    more: Mapping[str, Any],
    counters: Counters | None = None,
) -> dict[str, Any]:
    """The values for the template of a page with a thread."""
    topic, viewer = topic_of(request), await current_viewer(request)
    async with parley_of(request).reading() as reading:
        bootstrap = await _bootstrap(request, reading)
        first = await threads.page(reading, viewer, topic, limit=threads.PAGE, counters=counters, **window)
        if viewer.signed_in:
            bootstrap["likes"] = await likes_api.snapshot(reading, viewer, topic)
            bootstrap["mails"] = await following.mails_about(reading, viewer.user_id, topic)
    bootstrap |= {"thread": snapshot(first, viewer), "topics": [str(topic)]}
    bootstrap["commentables"] = commentables_api.snapshot([first.commentable], first.commentable_cursor)
    bootstrap["cursors"].append(first.cursor)
    article = articles_of(request).get(topic)
    url = first.commentable.url
    return {
        # Never use words of the address. Otherwise anybody could make a page of Parley with a heading of their choice.
        "title": first.commentable.title or (article.title if article else UNTITLED),
        "article": article,
        "is_indexed": bool(article or first.commentable.title or first.commentable.comments_count),
        "host_url": url if url and host_pages.is_listed(parley_of(request).settings, url) else None,
        "path": f"{under}/{quote(str(topic))}",
        "feed": atom.path_of(topic),
        "composer": form.fields(unsent),
        "bootstrap": bootstrap,
        **more,
    }


async def account(request: Request) -> Response:
    return await _plain(request, "account.html", "Your account")


async def inbox(request: Request) -> Response:
    """All notifications of the user, page by page. The bell shows the newest."""
    async with parley_of(request).reading() as reading:
        bootstrap = await _bootstrap(request, reading, notifications=PAGE_SIZE)
    return page(request, "inbox.html", {"title": "Notifications", "bootstrap": bootstrap})


async def moderation(request: Request) -> Response:
    """The moderation page. Raises Problem 404 for everybody but moderators."""
    if not (await current_viewer(request)).moderator:
        raise Problem(404, "Page not found.")
    async with parley_of(request).reading() as reading:
        bootstrap = await _bootstrap(request, reading)
        bootstrap["decisions"] = moderation_api.decisions(first := await read_page(reading, Decision, QUEUE))
        failed = [_failed_webhook(each) for each in await deliveries.dead_letters(reading, MAX_FAILED_WEBHOOKS)]
    bootstrap["cursors"].append(first.cursor)
    return page(request, "moderation.html", {"title": "Moderation", "bootstrap": bootstrap, "failed_webhooks": failed})


def _failed_webhook(delivery: Delivery) -> Mapping[str, Any]:
    """Without the path of the URL, because it may contain a password of the receiver."""
    return {
        "host": urlsplit(delivery.url).netloc,
        "object": f"{delivery.model.lower()} at {delivery.topic}",
        "failed_at": delivery.failed_at,
        "error": delivery.error,
    }


async def reset(request: Request) -> Response:
    return await _plain(request, "reset.html", "Choose a new password")


async def confirm(request: Request) -> Response:
    return await _plain(request, "confirm.html", "Confirm your email")


async def unlock(request: Request) -> Response:
    return await _plain(request, "unlock.html", "Unlock your account")


async def unsubscribe(request: Request) -> Response:
    """The page of a link in a mail about replies. Only a POST stops mail, from its buttons or from mail software (RFC
    8058). It needs no sign-in, and its body is not read: the query has the token and `what` to stop."""
    parley, query = parley_of(request), request.query_params
    token, stopped = query.get("token", ""), None
    if request.method == "POST":
        await rate_limits.take(request, rate_limits.MARK)
        stopped = await choices.stop(parley, token, choices.parse_stop(query.get("what")))
    _, commentable = await choices.open_token(parley, token)
    context = {"token": token, "stopped": stopped, "commentable": commentable}
    html = await _plain(request, "unsubscribe.html", "Stop emails", **context)
    html.headers.update(NOT_INDEXED)
    return html


async def unsubscribe_moderator(request: Request) -> Response:
    """The page of a link in a mail to a moderator. It works as `unsubscribe` does."""
    parley, token = parley_of(request), request.query_params.get("token", "")
    _, kind = moderator_choices.open_token(parley, token)
    if stopped := request.method == "POST":
        await rate_limits.take(request, rate_limits.MARK)
        await moderator_choices.stop(parley, token)
    context = {"kind": kind, "stopped": stopped}
    html = await _plain(request, "unsubscribe_moderator.html", "Stop emails", **context)
    html.headers.update(NOT_INDEXED)
    return html


async def mail(request: Request) -> Response:
    """The e-mails that development does not send. Their links lead to the host at which this page was opened.

    It is shown only at names that nobody can register: `app.http.middleware.host_names` has the reason.
    """
    if not is_unregistrable(name_in(request.headers.get("host", "localhost")) or "."):
        raise Problem(404, "Open /dev/mail at localhost or at an IP address.")
    settings = parley_of(request).settings
    here = f"{request.base_url}".rstrip("/") + settings.root_path
    async with parley_of(request).reading() as reading:
        mails = [
            {"id": mail.id, "to": mail.address, "subject": mail.subject, "sent_at": mail.sent_at,
             "text": (mail.text or "").replace(settings.public_url, here)}
            for mail in await list_sent(reading)
        ]  # fmt: skip
    return await _plain(request, "mail.html", "Mail", mails=mails)


async def change_password(request: Request) -> Response:
    """The address at which password managers look for the page (W3C, "A well-known URL for changing passwords")."""
    return RedirectResponse("/account", 302)


async def _plain(request: Request, template: str, title: str, **context: Any) -> Response:
    async with parley_of(request).reading() as reading:
        bootstrap = await _bootstrap(request, reading)
    return page(request, template, {"title": title, "bootstrap": bootstrap, **context})


async def _bootstrap(request: Request, reading: Reading, notifications: int = inboxes.NEWEST) -> dict[str, Any]:
    """The data that every page starts with: the user, their newest notifications, and the cursor of their own topic."""
    viewer = await current_viewer(request)
    settings = parley_of(request).settings
    confirmation = settings.require_confirmation
    bootstrap: dict[str, Any] = {
        "now": _now(), "readers": settings.readers,
        "user": None, "cursors": [], "thread": None, "topics": [], "commentables": None, "likes": None, "mails": None,
        "reports": None, "decisions": None,
        "notifications": None, "confirmation_required": confirmation, "undo_seconds": settings.undo_seconds,
    }  # fmt: skip
    if viewer.user_id is not None:
        first = await inboxes.read_inbox(reading, viewer, limit=notifications)
        user = await find_user(reading, viewer.user_id)
        bootstrap |= {"user": user and render(user), "cursors": [first.page.cursor]}
        bootstrap["notifications"] = notifications_snapshot(first)
    if viewer.moderator:
        bootstrap["reports"] = moderation_api.reports(queue := await read_page(reading, Report, QUEUE))
        bootstrap["cursors"].append(queue.cursor)
    return bootstrap


def _now() -> str:
    """The time in ISO 8601. Its length is always the same, as guest pages need it."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def _moved(request: Request, prefix: str) -> Response | None:
    """A redirect to the page's canonical address, if the request has another form of the id (`app.live.topics`)."""
    topic = topic_of(request)
    if topic.id == request.path_params["id"]:
        return None
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"{prefix}/{topic.type}/{quote(topic.id)}{query}", 308, {"Cache-Control": "no-store"})


def topic_of(request: Request) -> Topic:
    """The topic that the page's path names. Raises Problem 404."""
    try:
        topic = Topic.commentable(request.path_params["type"], request.path_params["id"])
    except BadTopic:
        raise Problem(404, "Page not found.") from None
    if topic.type not in parley_of(request).settings.commentable_types:
        raise Problem(404, "Page not found.")
    return topic
