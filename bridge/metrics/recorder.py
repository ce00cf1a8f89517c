"""Counting: cheap enough for the path of commits, as it takes less than a microsecond and no system call."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable

from bridge.metrics.metric import Labels, Merge, Metric, MetricKind, Sample

Values = dict[str, dict[Labels, list[float]]]
"""By metric and labels: the value of a counter or gauge; of a histogram the count of each bucket, and the sum."""


class Metrics:
    """What one process has counted, and where its gauges are read. Any thread may count."""

    def __init__(self) -> None:
        self._values: Values = {}
        self._lock = threading.Lock()
        self._sources: list[Callable[[], Iterable[Sample]]] = []

    def count(self, metric: Metric, labels: Labels = (), amount: float = 1) -> None:
        """Add to a counter."""
        with self._lock:
            values = self._values.setdefault(metric.name, {})
            value = values.get(labels)
            if value is None:
                values[labels] = [amount]
            else:
                value[0] += amount

    def observe(self, metric: Metric, value: float, labels: Labels = ()) -> None:
        """Count a measurement in a histogram."""
        with self._lock:
            histograms = self._values.setdefault(metric.name, {})
            histogram = histograms.get(labels)
            if histogram is None:
                histogram = histograms[labels] = [0.0] * (len(metric.buckets) + 2)
            histogram[bisect_left(metric.buckets, value)] += 1
            histogram[-1] += value

    def add_source(self, read: Callable[[], Iterable[Sample]]) -> None:
        """Let `read` be called, on the event loop, whenever somebody wants to know; it must not wait for anything."""
        self._sources.append(read)

    def collect(self) -> Values:
        """Return everything, as of now."""
        with self._lock:
            values = {
                name: {labels: [*numbers] for labels, numbers in by_labels.items()}
                for name, by_labels in self._values.items()
            }
        for read in self._sources:
            add_samples(values, read())
        return values


def add_samples(values: Values, samples: Iterable[Sample]) -> None:
    """Add samples to values; where there is one with the same labels, by the metric's way of merging."""
    for metric, labels, value in samples:
        by_labels = values.setdefault(metric.name, {})
        sample_values = by_labels.get(labels)
        # as a number, not as the truth that some are: it is written as JSON
        numbers = [float(value)]
        by_labels[labels] = numbers if sample_values is None else _merged(metric, sample_values, numbers)


def merge(values: Values, other: Values, metrics: Iterable[Metric]) -> None:
    """Add what another process has counted to values; what is no metric of this release is left out."""
    for metric in metrics:
        by_labels = other.get(metric.name)
        if by_labels is None:
            continue
        metric_values = values.setdefault(metric.name, {})
        for labels, numbers in by_labels.items():
            mine = metric_values.get(labels)
            metric_values[labels] = [*numbers] if mine is None else _merged(metric, mine, numbers)


def _merged(metric: Metric, first: list[float], second: list[float]) -> list[float]:
    if metric.kind is MetricKind.GAUGE and metric.merge is not Merge.SUM:
        return [max(first[0], second[0]) if metric.merge is Merge.MAX else min(first[0], second[0])]
    return [left + right for left, right in zip(first, second, strict=True)]
