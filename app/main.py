"""The composition root: `create_app(settings)` joins routes, middleware and Parley. uvicorn serves `app`."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from functools import cache, partial

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount, Route, Router

from app import changes, demo, logs, streams, typing_indicator
from app.accounts import accounts_api, logins_api, mailed_links_api, users_api
from app.atom import address_api, atom_api
from app.commentables import commentables_api
from app.comments import comments_api
from app.comments.guest_cache import GuestCache
from app.http import health, metrics, openapi
from app.http.endpoints import resources
from app.http.middleware.cors import ListedOriginsCORSMiddleware
from app.http.middleware.csrf import refuse_cross_site
from app.http.middleware.forwarded import NearestForwardedMiddleware
from app.http.middleware.host_names import own_names, refuse_unknown_host
from app.http.middleware.paths import refuse_ambiguous_path
from app.http.middleware.refusals import RefusalMiddleware
from app.http.middleware.request_log import RequestLogMiddleware, Requests
from app.http.middleware.root_path import RootPathStarlette
from app.http.middleware.stream_pacing import StreamPacingMiddleware
from app.http.problems import HANDLERS, on_refusal
from app.http.rate_limits import LimitReadsMiddleware, Limits
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
from app.moderator_mail import moderator_mail_api
from app.moderator_mail import queueing as moderator_mail
from app.notifications import mutes_api, notifications_api
from app.pages import pages, service_worker, templates
from app.pages.assets import FrontEnd
from app.reply_mail import reply_mail_api
from app.reply_mail.queueing import keep_queueing
from app.settings import Settings
from app.webhooks.sender import send_webhooks

# Modules with endpoints under /api.
API = (
    comments_api,
    likes_api,
    users_api,
    accounts_api,
    logins_api,
    mailed_links_api,
    typing_indicator,
    commentables_api,
    notifications_api,
    moderation_api,
    mutes_api,
    reply_mail_api,
    moderator_mail_api,
    address_api,
)


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
            background.start(keep_queueing(parley))
            background.start(moderator_mail.keep_queueing(parley))
            background.start(send_webhooks(parley))
            background.start(run_maintenance(parley))
            yield

    app = RootPathStarlette(
        settings.root_path,
        routes=[  # tried in this order, so the most frequent ones come first
            Mount("/api", Router(resources(*API, under="/api"), redirect_slashes=False)),
            Route("/", pages.front),
            Route("/account", pages.account),
            Route("/inbox", pages.inbox),
            Route("/moderation", pages.moderation),
            Route("/reset", pages.reset),
            Route("/confirm", pages.confirm),
            Route("/unlock", pages.unlock),
            Route("/unsubscribe", pages.unsubscribe, methods=["GET", "POST"]),
            Route("/unsubscribe/moderator", pages.unsubscribe_moderator, methods=["GET", "POST"]),
            *([Route("/dev/mail", pages.mail)] if settings.environment == "development" else []),
            Route("/.well-known/change-password", pages.change_password),
            *resources(health),
            *([Route("/metrics", metrics.show)] if settings.metrics else []),
            *resources(streams, changes),
            Route("/openapi.json", openapi.show),
            Route("/docs", openapi.docs),
            Route("/worker.js", service_worker.show),
            Mount("/feeds", Router(resources(atom_api, under="/feeds"), redirect_slashes=False)),
            Mount("/static", front_end),
            Route("/embed.js", service_worker.embed),
            Route("/embed/check", pages.check),
            Route("/embed/{type}/{id:path}", pages.embedded, methods=["GET", "POST"]),
            Route("/{type}/{id:path}", pages.thread, methods=["GET", "POST"]),
        ],
        middleware=[
            *([Middleware(NearestForwardedMiddleware, settings)] if settings.trusts_every_proxy else []),
            Middleware(StreamPacingMiddleware, lambda scope: parley.pacing.wait_turn(limits.queue_key_of(scope))),
            Middleware(RequestLogMiddleware, requests),
            Middleware(ListedOriginsCORSMiddleware, settings.allowed_origins),
            Middleware(
                RefusalMiddleware,
                partial(refuse_cross_site, settings.allowed_origins),
                partial(refuse_unknown_host, own_names(settings)),
                partial(refuse_ambiguous_path, settings.root_path),
            ),
            Middleware(LimitReadsMiddleware, limits, on_refusal),
        ],
        exception_handlers=HANDLERS,
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # RootPathStarlette removes the slash
    app.state.parley = parley
    app.state.limits = limits
    app.state.admission = admission
    app.state.streams = open_streams
    app.state.metrics = watched
    app.state.front_end = front_end
    app.state.guest_cache = GuestCache(parley)
    app.state.documents = {}
    app.state.openapi = cache(lambda: openapi.describe(app.routes, settings, models))  # built on the first request
    return app


_settings = Settings.load()
logs.take_over(_settings.log_format, _settings.log_level)
app = create_app(_settings)
