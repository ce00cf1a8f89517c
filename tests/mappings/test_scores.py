"""The one score of a snapshot: the table of both versions, and xAPI's rules for any input."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.cmi.parser import parse_cmi
from mappings.cmi.scores import Score, score, score_warning
from mappings.cmi.snapshot import ScormVersion, Snapshot
from tests.mappings.builders import scorm_12, scorm_2004

proven = settings(deadline=None, max_examples=150, derandomize=True, database=None)


def of(
    version: ScormVersion | None,
    raw: float | None = None,
    low: float | None = None,
    high: float | None = None,
    scaled: float | None = None,
) -> Snapshot:
    """Return a snapshot with a score."""
    return Snapshot(scorm_version=version, score_raw=raw, score_min=low, score_max=high, score_scaled=scaled)


@pytest.mark.parametrize(
    ("raw", "low", "high", "expected"),
    [
        (85, None, None, Score(scaled=0.85, raw=85)),
        (85, 0, 100, Score(scaled=0.85, raw=85, min=0, max=100)),
        (85, None, 100, Score(scaled=0.85, raw=85, max=100)),
        (85, 0, None, Score(scaled=0.85, raw=85, min=0)),
        (0, None, 100, Score(scaled=0, raw=0, max=100)),
        (100, None, 100, Score(scaled=1, raw=100, max=100)),
        (8, 0, 10, Score(scaled=0.8, raw=8, min=0, max=10)),
        (8, None, 10, Score(scaled=0.8, raw=8, max=10)),
        (60, 20, 100, Score(scaled=0.5, raw=60, min=20, max=100)),
        (60, 20, None, Score(scaled=0.5, raw=60, min=20)),
        (33.333333333, None, None, Score(scaled=0.333333, raw=33.333333333)),
        (100, 100, None, Score(raw=100, min=100)),
        (0, None, 0, Score(raw=0, max=0)),
        (85, 100, 0, Score(scaled=0.85, raw=85)),
        (85, 100, 100, Score(scaled=0.85, raw=85)),
    ],
)
def test_a_scorm_12_score_is_scaled_by_its_range_or_by_a_hundred(
    raw: float, low: int | None, high: int | None, expected: Score
) -> None:
    """Wire format 3.3. An impossible range is no range."""
    assert score(of("1.2", raw, low, high)) == expected


@pytest.mark.parametrize(
    ("raw", "low", "high", "scaled", "expected"),
    [
        (None, None, None, 0.5, Score(scaled=0.5)),
        (None, 0, 10, -1, Score(scaled=-1)),
        (8, 0, 10, 0.5, Score(scaled=0.5, raw=8, min=0, max=10)),
        (8, 0, 10, None, Score(scaled=0.8, raw=8, min=0, max=10)),
        (-5, -10, 10, None, Score(scaled=0.25, raw=-5, min=-10, max=10)),
        (8, None, 10, None, Score(raw=8, max=10)),
        (8, 0, None, None, Score(raw=8, min=0)),
        (85, None, None, None, Score(raw=85)),
        (-3, None, None, None, Score(raw=-3)),
        (8, 10, 0, None, Score(raw=8)),
        (8, 10, 0, 0.5, Score(scaled=0.5, raw=8)),
        (11, 0, 10, 0.5, Score(scaled=0.5)),
    ],
)
def test_a_scorm_2004_score_is_scaled_as_given_or_by_its_range(
    raw: int | None, low: int | None, high: int | None, scaled: float | None, expected: Score
) -> None:
    assert score(of("2004", raw, low, high, scaled)) == expected


@pytest.mark.parametrize("snapshot", [of("1.2"), of("1.2", high=100), of("2004", low=0, high=10), of(None, low=0)])
def test_a_range_alone_is_no_score(snapshot: Snapshot) -> None:
    """Players send SCORM 1.2's `max` as 100 though the content never set it (wire format 1.2.5)."""
    assert score(snapshot) is None
    assert score_warning(snapshot) is None


@pytest.mark.parametrize(
    ("snapshot", "element", "message"),
    [
        (of("1.2", 101), "cmi.core.score.raw", "must be at least 0 and at most 100; the score is left out"),
        (of("1.2", -1), "cmi.core.score.raw", "must be at least 0 and at most 100; the score is left out"),
        (of("1.2", 11, 0, 10), "cmi.core.score.raw", "must be at least 0 and at most 10; the score is left out"),
        (of("1.2", 11, 20), "cmi.core.score.raw", "must be at least 20 and at most 100; the score is left out"),
        (of("2004", 11, 0, 10), "cmi.score.raw", "must be at least 0 and at most 10; the score is left out"),
        (of("2004", 11, None, 10), "cmi.score.raw", "must be at most 10; the score is left out"),
        (of("2004", -1, 0), "cmi.score.raw", "must be at least 0; the score is left out"),
    ],
)
def test_a_score_out_of_range_is_left_out_and_told(snapshot: Snapshot, element: str, message: str) -> None:
    warning = score_warning(snapshot)

    assert score(snapshot) is None
    assert warning is not None
    assert (warning.code, warning.element, warning.message) == ("score-out-of-range", element, message)
    assert warning.value == str(snapshot.score_raw)


