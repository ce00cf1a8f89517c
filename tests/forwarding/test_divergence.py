"""Which conflicts tell of another history of the database: what an LRS may rewrite is none."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from bridge.forwarding.divergence import is_diverged

SENT = {
    "id": "6fdb2a26-5ee7-5c9e-9a3d-1b5d8a3d9a10",
    "verb": {"id": "http://adlnet.gov/expapi/verbs/scored"},
    "timestamp": "2026-03-01T10:00:00.250Z",
    "result": {"score": {"raw": 70}},
}


@pytest.mark.parametrize(
    "change",
    [
        {"timestamp": "2026-03-01T10:00:00.251Z"},
        {"timestamp": "2026-03-01T10:00:02Z"},
        {"timestamp": "2026-02-28T10:00:00.250Z"},
        {"timestamp": "2026-03-01T10:00:00.250+01:00"},
        {"verb": {"id": "http://adlnet.gov/expapi/verbs/passed"}},
        {"verb": "passed"},
    ],
    ids=str,
)
def test_a_statement_of_another_moment_or_act_is_of_another_history(change: dict[str, Any]) -> None:
    assert is_diverged(msgspec.json.encode(SENT), SENT | change)


@pytest.mark.parametrize(
    "change",
    [
        {"timestamp": "2026-03-01T10:00:00Z"},
        {"timestamp": "2026-03-01T11:00:00.250+01:00"},
        {"timestamp": "2026-03-01T10:00:00.250000Z"},
        {"timestamp": "2026-03-01T10:00:00.250"},
        {"timestamp": "some day"},
        {"timestamp": None},
        {"timestamp": 1},
        {"verb": {"id": "http://adlnet.gov/expapi/verbs/scored", "display": {"en": "scored"}}},
        {"result": {"score": {"raw": 71}}},
        {"actor": {"name": "somebody"}},
    ],
    ids=str,
)
def test_what_else_differs_is_an_ordinary_conflict(change: dict[str, Any]) -> None:
    assert not is_diverged(msgspec.json.encode(SENT), SENT | change)
