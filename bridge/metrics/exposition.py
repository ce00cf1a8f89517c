"""Metrics as Prometheus reads them: in its text format, or OpenMetrics where that is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as MetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from bridge.metrics.catalog import METRICS
from bridge.metrics.metric import Labels, Metric, MetricKind
from bridge.metrics.recorder import Values


def render(values: Values, accept: str) -> tuple[bytes, str]:
    """Return values as text and its content type, as the header `Accept` of a request asks."""
    encode, content_type = choose_encoder(accept)
    return encode(_Families(values)), content_type


class _Families(Collector):
    """What prometheus-client takes instead of a registry of its own."""

    def __init__(self, values: Values) -> None:
        self._values = values

    def collect(self) -> Iterator[MetricFamily]:
        """Yield each metric that has a value."""
        for metric in METRICS:
            by_labels = self._values.get(metric.name)
            if by_labels:
                yield _family(metric, by_labels)


def _family(metric: Metric, by_labels: dict[Labels, list[float]]) -> MetricFamily:
    if metric.kind is MetricKind.HISTOGRAM:
        histogram = HistogramMetricFamily(metric.name, metric.description, labels=metric.labels)
        bounds = [*map(floatToGoString, metric.buckets), "+Inf"]
        for labels, numbers in by_labels.items():
            counts = accumulate(numbers[:-1])
            histogram.add_metric(labels, [*zip(bounds, counts, strict=True)], numbers[-1])
        return histogram
    kind = CounterMetricFamily if metric.kind is MetricKind.COUNTER else GaugeMetricFamily
    family = kind(metric.name, metric.description, labels=metric.labels)
    for labels, (value,) in by_labels.items():
        family.add_metric(labels, value)
    return family
