"""The dashboard and the alert rules ask for metrics and labels that there are."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge.metrics import Metric, MetricKind
from bridge.metrics.catalog import BY_NAME, METRICS
from bridge.settings import AlertCondition

DIRECTORY = Path(__file__).parents[2] / "deploy/monitoring"
DASHBOARD = json.loads((DIRECTORY / "grafana-dashboard.json").read_text(encoding="utf-8"))
RULES_FILE = DIRECTORY / "prometheus-rules.yml"
RULES = yaml.safe_load(RULES_FILE.read_text(encoding="utf-8"))["groups"][0]["rules"]
OF_SCRAPES = {"job", "instance"}
_NAME = re.compile(r"\b(?:scorm_bridge|process)_\w+")
_SELECTOR = re.compile(r"\b((?:scorm_bridge|process)_\w+)(?:\{([^}]*)\})?")
_CONDITION = re.compile(
    r"\b[a-z]+-(?:unreachable|unauthorized|refusing|trouble|deliveries|statements|disk|lms|down|webhooks)\b"
)
_GROUPED = re.compile(r"\b(?:by|on|without)\s*\(([^)]*)\)")


def _panels(panels: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for panel in panels:
        yield panel
        yield from _panels(panel.get("panels", []))


QUERIES = [
    *(
        (f"dashboard: {panel['title']}", target["expr"])
        for panel in _panels(DASHBOARD["panels"])
        for target in panel.get("targets", ())
    ),
    *((f"rule: {rule['alert']}", rule["expr"]) for rule in RULES),
]


def _metric(name: str) -> Metric:
    """Return the metric that a series is of."""
    if name in BY_NAME:
        assert BY_NAME[name].kind is not MetricKind.HISTOGRAM, f"{name} has no series of its own"
        return BY_NAME[name]
    metric = BY_NAME[re.sub(r"_(bucket|sum|count)$", "", name)]
    assert metric.kind is MetricKind.HISTOGRAM, name
    return metric


@pytest.mark.parametrize(
    ("where", "query"), QUERIES, ids=[f"{number} {where}" for number, (where, _) in enumerate(QUERIES)]
)
def test_a_query_names_metrics_and_labels_that_there_are(where: str, query: str) -> None:
    selectors = _SELECTOR.findall(query)
    known = OF_SCRAPES | {"le"}
    for name, matchers in selectors:
        labels = set(_metric(name).labels) | OF_SCRAPES
        assert set(re.findall(r"(\w+)\s*(?:=~|!=|!~|=)", matchers)) <= labels, where
        known |= labels
    grouped = {label.strip() for labels in _GROUPED.findall(query) for label in labels.split(",")}

    assert selectors, where
    assert grouped <= known, where
    if "histogram_quantile" in query:
        assert "le" in grouped, where


def test_every_metric_of_the_bridge_is_on_the_dashboard_or_is_none_to_draw() -> None:
    shown = {_metric(name).name for _, query in QUERIES for name in _NAME.findall(query)}

    assert {metric.name for metric in METRICS} - shown <= {
        "process_max_fds", "process_start_time_seconds", "scorm_bridge_counted_timestamp_seconds",
        "scorm_bridge_mirror_bytes", "scorm_bridge_queue_bytes", "scorm_bridge_task_failures_total",
        "scorm_bridge_task_runs_total", "scorm_bridge_workers",
    }  # fmt: skip


def test_what_a_rules_words_name_is_there() -> None:
    conditions = set(AlertCondition)
    for rule in RULES:
        text = json.dumps(rule["annotations"])
        labels = {label.strip() for group in _GROUPED.findall(rule["expr"]) for label in group.split(",")}
        assert set(re.findall(r"\$labels\.(\w+)", text)) <= labels, rule["alert"]
        assert set(_CONDITION.findall(text)) <= conditions, rule
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}


def test_panels_have_numbers_and_places_of_their_own() -> None:
    panels = list(_panels(DASHBOARD["panels"]))
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}

    assert len({panel["id"] for panel in panels}) == len(places) == len(panels)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="Prometheus is not installed")
def test_prometheus_takes_the_rules_and_the_dashboards_queries(tmp_path: Path) -> None:
    checked = subprocess.run(["promtool", "check", "rules", RULES_FILE], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    queries = [query.replace("$__rate_interval", "5m").replace("$job", ".*") for _, query in QUERIES]
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    file = tmp_path / "queries.yml"
    file.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}), encoding="utf-8")
    checked = subprocess.run(["promtool", "check", "rules", file], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
