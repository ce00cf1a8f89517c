"""What a metric is: its name and labels, and how those of several processes become one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

Labels = tuple[str, ...]
"""The values of a metric's labels, in their order."""


class MetricKind(StrEnum):
    """How a metric changes."""

    COUNTER = "counter"
    """Only grows while the bridge runs."""
    GAUGE = "gauge"
    """Goes up and down."""
    HISTOGRAM = "histogram"
    """Counts what was measured, by size."""


class Merge(StrEnum):
    """What a gauge of several processes is as a whole."""

    SUM = "sum"
    MAX = "max"
    MIN = "min"


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """A metric.

    Attributes:
        name: as Prometheus has it, with its unit and, for a counter, `_total` at its end.
        description: a sentence for people.
        labels: the names of its labels. Each has few values, and none names a person.
        buckets: upper bounds of a histogram's buckets, without infinity.
        merge: what becomes of a gauge that several processes have.
    """

    name: str
    kind: MetricKind
    description: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    merge: Merge = Merge.SUM


class Sample(NamedTuple):
    """The value of a gauge or counter, as of now."""

    metric: Metric
    labels: Labels
    value: float
