"""Metrics: `/metrics`, for Prometheus. The only module that knows prometheus-client; the parts keep plain counts.

1. Each worker answers for all workers of its port (`app.worker_metrics`). Each series has its worker's number
   (`worker="2"`): if a worker dies and is started again, its counts begin at zero, which Prometheus expects. A sum
   would seem to jump. What comes from the database is the same for all workers and appears once.
2. The library's own counters are not used, only its names and its formats. So it does not matter to us how it shares
   counters between processes, by files and a variable that it reads when it is imported.
3. It is not for the public. Where METRICS_TOKEN is set, who shows it may read. Where it is not, who asks from this
   machine or a private network, and not through a proxy: the public comes through one. The proxies of our recipes let
   nobody through, either.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from secrets import compare_digest
from typing import Self

from prometheus_client import CollectorRegistry, Metric, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector
from pydantic_core import from_json, to_json
from starlette.requests import Request
from starlette.responses import Response

from app.accounts.identity import address_of
from app.database import Trouble, log_error
from app.http.middleware.request_log import Requests
from app.http.problems import Problem
from app.http.rate_limits import Limits
from app.http.stream_limits import Admission
from app.live.service import Parley
from app.live.stats import Lags
from app.live.stream.resume import Reason
from app.mail import mail_queue
from app.worker_metrics import Workers

PATIENCE = 2.0  # seconds for the database; Prometheus gives up after ten
PROXIED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-proto", "x-real-ip")

log = logging.getLogger(__name__)


async def show(request: Request) -> Response:
    _refuse_public(request)
    metrics: Metrics = request.app.state.metrics
    text = await metrics.of_workers() + await metrics.of_database()
    return Response(text, headers={"Cache-Control": "no-store", "Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


def _refuse_public(request: Request) -> None:
    """Raises a Problem for who may not read them (3)."""
    token = request.app.state.parley.settings.metrics_token
    if token:
        shown = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not compare_digest(shown.encode(), token.encode()):
            raise Problem(401, "Send the METRICS_TOKEN as a bearer token.", headers={"WWW-Authenticate": "Bearer"})
    elif any(name in request.headers for name in PROXIED) or not _is_near(address_of(request)):
        raise Problem(403, "Metrics are not public.")


def _is_near(address: str) -> bool:
    try:
        ip = ip_address(address)
    except ValueError:  # a unix socket
        return True
    return not ((ip.version == 6 and ip.ipv4_mapped) or ip).is_global


class Metrics:
    """What there is to say of this process, and of the others of its port. An async context manager: heard inside."""

    def __init__(self, parley: Parley, admission: Admission, limits: Limits, requests: Requests) -> None:
        self._parley = parley
        self._admission = admission
        self._limits = limits
        self._requests = requests
        self._process = ProcessCollector(registry=CollectorRegistry())
        self._workers = Workers(lambda: _pack(self._own(), self._workers.number))

    async def __aenter__(self) -> Self:
        await self._workers.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._workers.__aexit__(*error)

    async def of_workers(self) -> str:
        told = sorted((await self._workers.ask()).items())
        up = GaugeMetricFamily("parley_worker_up", "Whether this worker of the port answers.", labels=["worker"])
        for number, answer in told:
            up.add_metric([str(number)], answer is not None)
        return "".join(_written(up)) + _join(answer for _, answer in told if answer is not None)

    async def of_database(self) -> str:
        families = [GaugeMetricFamily("parley_database_up", "Whether the database answers.", 0)]
        try:
            async with asyncio.timeout(PATIENCE):
                count, seconds, dead = await self._parley.own(_mails(self._parley))
            families = [
                GaugeMetricFamily("parley_database_up", "Whether the database answers.", 1),
                GaugeMetricFamily("parley_mails_waiting", "Mails that are not sent yet.", count),
                GaugeMetricFamily("parley_mail_wait_seconds", "How long the oldest of them has waited.", seconds),
                GaugeMetricFamily("parley_mails_dead", "Mails of the last 30 days that could never be sent.", dead),
            ]
        except Trouble as error:
            log_error(log, error, "metrics")
        return "".join(part for family in families for part in _written(family))

    # -- one worker's

    def _own(self) -> Iterator[Metric]:
        yield from self._of_streams()
        yield from self._of_feeds()
        yield from self._of_hints()
        yield from self._of_requests()
        yield from self._of_pool()
        yield from self._process.collect()

    def _of_streams(self) -> Iterator[Metric]:
        counts, admission = self._parley.feeds.stats, self._admission
        yield GaugeMetricFamily("parley_streams", "Streams (sessions) that are open.", admission.streams)
        yield GaugeMetricFamily("parley_streams_limit", "MAX_STREAMS.", self._parley.settings.max_streams)
        refused = "Streams that were told to come back later, by the bound that was reached."
        yield _counters("parley_streams_refused", refused, "bound", admission.refused)
        yield CounterMetricFamily("parley_blocks_sent", "Changes handed to streams: deliveries.", counts.blocks)
        below = "Batches for streams that had fallen out of the ring: from the database, conflated."
        yield CounterMetricFamily("parley_conflations", below, counts.conflations)
        resets = {reason.value: counts.resets[reason] for reason in Reason}
        yield _counters("parley_resets", "Streams whose cursor could not be honoured.", "reason", resets)
        if presence := self._parley.presence:
            yield GaugeMetricFamily("parley_presence_topics", "Topics that somebody is seen at.", presence.topics)

    def _of_feeds(self) -> Iterator[Metric]:
        feeds, counts = self._parley.feeds, self._parley.feeds.stats
        yield GaugeMetricFamily("parley_topics", "Topics (feeds) that are open.", len(feeds))
        yield GaugeMetricFamily("parley_ring_changes", "Changes in rings.", sum(len(feed.backlog) for feed in feeds))
        yield GaugeMetricFamily(
            "parley_ring_bytes", "Bytes of frames in rings.", sum(feed.backlog.size for feed in feeds)
        )
        reads = {"news": counts.news, "chunk": counts.chunks}
        yield _counters("parley_feed_reads", "Reads of a topic, for its feed or for who lags.", "what", reads)
        yield CounterMetricFamily("parley_feed_read_failures", "Feeds' reads that failed.", counts.failures)
        yield CounterMetricFamily("parley_frames_encoded", "Frames encoded.", counts.frames)
        yield CounterMetricFamily("parley_sweeps", "Comparisons of open topics with the database.", counts.sweeps)
        yield CounterMetricFamily("parley_sweep_finds", "Topics where a sweep found something new.", counts.finds)
        lag = "From the commit here, or the hint from elsewhere, until the feed has the frame."
        yield _histogram("parley_feed_lag_seconds", lag, {(): counts.lags})

    def _of_hints(self) -> Iterator[Metric]:
        hints, breaks = self._parley.hints, self._parley.pubsub.breaks
        yield GaugeMetricFamily("parley_hints_flowing", "Whether the subscription to Redis stands.", hints.flowing)
        yield GaugeMetricFamily("parley_hints_waiting", "Hints that wait for Redis.", hints.waiting)
        yield CounterMetricFamily("parley_hints_published", "Hints sent to Redis.", hints.published)
        yield CounterMetricFamily("parley_hints_heard", "Hints heard from Redis.", hints.received)
        yield CounterMetricFamily("parley_hints_dropped", "Hints dropped, since too many waited.", hints.dropped)
        yield CounterMetricFamily("parley_redis_breaks", "Times that the subscription broke.", breaks)
        lag = "From the commit here until its hint is heard back over Redis."
        yield _histogram("parley_hint_lag_seconds", lag, {(): hints.lags})

    def _of_requests(self) -> Iterator[Metric]:
        labels = ["route", "method", "status"]
        answers = CounterMetricFamily("parley_requests", "Requests, by what was answered.", labels=labels)
        for (route, method, status), count in self._requests.answers.items():
            answers.add_metric([route, method, str(status)], count)
        yield answers
        until = "Seconds until the answer began."
        yield _histogram("parley_request_duration_seconds", until, self._requests.seconds, labels[:2])
        limited = "Requests answered 429 (streams: told to come back), by the limit."
        yield _counters("parley_limited", limited, "limit", self._limits.refused)

    def _of_pool(self) -> Iterator[Metric]:
        database = self._parley.database
        open_ = GaugeMetricFamily("parley_database_connections", "Connections that are open.", labels=["state"])
        open_.add_metric(["lent"], database.in_use)
        open_.add_metric(["idle"], database.idle)
        yield open_
        yield GaugeMetricFamily(
            "parley_database_connections_limit", "Connections that there may be.", database.max_connections
        )
        yield _counters("parley_database_errors", "Statements that failed, by error.", "error", database.errors)


async def _mails(parley: Parley) -> tuple[int, float, int]:
    async with parley.reading() as reading:
        return *await mail_queue.count_waiting(reading), await mail_queue.count_dead_letters(reading)


def _counters(name: str, what: str, label: str, counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, what, labels=[label])
    for value, count in counts.items():
        family.add_metric([value], count)
    return family


def _histogram(
    name: str, what: str, lags: Mapping[tuple[str, ...], Lags], labels: Iterable[str] = ()
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, what, labels=list(labels))
    for values, each in lags.items():
        buckets, below = [], 0
        for bound, count in zip([*map(str, each.bounds), "+Inf"], each.counts, strict=True):
            below += count
            buckets.append((bound, float(below)))
        family.add_metric(list(values), buckets, each.seconds)
    return family


# -- between workers, and to Prometheus


def _pack(families: Iterable[Metric], worker: int) -> bytes:
    """What a worker tells: (name, what stands above its samples, its samples), of each family. Written down by who has
    counted it, so that who is asked has only to put the parts together.
    """
    told = []
    for family in families:
        family.samples = [each._replace(labels={**each.labels, "worker": str(worker)}) for each in family.samples]
        told.append((family.name, *_written(family)))
    return to_json(told)


def _written(family: Metric) -> tuple[str, str]:
    about, kind, *samples = generate_latest(_One(family)).decode().splitlines(keepends=True)
    return about + kind, "".join(samples)


def _join(told: Iterable[bytes]) -> str:
    """One family of each name, with the samples of all workers (1)."""
    families: dict[str, list[str]] = {}
    for answer in told:
        for name, head, samples in from_json(answer):
            families.setdefault(name, [head]).append(samples)
    return "".join(part for parts in families.values() for part in parts)


class _One(Collector):
    """A family as the library wants it."""

    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> Iterable[Metric]:
        return [self._family]
