"""Metrics: what is counted and measured while the bridge runs, for `/metrics`.

It stands below everything else: commits, forwarding and HTTP count with it, and it knows none of them.
"""

from __future__ import annotations

from bridge.metrics.metric import Labels, Metric, MetricKind, Sample
from bridge.metrics.recorder import Metrics

__all__ = ["Labels", "Metric", "MetricKind", "Metrics", "Sample"]
