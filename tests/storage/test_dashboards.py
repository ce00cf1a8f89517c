"""The dashboards for Superset: their queries, on PostgreSQL, give figures that are known by hand; their parts fit."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import text

from storage.engine import reading
from tests.support.bridge import StartBridge
from tests.support.report_data import fill_reports

DIRECTORY = Path(__file__).parents[2] / "deploy/superset"


def _parts(kind: str) -> dict[str, dict[str, Any]]:
    return {
        path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
        for path in sorted(DIRECTORY.glob(f"{kind}/**/*.yaml"))
    }


DATABASES, DATASETS, CHARTS, DASHBOARDS = map(_parts, ("databases", "datasets", "charts", "dashboards"))
SAFETY, ENGINES = ("a1", "Safety"), ("a2", "Engines")
FIRST, SECOND, LAST = datetime(2026, 1, 5), datetime(2026, 1, 12), datetime(2026, 2, 2)  # noqa: DTZ001 -- as Superset
JANUARY, FEBRUARY = datetime(2026, 1, 1), datetime(2026, 2, 1)  # noqa: DTZ001 -- likewise
FIGURES: dict[str, list[tuple[Any, ...]]] = {
    "completion_by_month": [
        (JANUARY, "c1", "Welcome", 3, 1, 1, pytest.approx(1 / 3)),
        (JANUARY, "c2", "Computing", 1, 1, 1, 1.0),
        (FEBRUARY, "c1", "Welcome", 1, 1, 1, 1.0),
    ],
    "score_distribution": [
        ("c1", *SAFETY, "40 %", 1),
        ("c1", *SAFETY, "90 %", 2),
        ("c2", *ENGINES, "80 %", 1),
    ],
    "item_analysis": [
        ("a1", "Q1", "choice", 3, 2, pytest.approx(2 / 3), 20.0),
        ("a1", "Q2", "fill-in", 1, 1, 1.0, 60.0),
        ("a2", "urn:q9", "choice", 1, 0, 0.0, 5.0),
    ],
    "item_responses": [
        ("a1", "Q1", "a", True, 2),
        ("a1", "Q1", "b", False, 1),
        ("a2", "urn:q9", "c", False, 1),
    ],
    "activity_by_week": [(FIRST, "c1", 3, 3, 0.5), (SECOND, "c2", 1, 1, 1.0), (LAST, "c1", 1, 1, 0.0)],
}  # fmt: skip
"""Rows of each dataset, of the learning in `tests.support.report_data`."""


async def test_each_query_gives_the_figures_that_are_known_by_hand(start: StartBridge, postgresql_url: str) -> None:
    bridge = await start(database_url=postgresql_url)
    await fill_reports(bridge)
    with reading(bridge.engine) as connection:
        rows = {
            name: sorted(map(tuple, connection.execute(text(dataset["sql"].replace(":", "\\:"))).all()))
            for name, dataset in DATASETS.items()
        }
        columns = {
            name: [*connection.execute(text(dataset["sql"].replace(":", "\\:"))).keys()]
            for name, dataset in DATASETS.items()
        }
        total = connection.execute(text("SELECT count(*) FROM statement")).scalar_one()
    statements = rows.pop("statements_by_week")
    passed = {row for row in statements if row[1] in {"passed", "failed"}}

    assert rows == FIGURES
    assert passed == {
        (FIRST, "passed", 1, 0),
        (FIRST, "failed", 1, 0),
        (SECOND, "passed", 1, 0),
        (LAST, "passed", 1, 0),
    }
    assert sum(row[2] for row in statements) == total
    for name, dataset in DATASETS.items():
        assert [column["column_name"] for column in dataset["columns"]] == columns[name], name


def test_the_parts_of_the_dashboards_fit_together() -> None:
    datasets = {dataset["uuid"]: dataset for dataset in DATASETS.values()}
    charts = {chart["uuid"]: chart for chart in CHARTS.values()}
    shown = [
        place["meta"]["uuid"]
        for dashboard in DASHBOARDS.values()
        for place in dashboard["position"].values()
        if isinstance(place, dict) and place["type"] == "CHART"
    ]
    assert len(DASHBOARDS) == 3
    assert sorted(shown) == sorted(charts)
    assert {dataset["database_uuid"] for dataset in DATASETS.values()} == {
        database["uuid"] for database in DATABASES.values()
    }
    for name, chart in CHARTS.items():
        names = {column["column_name"] for column in datasets[chart["dataset_uuid"]]["columns"]}
        params = chart["params"]
        used = {*params.get("groupby", ()), *params.get("all_columns", ())} | {params.get("x_axis")} - {None}
        used |= {metric["column"]["column_name"] for metric in params.get("metrics", ()) if "column" in metric}
        assert used <= names, name
        assert used, name
