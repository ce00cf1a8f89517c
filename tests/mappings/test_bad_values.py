"""Values that cannot be used are told and left out, and no input whatever makes reading fail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.cmi.parser import parse_cmi
from mappings.cmi.snapshot import EMPTY, ScormVersion, Snapshot
from mappings.cmi.tree import unflatten
from mappings.cmi.warnings import MAX_VALUE_LENGTH, CmiWarning
from tests.mappings.builders import delta

proven = settings(deadline=None, max_examples=80, derandomize=True, database=None)


def warning(changes: Mapping[str, Any]) -> tuple[CmiWarning, Snapshot]:
    """Return the one warning of a delta, and its snapshot."""
    reading = parse_cmi(delta(changes))
    (issue,) = reading.warnings
    return issue, reading.snapshot


@pytest.mark.parametrize(
    ("element", "sent", "code", "message", "value"),
    [
        ("core.lesson_status", "done", "unknown-word", "must be one of: browsed, completed, failed, ", "done"),
        ("completion_status", "passed", "unknown-word", "must be one of: completed, incomplete, not att", "passed"),
        ("success_status", "completed", "unknown-word", "must be one of: failed, passed, unknown", "completed"),
        ("core.exit", "quit", "unknown-word", "must be one of: logout, normal, suspend, time-out", "quit"),
        ("core.entry", "x", "unknown-word", "must be one of: ab-initio, resume", "x"),
        ("core.credit", "yes", "unknown-word", "must be one of: credit, no-credit", "yes"),
        ("mode", "exam", "unknown-word", "must be one of: browse, normal, review", "exam"),
        ("core.score.raw", "NaN", "not-a-number", "is not a number", "NaN"),
        ("core.score.raw", "8 5", "not-a-number", "is not a number", "8 5"),
        ("core.score.raw", "1,2,3", "not-a-number", "is not a number", "1,2,3"),
        ("core.score.raw", "\u0668\u0665", "not-a-number", "is not a number", "\u0668\u0665"),
        ("core.score.raw", "0.5" + "0" * 62, "not-a-number", "is not a number", "0.5" + "0" * 62),
        ("core.score.raw", True, "not-a-number", "is not a number", "true"),
        ("score.max", "undefined", "not-a-number", "is not a number", "undefined"),
        ("core.score.raw", "1e999", "not-a-number", "is too large to be a number here", "1e999"),
        ("core.score.raw", float("nan"), "not-a-number", "is not a number", "nan"),
        ("core.score.raw", float("inf"), "not-a-number", "is not a number", "inf"),
        ("score.scaled", "1.01", "out-of-range", "must lie between -1 and 1", "1.01"),
        ("score.scaled", "85", "out-of-range", "must lie between -1 and 1", "85"),
        ("score.scaled", "-1.00001", "out-of-range", "must lie between -1 and 1", "-1.00001"),
        ("progress_measure", "1.5", "out-of-range", "must lie between 0 and 1", "1.5"),
        ("progress_measure", "-0.1", "out-of-range", "must lie between 0 and 1", "-0.1"),
        ("completion_threshold", "2", "out-of-range", "must lie between 0 and 1", "2"),
        ("scaled_passing_score", "80", "out-of-range", "must lie between -1 and 1", "80"),
        ("core.session_time", "soon", "bad-time", "is neither HHHH:MM:SS.SS (SCORM 1.2) nor an ISO 8601", "soon"),
        ("session_time", "PT1", "bad-time", "is neither HHHH:MM:SS.SS (SCORM 1.2) nor an ISO 8601", "PT1"),
        ("core.total_time", "9999:99:99.99", "bad-time", "is longer than a year and cannot be", "9999:99:99.99"),
        ("core.exit", {"a": "b"}, "not-text", "must be text, not an object or a list", "{'a': 'b'}"),
        ("suspend_data", [1], "not-text", "must be text, not an object or a list", "[1]"),
        ("core", "x", "not-a-group", "is a group of elements and takes no value itself", "x"),
        ("core.score", "85", "not-a-group", "is a group of elements and takes no value itself", "85"),
        ("score", 85, "not-a-group", "is a group of elements and takes no value itself", "85"),
        ("learner_preference", ["x"], "not-a-group", "is a group of elements and takes no val", "['x']"),
    ],
)
def test_a_bad_value_is_warned_of_and_left_out(element: str, sent: object, code: str, message: str, value: str) -> None:
    issue, snapshot = warning({element: sent})

    assert (issue.element, issue.code, issue.value) == (f"cmi.{element}", code, value)
    assert issue.message.startswith(message)
    assert msgspec.structs.replace(snapshot, scorm_version=None) == EMPTY


@pytest.mark.parametrize("length", [MAX_VALUE_LENGTH, MAX_VALUE_LENGTH + 1, 100_000])
def test_a_warning_repeats_only_the_beginning_of_a_long_value(length: int) -> None:
    issue, _ = warning({"core.score.raw": "x" * length})

    assert len(issue.value) == MAX_VALUE_LENGTH
    assert issue.value.endswith("…") == (length > MAX_VALUE_LENGTH)


def test_a_bad_value_never_spoils_its_neighbours() -> None:
    reading = parse_cmi(
        delta({"core.score.raw": "abc", "core.score.max": "10", "core.exit": "?", "core.lesson_location": "3"})
    )

    assert {warning.element for warning in reading.warnings} == {"cmi.core.score.raw", "cmi.core.exit"}
    assert reading.snapshot == Snapshot(scorm_version="1.2", score_max=10, location="3")


_WORDS = """cmi adl nav request core score raw max scaled lesson_status completion_status exit session_time objectives
    interactions comments student_data learner_preference 0 1 _count"""
_NAMES = st.sampled_from(_WORDS.split())
_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["passed", "PT1S", "00:00:01", "85,5", "1e999", "9" * 70, "\ud800", "\x00"])
)
_JSON = st.recursive(
    _LEAVES,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(_NAMES | st.text(max_size=5), below, max_size=5),
    max_leaves=25,
)


@given(_JSON, st.none() | st.sampled_from(["1.2", "2004"]))
@settings(proven, max_examples=200)
@pytest.mark.slow
def test_no_input_makes_reading_fail(cmi: object, declared: ScormVersion | None) -> None:
    assert isinstance(parse_cmi({"cmi": cmi, "adl": cmi}, declared=declared).snapshot, Snapshot)


@given(st.dictionaries(st.text("cmi.01" + "core score raw", max_size=20), _JSON, max_size=6))
@proven
def test_no_flat_input_makes_nesting_and_reading_fail(flat: dict[str, Any]) -> None:
    assert isinstance(parse_cmi(unflatten(flat)).snapshot, Snapshot)


@pytest.mark.parametrize("element", ["core", "core.score", "core.exit", "suspend_data", "interactions.0", "objectives"])
def test_nesting_as_deep_as_json_goes_makes_no_reading_fail(element: str) -> None:
    """A body nested almost too deep to decode is decoded, and the reader stands some calls deeper on the stack."""
    deep: list[Any] = []
    for _ in range(20_000):
        deep = [deep]

    assert parse_cmi(delta({element: deep})).snapshot.exit is None
