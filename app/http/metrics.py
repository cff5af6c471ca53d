"""`GET /metrics`, for Prometheus. Only this module imports prometheus-client; the other modules count plain integers.

1. Each worker answers for all workers of its port (`app.worker_metrics`). Each series has the number of its worker
   (`worker="2"`). If a worker is restarted, its counts start at zero, which Prometheus expects; a sum over the workers
   would drop. Metrics of the database are the same for all workers and appear once.
2. Only the library's metric types and text format are used, not its counters. So its own way to share counters between
   processes (files, and an environment variable that it reads at import) does not matter here.
3. Metrics are not public. If METRICS_TOKEN is set, a client must send it. If not, a client must connect from this
   machine or a private network, and not through a proxy, because public clients come through one. The proxy
   configurations in docs/deployment.md also refuse this path.
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
from app.database import DATABASE_ERRORS, log_error
from app.http.middleware.request_log import Requests
from app.http.problems import Problem
from app.http.rate_limits import Limits
from app.http.stream_limits import Admission
from app.live.service import Parley
from app.live.stats import Lags
from app.live.stream.resume import Reason
from app.mail import mail_queue
from app.webhooks import deliveries
from app.worker_metrics import Workers

DATABASE_TIMEOUT_SECONDS = 2.0  # Prometheus itself gives up after ten
PROXY_HEADERS = ("forwarded", "via", "x-forwarded-for", "x-forwarded-proto", "x-real-ip")

log = logging.getLogger(__name__)


async def show(request: Request) -> Response:
    _refuse_public(request)
    metrics: Metrics = request.app.state.metrics
    text = await metrics.of_workers() + await metrics.of_database()
    return Response(text, headers={"Cache-Control": "no-store", "Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


def _refuse_public(request: Request) -> None:
    """Raises a Problem if the client may not read metrics (3)."""
    token = request.app.state.parley.settings.metrics_token
    if token:
        sent = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not compare_digest(sent.encode(), token.encode()):
            raise Problem(401, "Send the METRICS_TOKEN as a bearer token.", headers={"WWW-Authenticate": "Bearer"})
    elif any(name in request.headers for name in PROXY_HEADERS) or not _is_private(address_of(request)):
        raise Problem(403, "Metrics are not public.")


def _is_private(address: str) -> bool:
    try:
        ip = ip_address(address)
    except ValueError:  # a unix socket
        return True
    return not ((ip.version == 6 and ip.ipv4_mapped) or ip).is_global


class Metrics:
    """The metrics of this process and of the other workers of its port. An async context manager: while it is open, the
    other workers can read the metrics of this one."""

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
        answers = sorted((await self._workers.ask()).items())
        up = GaugeMetricFamily("parley_worker_up", "Whether this worker of the port answers.", labels=["worker"])
        for number, answer in answers:
            up.add_metric([str(number)], answer is not None)
        return "".join(_written(up)) + _join(answer for _, answer in answers if answer is not None)

    async def of_database(self) -> str:
        families: list[Metric] = []
        try:
            async with asyncio.timeout(DATABASE_TIMEOUT_SECONDS):
                mails, webhooks = await self._parley.own(_queues(self._parley))
            count, seconds, dead = mails
            waiting, wait, failed = webhooks
            families = [
                GaugeMetricFamily("parley_mails_waiting", "E-mails that are not sent yet.", count),
                GaugeMetricFamily("parley_mail_wait_seconds", "Age of the oldest of them.", seconds),
                GaugeMetricFamily("parley_mails_dead", "E-mails of the last 30 days that could not be sent.", dead),
                GaugeMetricFamily("parley_webhooks_waiting", "Webhooks that are not delivered yet.", waiting),
                GaugeMetricFamily("parley_webhook_wait_seconds", "Age of the oldest of them.", wait),
                GaugeMetricFamily("parley_webhooks_dead", "Webhooks of the last 30 days that failed for good.", failed),
            ]
        except DATABASE_ERRORS as error:
            log_error(log, error, "metrics")
        families.insert(0, GaugeMetricFamily("parley_database_up", "Whether the database answers.", bool(families)))
        return "".join(part for family in families for part in _written(family))

    # -- of one worker

    def _own(self) -> Iterator[Metric]:
        yield from self._of_streams()
        yield from self._of_feeds()
        yield from self._of_hints()
        yield from self._of_requests()
        yield from self._of_pool()
        yield from self._process.collect()

    def _of_streams(self) -> Iterator[Metric]:
        counts, admission = self._parley.stream_stats, self._admission
        yield GaugeMetricFamily("parley_streams", "Streams (sessions) that are open.", admission.streams)
        yield GaugeMetricFamily("parley_streams_limit", "MAX_STREAMS.", self._parley.settings.max_streams)
        refused = "Streams refused with a retry delay, by the limit that was reached."
        yield _counters("parley_streams_refused", refused, "bound", admission.refused)
        yield CounterMetricFamily("parley_blocks_sent", "Changes sent to streams: deliveries.", counts.blocks)
        below = "Batches read from the database for streams that are behind the backlog; one state for each object."
        yield CounterMetricFamily("parley_conflations", below, counts.conflations)
        resets = {reason.value: counts.resets[reason] for reason in Reason}
        yield _counters("parley_resets", "Streams whose cursor could not be honoured.", "reason", resets)
        if presence := self._parley.presence:
            yield GaugeMetricFamily("parley_presence_topics", "Topics with somebody present.", presence.topics)

    def _of_feeds(self) -> Iterator[Metric]:
        feeds, counts = self._parley.feeds, self._parley.reader.stats
        yield GaugeMetricFamily("parley_topics", "Topics (feeds) that are open.", len(feeds))
        yield GaugeMetricFamily("parley_ring_changes", "Changes in backlogs.", sum(len(feed.backlog) for feed in feeds))
        yield GaugeMetricFamily(
            "parley_ring_bytes", "Bytes of frames in backlogs.", sum(feed.backlog.size for feed in feeds)
        )
        reads = {"news": counts.news, "chunk": counts.chunks}
        yield _counters(
            "parley_feed_reads", "Reads of a topic, for its feed or for a stream that is behind.", "what", reads
        )
        yield CounterMetricFamily("parley_feed_read_failures", "Reads of feeds that failed.", counts.failures)
        yield CounterMetricFamily("parley_frames_encoded", "Frames encoded.", counts.frames)
        yield CounterMetricFamily("parley_sweeps", "Comparisons of open topics with the database.", counts.sweeps)
        yield CounterMetricFamily("parley_sweep_finds", "Topics where a sweep found something new.", counts.finds)
        lag = "From the commit in this process, or the hint from another one, until the feed has the frame."
        yield _histogram("parley_feed_lag_seconds", lag, {(): counts.lags})

    def _of_hints(self) -> Iterator[Metric]:
        hints, breaks = self._parley.hints, self._parley.pubsub.breaks
        yield GaugeMetricFamily(
            "parley_hints_flowing", "Whether the subscription to Redis is established.", hints.flowing
        )
        yield GaugeMetricFamily("parley_hints_waiting", "Hints that wait for Redis.", hints.waiting)
        yield CounterMetricFamily("parley_hints_published", "Hints sent to Redis.", hints.published)
        yield CounterMetricFamily("parley_hints_heard", "Hints received from Redis.", hints.received)
        yield CounterMetricFamily("parley_hints_dropped", "Hints dropped because the queue was full.", hints.dropped)
        yield CounterMetricFamily("parley_redis_breaks", "Subscriptions that ended with an error.", breaks)
        lag = "From the commit in this process until its hint comes back through Redis."
        yield _histogram("parley_hint_lag_seconds", lag, {(): hints.lags})

    def _of_requests(self) -> Iterator[Metric]:
        labels = ["route", "method", "status"]
        answers = CounterMetricFamily("parley_requests", "Requests, by route, method and status.", labels=labels)
        for (route, method, status), count in self._requests.answers.items():
            answers.add_metric([route, method, str(status)], count)
        yield answers
        until = "Seconds until the response began."
        yield _histogram("parley_request_duration_seconds", until, self._requests.seconds, labels[:2])
        limited = "Requests answered with 429 (streams: refused with a retry delay), by limit."
        yield _counters("parley_limited", limited, "limit", self._limits.refused)

    def _of_pool(self) -> Iterator[Metric]:
        database = self._parley.database
        open_ = GaugeMetricFamily("parley_database_connections", "Connections that are open.", labels=["state"])
        open_.add_metric(["lent"], database.in_use)
        open_.add_metric(["idle"], database.idle)
        yield open_
        yield GaugeMetricFamily(
            "parley_database_connections_limit", "Maximum number of connections.", database.max_connections
        )
        yield _counters("parley_database_errors", "Statements that failed, by error.", "error", database.errors)


async def _queues(parley: Parley) -> list[tuple[int, float, int]]:
    """For e-mails and for webhooks: the number that waits, the age of the oldest, and the number of dead letters."""
    async with parley.reading() as reading:
        return [
            (*await queue.count_waiting(reading), await queue.count_dead_letters(reading))
            for queue in (mail_queue, deliveries)
        ]


def _counters(name: str, help: str, label: str, counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, help, labels=[label])
    for value, count in counts.items():
        family.add_metric([value], count)
    return family


def _histogram(
    name: str, help: str, lags: Mapping[tuple[str, ...], Lags], labels: Iterable[str] = ()
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, help, labels=list(labels))
    for values, each in lags.items():
        buckets, below = [], 0
        for bound, count in zip([*map(str, each.bounds), "+Inf"], each.counts, strict=True):
            below += count
            buckets.append((bound, float(below)))
        family.add_metric(list(values), buckets, each.seconds)
    return family


# -- between workers, and to Prometheus


def _pack(families: Iterable[Metric], worker: int) -> bytes:
    """The message of one worker: (name, header lines, sample lines) of each family. It is text already, so the worker
    that answers the request only joins the parts."""
    packed = []
    for family in families:
        family.samples = [each._replace(labels={**each.labels, "worker": str(worker)}) for each in family.samples]
        packed.append((family.name, *_written(family)))
    return to_json(packed)


def _written(family: Metric) -> tuple[str, str]:
    help, kind, *samples = generate_latest(_One(family)).decode().splitlines(keepends=True)
    return help + kind, "".join(samples)


def _join(packed: Iterable[bytes]) -> str:
    """One family for each name, with the samples of all workers (1)."""
    families: dict[str, list[str]] = {}
    for answer in packed:
        for name, head, samples in from_json(answer):
            families.setdefault(name, [head]).append(samples)
    return "".join(part for parts in families.values() for part in parts)


class _One(Collector):
    """A collector of one family."""

    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> Iterable[Metric]:
        return [self._family]
