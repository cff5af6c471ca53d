"""The composition root: `create_app(settings)` joins routes, middleware and Parley. uvicorn serves `app`."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from functools import cache

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount, Route, Router

from app import demo, logs, streams, typing_indicator
from app.accounts import accounts_api, logins_api, mailed_links_api, users_api
from app.commentables import commentables_api
from app.comments import comments_api
from app.http import health, metrics, openapi
from app.http.middleware.cors import ListedOriginsCORSMiddleware
from app.http.middleware.csrf import CSRFMiddleware
from app.http.middleware.forwarded import NearestForwardedMiddleware
from app.http.middleware.host_names import RefuseUnknownHostsMiddleware
from app.http.middleware.paths import RefuseAmbiguousPathsMiddleware
from app.http.middleware.request_log import RequestLogMiddleware, Requests
from app.http.middleware.root_path import RootPathStarlette
from app.http.middleware.stream_pacing import StreamPacingMiddleware
from app.http.middleware.trailing_slash import TrailingSlashMiddleware
from app.http.problems import HANDLERS, on_refusal
from app.http.rate_limits import LimitReadsMiddleware, Limits
from app.http.routes import resource
from app.http.sse_response import OpenStreams, forget_shutdown
from app.http.stream_limits import Admission
from app.likes import likes_api
from app.live.model import LiveModel
from app.live.service import Parley
from app.live.tasks import Tasks
from app.mail.mailer import send_due_mail
from app.maintenance import run_maintenance
from app.models import LIVE_MODELS
from app.moderation import moderation_api
from app.notifications import mutes_api, notifications_api
from app.pages import pages, service_worker, templates
from app.pages.assets import FrontEnd
from app.pages.guest_pages import GuestPages
from app.settings import Settings

API = [
    resource("/users", GET=users_api.index, POST=accounts_api.sign_up),
    resource("/session", GET=accounts_api.show, POST=accounts_api.sign_in, DELETE=accounts_api.sign_out),
    resource("/account/username", PUT=accounts_api.change_username),
    resource("/account/email", PUT=accounts_api.change_email),
    resource("/account/password", PUT=accounts_api.change_password),
    resource("/account/deletion", POST=accounts_api.delete),
    resource("/logins", GET=logins_api.index, DELETE=logins_api.end_others),
    resource("/logins/{id}", DELETE=logins_api.end),
    resource("/resets", POST=mailed_links_api.ask_to_reset, PUT=mailed_links_api.reset),
    resource("/confirmations", POST=mailed_links_api.ask_to_confirm, PUT=mailed_links_api.confirm),
    resource("/unlocks", POST=mailed_links_api.ask_to_unlock, PUT=mailed_links_api.unlock),
    resource("/typing", POST=typing_indicator.create),
    resource("/comments", GET=comments_api.index, POST=comments_api.create),
    resource(
        "/comments/{id}",
        GET=comments_api.show,
        PUT=comments_api.replace,
        PATCH=comments_api.patch,
        DELETE=comments_api.delete,
    ),
    resource("/comments/{id}/ancestors", GET=comments_api.ancestors),
    resource("/comments/{id}/like", PUT=likes_api.put, DELETE=likes_api.delete),
    resource("/likes", GET=likes_api.index),
    resource("/commentables", GET=commentables_api.index),
    resource("/notifications", GET=notifications_api.index),
    resource("/notifications/read", PUT=notifications_api.read_all, PATCH=notifications_api.read_all),
    resource("/notifications/{id}", PATCH=notifications_api.patch),
    resource("/comments/{id}/report", PUT=moderation_api.report),
    resource("/comments/{id}/reports", DELETE=moderation_api.dismiss),
    resource("/comments/{id}/hidden", PUT=moderation_api.hide, DELETE=moderation_api.restore),
    resource("/comments/{id}/erasure", PUT=moderation_api.erase),
    resource("/commentables/{type}/{id:path}", PATCH=moderation_api.change),
    resource("/users/{id}/block", PUT=moderation_api.block, DELETE=moderation_api.unblock),
    resource("/users/{id}/role", PUT=moderation_api.appoint),
    resource("/users/{id}/mute", PUT=mutes_api.put, DELETE=mutes_api.delete),
    resource("/mutes", GET=mutes_api.index),
    resource("/moderation/reports", GET=moderation_api.index_reports),
    resource("/moderation/decisions", GET=moderation_api.index_decisions),
]


# Thresholds of the garbage collector's three generations. Python's own first threshold is 700.
GC_THRESHOLDS = (10_000, 10, 50)


def raise_gc_thresholds() -> None:
    """Collect garbage less often, in the whole process, for as long as it runs.

    A full collection visits every object. With ten thousand streams it blocks the event loop for a second and frees
    about a hundred objects. With Python's thresholds it would run a dozen times while those streams open.
    """
    gc.set_threshold(*GC_THRESHOLDS)


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
        raise_gc_thresholds()
        templates.compile_all()
        async with parley, limits, background, watched or nullcontext():
            if not await demo.refuse_accounts_at_start(parley):
                background.start(demo.keep_refusing_accounts(parley))
            background.start(open_streams.end_at_shutdown())
            background.start(send_due_mail(parley))
            background.start(run_maintenance(parley))
            yield

    app = RootPathStarlette(
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
            Route("/worker.js", service_worker.show),
            Mount("/api", Router(API, redirect_slashes=False)),
            Mount("/static", front_end),
            Route("/embed.js", service_worker.embed),
            Route("/embed/check", pages.check),
            Route("/embed/{type}/{id:path}", pages.embedded, methods=["GET", "POST"]),
            Route("/{type}/{id:path}", pages.thread, methods=["GET", "POST"]),
        ],
        middleware=[
            *([Middleware(NearestForwardedMiddleware, settings)] if settings.trusts_every_proxy else []),
            Middleware(TrailingSlashMiddleware),
            Middleware(StreamPacingMiddleware, lambda scope: parley.pacing.wait_turn(limits.turn_of(scope))),
            Middleware(RequestLogMiddleware, requests),
            Middleware(ListedOriginsCORSMiddleware, settings.allowed_origins),
            Middleware(CSRFMiddleware, settings.allowed_origins),
            Middleware(RefuseUnknownHostsMiddleware, settings),
            Middleware(RefuseAmbiguousPathsMiddleware, settings.root_path),
            Middleware(LimitReadsMiddleware, limits, on_refusal),
        ],
        exception_handlers=HANDLERS,
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # TrailingSlashMiddleware removes the slash
    app.state.parley = parley
    app.state.limits = limits
    app.state.admission = admission
    app.state.streams = open_streams
    app.state.metrics = watched
    app.state.front_end = front_end
    app.state.guest_pages = GuestPages()
    app.state.documents = {}
    app.state.openapi = cache(lambda: openapi.describe(app.routes, settings, models))  # built on the first request
    return app


_settings = Settings.load()
logs.take_over(_settings.log_format, _settings.log_level)
app = create_app(_settings)
