"""Traces for OpenTelemetry, the extra `tracing`: spans of commits, of their transactions, and of requests to LRSs.

Where the settings do not ask for them nothing of OpenTelemetry is imported, and a span costs next to nothing. No span
has a learner's id or name, and none anything of a body.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.metadata import version
from typing import TYPE_CHECKING, Protocol

from bridge.settings import SettingsError, TracingSettings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

SERVICE = "scorm-xapi-bridge"
AttributeValue = str | int | float | bool


class TraceSpan(Protocol):
    """A span that is open."""

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        """Set an attribute."""


class _NoSpan:
    def set_attribute(self, key: str, value: AttributeValue) -> None:
        """Set nothing."""


_NOTHING: AbstractContextManager[TraceSpan] = nullcontext(_NoSpan())


class Tracing:
    """Starts spans; without a provider, none."""

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self._provider = provider
        self._tracer = None if provider is None else provider.get_tracer(SERVICE, version(SERVICE))

    def span(self, name: str, headers: Mapping[str, str] | None = None) -> AbstractContextManager[TraceSpan]:
        """Start a span, in which those started inside the block are; the `headers` of a request may name its parent."""
        return _NOTHING if self._tracer is None else self._started(name, headers)

    def close(self) -> None:
        """Export what is left."""
        if self._provider is not None:
            self._provider.shutdown()

    @contextmanager
    def _started(self, name: str, headers: Mapping[str, str] | None) -> Iterator[TraceSpan]:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415 -- extra

        assert self._tracer is not None  # noqa: S101 -- `span` has looked
        parent = None
        if headers is not None:
            parent = TraceContextTextMapPropagator().extract({key.lower(): text for key, text in headers.items()})
        # an exception's message may hold a learner's data
        with self._tracer.start_as_current_span(name, parent, record_exception=False) as span:
            yield span


def open_tracing(settings: TracingSettings, exporter: SpanExporter | None = None) -> Tracing:
    """Return what starts spans, as the settings ask; `exporter` takes them instead of the settings' collector.

    Raises:
        SettingsError: OpenTelemetry is not installed.
    """
    if not settings.enabled:
        return Tracing()
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 -- an extra
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor  # noqa: PLC0415
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased  # noqa: PLC0415
    except ImportError:
        raise SettingsError("tracing.enabled: needs OpenTelemetry: pip install 'scorm-xapi-bridge[tracing]'") from None
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(settings.sample)),
        resource=Resource.create({"service.name": settings.service_name, "service.version": version(SERVICE)}),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(
        BatchSpanProcessor(OTLPSpanExporter(endpoint=settings.endpoint))
        if exporter is None
        else SimpleSpanProcessor(exporter)
    )
    return Tracing(provider)
