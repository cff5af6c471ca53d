"""The composition root: `create_app(settings)` joins routes, guards and Parley. `app` is what uvicorn serves."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from functools import cache

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount, Route, Router

from app import demo, logs
from app.live.model import LiveModel
from app.live.parley import Parley
from app.live.tasks import Tasks
from app.models import LIVE_MODELS
from app.models.upkeep import keep_up
from app.postman import keep_sending
from app.settings import Settings
from app.web import (
    accounts,
    commentables,
    comments,
    health,
    likes,
    links,
    logins,
    metrics,
    moderation,
    mutes,
    notifications,
    openapi,
    pages,
    streams,
    templates,
    typing,
    users,
    worker,
)
from app.web.access import Access, Requests
from app.web.admission import Admission
from app.web.front_end import FrontEnd
from app.web.guard import NearestForwardedMiddleware, OptionalSlash, RefuseCrossSite, Rooted, ShareWithListed, TakeTurns
from app.web.guest_pages import GuestPages
from app.web.host_names import RefuseUnknownHostsMiddleware
from app.web.limits import LimitReadsMiddleware, Limits
from app.web.paths import RefuseAmbiguousPathsMiddleware
from app.web.problems import HANDLERS, on_refusal
from app.web.push import OpenStreams, forget_shutdown
from app.web.resource import resource

API = [
    resource("/users", GET=users.index, POST=accounts.sign_up),
    resource("/session", GET=accounts.show, POST=accounts.sign_in, DELETE=accounts.sign_out),
    resource("/account/username", PUT=accounts.change_username),
    resource("/account/email", PUT=accounts.change_email),
    resource("/account/password", PUT=accounts.change_password),
    resource("/account/deletion", POST=accounts.delete),
    resource("/logins", GET=logins.index, DELETE=logins.end_others),
    resource("/logins/{id}", DELETE=logins.end),
    resource("/resets", POST=links.ask_to_reset, PUT=links.reset),
    resource("/confirmations", POST=links.ask_to_confirm, PUT=links.confirm),
    resource("/unlocks", POST=links.ask_to_unlock, PUT=links.unlock),
    resource("/typing", POST=typing.create),
    resource("/comments", GET=comments.index, POST=comments.create),
    resource("/comments/{id}", GET=comments.show, PUT=comments.replace, PATCH=comments.patch, DELETE=comments.delete),
    resource("/comments/{id}/ancestors", GET=comments.ancestors),
    resource("/comments/{id}/like", PUT=likes.put, DELETE=likes.delete),
    resource("/likes", GET=likes.index),
    resource("/commentables", GET=commentables.index),
    resource("/notifications", GET=notifications.index),
    resource("/notifications/read", PUT=notifications.read_all, PATCH=notifications.read_all),
    resource("/notifications/{id}", PATCH=notifications.patch),
    resource("/comments/{id}/report", PUT=moderation.report),
    resource("/comments/{id}/reports", DELETE=moderation.dismiss),
    resource("/comments/{id}/hidden", PUT=moderation.hide, DELETE=moderation.restore),
    resource("/comments/{id}/erasure", PUT=moderation.erase),
    resource("/commentables/{type}/{id:path}", PATCH=moderation.change),
    resource("/users/{id}/block", PUT=moderation.block, DELETE=moderation.unblock),
    resource("/users/{id}/role", PUT=moderation.appoint),
    resource("/users/{id}/mute", PUT=mutes.put, DELETE=mutes.delete),
    resource("/mutes", GET=mutes.index),
    resource("/moderation/reports", GET=moderation.index_reports),
    resource("/moderation/decisions", GET=moderation.index_decisions),
]


# Objects more than were freed until the young are collected; how often that, until the others are. Python's own is 700.
COLLECTIONS = (10_000, 10, 50)


def collect_rarely() -> None:
    """A collection of all looks at every object. With ten thousand streams that takes a second, in which nothing else
    happens, to find a hundred; and while they come it would be done a dozen times. It is the process's, and stays so.
    """
    gc.set_threshold(*COLLECTIONS)


def create_app(settings: Settings, models: tuple[LiveModel, ...] = LIVE_MODELS) -> Starlette:
    parley = Parley(settings, models)
    limits = Limits(parley)
    requests = Requests()
    admission = Admission(settings)
    open_streams = OpenStreams()
    watched = metrics.Metrics(parley, admission, limits, requests) if settings.metrics else None
    background = Tasks()
    front_end = FrontEnd(settings)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        forget_shutdown()
        collect_rarely()
        templates.compile_all()
        async with parley, limits, background, watched or nullcontext():
            if not await demo.refuse_accounts_at_start(parley):
                background.start(demo.keep_refusing_accounts(parley))
            background.start(open_streams.keep_ending())
            background.start(keep_sending(parley))
            background.start(keep_up(parley))
            yield

    app = Rooted(
        settings.root_path,
        routes=[
            Route("/", pages.front),
            Route("/account", pages.account),
            Route("/inbox", pages.inbox),
            Route("/moderation", pages.moderation),
            Route("/reset", pages.reset),
            Route("/confirm", pages.confirm),
            Route("/unlock", pages.unlock),
            *([Route("/dev/mail", pages.mail)] if settings.environment == "development" else []),
            Route("/.well-known/change-password", pages.change_password),
            Route("/healthz", health.healthz),
            Route("/readyz", health.readyz),
            *([Route("/metrics", metrics.show)] if settings.metrics else []),
            Route("/streams", streams.show),
            Route("/openapi.json", openapi.show),
            Route("/docs", openapi.docs),
            Route("/worker.js", worker.show),
            Mount("/api", Router(API, redirect_slashes=False)),
            Mount("/static", front_end),
            Route("/embed.js", worker.embed),
            Route("/embed/check", pages.check),
            Route("/embed/{type}/{id:path}", pages.embedded, methods=["GET", "POST"]),
            Route("/{type}/{id:path}", pages.thread, methods=["GET", "POST"]),
        ],
        middleware=[
            *([Middleware(NearestForwardedMiddleware, settings)] if settings.trusts_every_proxy else []),
            Middleware(OptionalSlash),
            Middleware(TakeTurns, lambda scope: parley.feeds.turns.take(limits.turn_of(scope))),
            Middleware(Access, requests),
            Middleware(ShareWithListed, settings.allowed_origins),
            Middleware(RefuseCrossSite, settings.allowed_origins),
            Middleware(RefuseUnknownHostsMiddleware, settings),
            Middleware(RefuseAmbiguousPathsMiddleware, settings.root_path),
            Middleware(LimitReadsMiddleware, limits, on_refusal),
        ],
        exception_handlers=HANDLERS,
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # OptionalSlash has seen to them
    app.state.parley = parley
    app.state.limits = limits
    app.state.admission = admission
    app.state.streams = open_streams
    app.state.metrics = watched
    app.state.front_end = front_end
    app.state.guest_pages = GuestPages()
    app.state.documents = {}
    app.state.openapi = cache(lambda: openapi.describe(app.routes, settings, models))  # few ask
    return app


_settings = Settings.load()
logs.take_over(_settings.log_format, _settings.log_level)
app = create_app(_settings)
