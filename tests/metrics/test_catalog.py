"""Metrics are named by convention, and documented: each of them, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bridge.metrics import Metric, MetricKind
from bridge.metrics.catalog import BY_NAME, METRICS

DOCUMENT = Path(__file__).parents[2] / "docs/metrics.md"
ROW = re.compile(r"^\| `(\w+)` \|([^|]*)\| ([^|]*) \|$", re.MULTILINE)
UNITS = ("_seconds", "_bytes", "_fds", "_info")


def _documented() -> list[tuple[str, tuple[str, ...], str]]:
    text = DOCUMENT.read_text(encoding="utf-8").partition("<!-- metrics -->")[2]
    return [(name, tuple(re.findall(r"`(\w+)`", labels)), meaning) for name, labels, meaning in ROW.findall(text)]


def test_every_metric_is_documented_with_its_labels_and_nothing_else_is() -> None:
    documented = {name: labels for name, labels, _ in _documented()}

    assert documented == {metric.name: metric.labels for metric in METRICS}
    assert len(documented) == len(_documented()) == len(BY_NAME)


def test_histograms_are_documented_as_such() -> None:
    histograms = {name for name, _, meaning in _documented() if meaning.startswith("histogram: ")}

    assert histograms == {metric.name for metric in METRICS if metric.kind is MetricKind.HISTOGRAM}


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_names_follow_the_convention(metric: Metric) -> None:
    assert re.fullmatch(r"(scorm_bridge|process)_[a-z_]+", metric.name)
    assert metric.name.endswith("_total") is (metric.kind is MetricKind.COUNTER)
    assert metric.description.endswith(".")
    assert [*metric.buckets] == sorted(set(metric.buckets))
    if metric.kind is MetricKind.HISTOGRAM:
        assert metric.buckets
        assert metric.name.endswith((*UNITS, "_commands"))


def test_no_label_can_be_a_persons() -> None:
    labels = {label for metric in METRICS for label in metric.labels}

    assert labels == {
        "alarm", "channel", "code", "condition", "database", "disposition", "format", "kind", "outcome", "python",
        "requests", "state", "status", "subject", "target", "task", "version", "webhook",
    }  # fmt: skip
