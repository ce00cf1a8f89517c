"""Both SCORM time formats, every tolerance and every refusal."""

from __future__ import annotations

from datetime import timedelta

import isodate
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.cmi.times import MAX_TIME, CmiTimeError, duration, read_time, timespan

proven = settings(deadline=None, max_examples=80, derandomize=True, database=None)
times = st.integers(0, MAX_TIME)


@pytest.mark.parametrize(
    ("text", "centiseconds"),
    [
        ("00:00:00", 0),
        ("0000:00:00.00", 0),
        ("00:05:30.25", 33_025),
        ("0001:02:03.04", 372_304),
        ("8760:00:00.00", 365 * 24 * 360_000),
    ],
)
def test_a_scorm_12_timespan_is_read_to_the_hundredth(text: str, centiseconds: int) -> None:
    """`CMITimespan`, wire format 3.2."""
    assert read_time(text) == centiseconds


@pytest.mark.parametrize(
    ("text", "centiseconds"),
    [
        ("PT0S", 0),
        ("PT0H0M0S", 0),
        ("PT1.3S", 130),
        ("PT12.50S", 1_250),
        ("PT1H5M30S", 393_000),
        ("P1D", 24 * 360_000),
        ("P1DT1H", 25 * 360_000),
        ("P0Y0M0DT0H0M1.01S", 101),
    ],
)
def test_a_scorm_2004_duration_is_read_to_the_hundredth(text: str, centiseconds: int) -> None:
    assert read_time(text) == centiseconds


@pytest.mark.parametrize(
    ("text", "centiseconds"),
    [
        ("1:00:00", 360_000),
        ("00001:00:00", 360_000),
        ("0:0:7", 700),
        ("0000:00:75", 7_500),
        ("00:90:00", 540_000),
        ("00:00:12", 1_200),
        ("00:00:12.", 1_200),
        ("00:00:12.5", 1_250),
        ("00:00:12,5", 1_250),
        ("00:00:12.05", 1_205),
        ("00:00:12.999", 1_299),
        ("00:00:00.0" + "9" * 300, 9),
        (" 00:00:12 \n", 1_200),
    ],
)
def test_timespans_beyond_the_standard_are_understood(text: str, centiseconds: int) -> None:
    """`.5` is half a second: Moodle reads it as five hundredths, ten times too little."""
    assert read_time(text) == centiseconds


@pytest.mark.parametrize(
    ("text", "centiseconds"),
    [
        ("PT", 0),
        ("P", 0),
        ("P2W", 14 * 24 * 360_000),
        ("P1W1DT1S", 8 * 24 * 360_000 + 100),
        ("pt1h", 360_000),
        ("p1dT1s", 24 * 360_000 + 100),
        ("PT1,5S", 150),
        ("PT.5S", 50),
        ("PT5.S", 500),
        ("PT1.5H", 540_000),
        ("PT0.5M", 3_000),
        ("P0.5D", 12 * 360_000),
        ("PT90M", 540_000),
        ("PT3600S", 360_000),
        ("PT36H", 36 * 360_000),
        ("PT1.009S", 100),
        ("PT0.005S", 0),
        ("PT0.9999999999S", 99),
        ("P1Y", 365 * 24 * 360_000),
        ("P1M", 30 * 24 * 360_000),
        ("P1M1D", 31 * 24 * 360_000),
    ],
)
def test_durations_beyond_the_standard_are_understood(text: str, centiseconds: int) -> None:
    """A year counts 365 days and a month 30."""
    assert read_time(text) == centiseconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "soon",
        "12",
        "12:30",
        "00:00",
        "00:00:00:00",
        "00:100:00",
        "00:00:100",
        "-00:00:01",
        "00:-1:00",
        "00:00:1e3",
        "00:00:NaN",
        "1h",
        "T1H",
        "PT1",
        "PT1H2",
        "PT1M1H",
        "PT1S1M",
        "P1H",
        "P1S",
        "-PT1S",
        "PT-1S",
        "PT1 S",
        "PTS",
        "PT.S",
        "PT1..5S",
        "PT1e3S",
        "PT1H PT1H",
        "undefined",
        "NaN",
        "null",
        "[object Object]",
        "\u0660\u0660:\u0660\u0660:\u0660\u0660",
        "PT\u0661S",
        "PT1\u017f",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(CmiTimeError, match="neither HHHH"):
        read_time(text)