@pytest.mark.parametrize(
    ("snapshot", "element", "message"),
    [
        (of("1.2", 85, 100, 100), "cmi.core.score.max", "must be above cmi.core.score.min, which is 100; "),
        (of("2004", 8, 10, 0.5), "cmi.score.max", "must be above cmi.score.min, which is 10; the range is left out"),
    ],
)
def test_an_impossible_range_is_left_out_and_told(snapshot: Snapshot, element: str, message: str) -> None:
    warning = score_warning(snapshot)

    assert warning is not None
    assert (warning.code, warning.element) == ("score-range", element)
    assert warning.message.startswith(message)


def test_a_score_that_is_left_out_beside_its_range_is_told_too() -> None:
    snapshot = of("1.2", 150, 50, 40)
    warning = score_warning(snapshot)

    assert score(snapshot) is None
    assert warning is not None
    assert "score" in warning.message.rpartition(";")[2]


@pytest.mark.parametrize("snapshot", [of("1.2", 85), of("1.2", 0, 0, 100), of("2004", 85), of("2004", 5, 0, 10, 0.5)])
def test_a_sound_score_finds_nothing(snapshot: Snapshot) -> None:
    assert score_warning(snapshot) is None


def test_a_default_maximum_from_a_player_is_no_score() -> None:
    assert score(parse_cmi(scorm_12()).snapshot) is None
    assert score(parse_cmi(scorm_2004()).snapshot) is None


def test_a_score_as_json_holds_nothing_that_is_not_known() -> None:
    assert msgspec.json.encode(score(of("1.2", 85))) == b'{"scaled":0.85,"raw":85}'


_REAL = st.none() | st.integers(-200, 200) | st.floats(allow_nan=False, allow_infinity=False) | st.floats(-150, 150)
_SCALED = st.none() | st.floats(-1, 1) | st.sampled_from([-1, 0, 1])


@given(st.builds(of, st.sampled_from([None, "1.2", "2004"]), _REAL, _REAL, _REAL, _SCALED))
@proven
def test_every_score_obeys_xapis_rules(snapshot: Snapshot) -> None:
    """Scaled in -1..1, min < max, raw within both, all of them finite numbers, and not a range alone."""
    value = score(snapshot)
    if value is None:
        return
    numbers = [number for number in (value.scaled, value.raw, value.min, value.max) if number is not None]

    assert all(math.isfinite(number) for number in numbers)
    assert value.scaled is not None or value.raw is not None
    assert value.scaled is None or -1 <= value.scaled <= 1
    assert value.min is None or value.max is None or value.min < value.max
    assert value.raw is None or value.min is None or value.min <= value.raw
    assert value.raw is None or value.max is None or value.raw <= value.max
    assert None not in msgspec.json.decode(msgspec.json.encode(value)).values()


@pytest.mark.parametrize("raw", [-1e308, 0, 1e308])
def test_a_range_too_wide_to_subtract_gives_a_finite_share(raw: float) -> None:
    """Both bounds are numbers that SCORM 2004 allows; their difference is no number that JSON has."""
    value = score(of("2004", raw, -1e308, 1e308))

    assert value is not None
    assert value.scaled is None or value.scaled == {-1e308: 0, 0: 0.5, 1e308: 1}[raw]


@given(st.builds(of, st.sampled_from([None, "1.2", "2004"]), _REAL, _REAL, _REAL, _SCALED))
@proven
def test_a_raw_score_that_is_not_told_is_warned_of(snapshot: Snapshot) -> None:
    value = score(snapshot)

    if snapshot.score_raw is not None and (value is None or value.raw is None):
        assert score_warning(snapshot) is not None


@given(st.sampled_from(["1.2", "2004"]), st.integers(0, 1000), st.integers(0, 1000))
@proven
def test_more_points_never_scale_to_less(version: ScormVersion, first: int, other: int) -> None:
    low, high = (score(of(version, points / 10, 0, 100)) for points in sorted((first, other)))

    assert low is not None
    assert high is not None
    assert low.scaled is not None
    assert high.scaled is not None
    assert low.scaled <= high.scaled


def test_a_score_is_written_as_it_was_told_whatever_equal_one_came_before() -> None:
    """1 and 1.0 are equal, and a score that was told before is remembered."""
    for raw in (1, 1.0, 1, 1.0):
        assert repr(score(of("2004", raw))) == repr(Score(raw=raw))
