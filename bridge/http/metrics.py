"""`GET /metrics`: what Prometheus reads, for those who may.

What the database is asked for is counted now and then, as for `/readyz`; all else is in memory. No answer names a
person.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator

from aiohttp import hdrs, web

from bridge.backlog import WaitingCounts
from bridge.errors import MetricsForbidden, NoToken, UnknownToken
from bridge.http.services import services
from bridge.loopback import is_loopback
from bridge.metrics import Metrics, Sample, catalog
from bridge.metrics.exchange import MetricsExchange
from bridge.metrics.exposition import render
from bridge.metrics.recorder import add_samples
from bridge.settings import MetricsSettings
from storage.states import RequestKind

NO_TARGET = "(none)"
"""The label of what waits while no LRS is configured: an empty one would be no label at all."""
_FORWARDING_HEADERS = ("X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", hdrs.FORWARDED, hdrs.VIA)


class MetricsEndpoint:
    """The resource. `exchange` is None where this process serves alone."""

    def __init__(self, settings: MetricsSettings, metrics: Metrics, exchange: MetricsExchange | None) -> None:
        self._access = settings.access
        self._token = settings.secret("token").encode()
        self._metrics = metrics
        self._exchange = exchange

    async def get(self, request: web.Request) -> web.Response:
        """`GET /metrics`: all metrics, of all processes on this port. Query parameters are ignored."""
        self._authorize(request)
        parts = services(request)
        values = self._metrics.collect() if self._exchange is None else await self._exchange.total()
        counts = await parts.backlog.current()
        if counts is not None:
            add_samples(values, _counted(counts, parts.now()))
        body, content_type = render(values, request.headers.get(hdrs.ACCEPT, ""))
        return web.Response(body=body, headers={hdrs.CONTENT_TYPE: content_type})

    def _authorize(self, request: web.Request) -> None:
        """Raise what keeps a request out.

        Raises:
            web.HTTPNotFound: there are no metrics here.
            MetricsForbidden: it does not come from this machine.
            NoToken, UnknownToken: it does not have the token.
        """
        if self._access == "off":
            raise web.HTTPNotFound
        if self._access == "loopback" and not _is_local(request):
            raise MetricsForbidden(
                "Metrics are only for programs on the machine of the bridge; `access` under [metrics] in the settings"
                " says who may read them."
            )
        if self._access == "token":
            scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
            if scheme.lower() != "bearer" or not token.strip():
                raise NoToken("Send the token of [metrics] in the header `Authorization: Bearer <token>`.")
            if not hmac.compare_digest(token.strip().encode(errors="replace"), self._token):
                raise UnknownToken("This is not the token of [metrics] in the settings.")


def _is_local(request: web.Request) -> bool:
    """Return whether a request comes from this machine, and not through a proxy on it."""
    if any(name in request.headers for name in _FORWARDING_HEADERS):
        return False
    # nobody but this machine reaches a socket that is a file
    return not request.remote or is_loopback(request.remote)


def _counted(counts: WaitingCounts, now: int) -> Iterator[Sample]:
    """Yield what the database was asked for; `now` is in milliseconds since the epoch."""
    for name, queue in counts.queues.items():
        target = name or NO_TARGET
        yield Sample(catalog.WAITING, (target, RequestKind.STATEMENTS), queue.waiting.number)
        yield Sample(catalog.WAITING, (target, RequestKind.DOCUMENTS), queue.waiting_documents.number)
        yield Sample(catalog.DEAD, (target, RequestKind.STATEMENTS), queue.dead.number)
        yield Sample(catalog.DEAD, (target, RequestKind.DOCUMENTS), queue.dead_documents.number)
        yield Sample(catalog.QUARANTINED_NOW, (target,), queue.quarantined.number)
        yield Sample(catalog.REMOVALS, (target,), queue.removals.number)
        if queue.oldest is not None:
            yield Sample(catalog.OLDEST, (target,), max(0, now - queue.oldest) / 1000)
        if queue.oldest_removal is not None:
            yield Sample(catalog.OLDEST_REMOVAL, (target,), max(0, now - queue.oldest_removal) / 1000)
    for name, pause in counts.pauses.items():
        if not pause.automatic:
            yield Sample(catalog.PAUSED, (name,), 1)
    for alarm in counts.target_alarms:
        yield Sample(catalog.TARGET_ALARM, (alarm.target, alarm.request_kind, alarm.state), 1)
    yield Sample(catalog.DATABASE_BYTES, (), counts.database_bytes)
    yield Sample(catalog.COUNTED_AT, (), counts.counted_at / 1000)