@pytest.mark.parametrize(
    "text",
    ["9999:99:99.99", "8784:00:00.01", "99999999:00:00", "P1Y2D", "P2Y", "P999999999999Y", "PT999999999999H"],
)
def test_a_time_longer_than_a_year_is_a_placeholder_and_refused(text: str) -> None:
    """`9999:99:99.99` is content's word for «unlimited»."""
    with pytest.raises(CmiTimeError, match="longer than a year"):
        read_time(text)


def test_the_longest_time_is_a_leap_year() -> None:
    assert read_time("8784:00:00.00") == read_time("P366D") == MAX_TIME


@pytest.mark.parametrize("text", ["9" * 5_000 + ":00:00", "PT" + "9" * 5_000 + "S", "PT0." + "1" * 5_000 + "S"])
def test_numbers_of_thousands_of_digits_are_refused_and_not_multiplied(text: str) -> None:
    with pytest.raises(CmiTimeError):
        read_time(text)


@pytest.mark.parametrize(
    ("centiseconds", "text"),
    [
        (0, "PT0S"),
        (1, "PT0.01S"),
        (10, "PT0.1S"),
        (100, "PT1S"),
        (150, "PT1.5S"),
        (6_000, "PT1M"),
        (6_001, "PT1M0.01S"),
        (33_025, "PT5M30.25S"),
        (360_000, "PT1H"),
        (360_100, "PT1H1S"),
        (366_000, "PT1H1M"),
        (36 * 360_000, "PT36H"),
    ],
)
def test_a_duration_is_written_with_hours_minutes_seconds_and_two_decimals_at_most(
    centiseconds: int, text: str
) -> None:
    """Never days or weeks: LRSs compare durations as text, and clients differ in what a day is."""
    assert duration(centiseconds) == text


@pytest.mark.parametrize(
    ("centiseconds", "text"),
    [
        (0, "0000:00:00.00"),
        (1, "0000:00:00.01"),
        (33_025, "0000:05:30.25"),
        (360_000, "0001:00:00.00"),
        (MAX_TIME, "8784:00:00.00"),
    ],
)
def test_a_timespan_is_written_in_full(centiseconds: int, text: str) -> None:
    assert timespan(centiseconds) == text


@given(times)
@proven
def test_a_written_duration_reads_back(centiseconds: int) -> None:
    assert read_time(duration(centiseconds)) == centiseconds


@given(times)
@proven
def test_a_written_timespan_reads_back(centiseconds: int) -> None:
    assert read_time(timespan(centiseconds)) == centiseconds


@given(times)
@proven
def test_reading_and_writing_settles_at_once(centiseconds: int) -> None:
    once = duration(read_time(timespan(centiseconds)))

    assert duration(read_time(once)) == once


@given(times)
@proven
def test_isodate_reads_a_written_duration_alike(centiseconds: int) -> None:
    assert isodate.parse_duration(duration(centiseconds)) == timedelta(milliseconds=10 * centiseconds)


_PARTS = st.tuples(
    st.none() | st.integers(0, 300).map(lambda number: f"{number}D"),
    st.none() | st.integers(0, 500).map(lambda number: f"{number}H"),
    st.none() | st.integers(0, 5_000).map(lambda number: f"{number}M"),
    st.none() | st.decimals(0, 5_000, places=2).map(lambda number: f"{number}S"),
)


@given(_PARTS)
@proven
def test_durations_without_years_and_months_mean_what_isodate_says(parts: tuple[str | None, ...]) -> None:
    days, *clock = parts
    text = "P" + (days or "") + ("T" + "".join(filter(None, clock)) if any(clock) else "")
    if text == "P":
        text = "PT0S"

    assert timedelta(milliseconds=10 * read_time(text)) == isodate.parse_duration(text)


@given(st.text(max_size=30) | st.text("PTYMWDHS0123456789.:,", max_size=30))
@proven
def test_any_text_is_read_within_bounds_or_refused(text: str) -> None:
    try:
        centiseconds = read_time(text)
    except CmiTimeError:
        return

    assert 0 <= centiseconds <= MAX_TIME
