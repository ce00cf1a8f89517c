"""What an LRS's answer means: trouble with the way is never held against a statement."""

from __future__ import annotations

import math
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.forwarding.outcomes import Reply, classify, classify_document, find_statement, retry_after
from storage.states import TryOutcome

SENT = ["00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000b"]
IDS = f'["{SENT[0]}", "{SENT[1]}"]'
NOW = 1_767_225_600_000
"""2026-01-01T00:00:00Z."""

NO_DATES = ("Thu, 99 Jan 2026", "Thu, 01 Jan 99999 00:00:00 GMT", "Thu, 01 Jan 2026 99:00:00 GMT", "2026-01-01T00:01Z")
ABOUT_THE_STATEMENTS = {
    400: TryOutcome.REFUSED,
    401: TryOutcome.NOT_ALLOWED,
    403: TryOutcome.NOT_ALLOWED,
    409: TryOutcome.CONFLICT,
    413: TryOutcome.TOO_LARGE,
    422: TryOutcome.REFUSED,
}


@pytest.mark.parametrize("text", [IDS, f" {IDS}\r\n", IDS.upper(), f'["{SENT[1]}"]'])
def test_a_200_with_ids_that_were_sent_is_a_delivery(text: str) -> None:
    """An LRS may leave out those it knew."""
    assert classify(Reply(200, text), SENT) is TryOutcome.DELIVERED


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "<!doctype html><title>Sign in</title>",
        "{}",
        '{"ids": []}',
        '"ok"',
        "null",
        "[1]",
        "[null]",
        "[]",
        '["00000000-0000-4000-8000-0000000000ff"]',
        "[[]]",
        IDS[:-1],
        f"{IDS}x",
        "[" * 10_000,
    ],
)
def test_a_200_without_one_is_trouble_with_the_way(text: str) -> None:
    """A login page or a proxy's greeting says nothing of the statements."""
    assert classify(Reply(200, text), SENT) is TryOutcome.RETRY


@pytest.mark.parametrize("text", ["", IDS, "<html>"])
def test_a_204_is_a_delivery(text: str) -> None:
    """So answers an LRS that knew all of them."""
    assert classify(Reply(204, text), SENT) is TryOutcome.DELIVERED


@pytest.mark.parametrize(("status", "outcome"), ABOUT_THE_STATEMENTS.items())
@pytest.mark.parametrize("text", ["", IDS, "<html>"])
def test_a_refusal_means_what_the_standard_says_whatever_its_text(status: int, outcome: TryOutcome, text: str) -> None:
    assert classify(Reply(status, text), SENT) is outcome


@pytest.mark.parametrize(
    "status",
    [201, 202, 301, 302, 303, 307, 308, 402, 404, 405, 406, 408, 410, 415, 429, 501, 502, 503, 504, 599],
)
def test_everything_else_is_trouble_with_the_way(status: int) -> None:
    for text in ("", IDS, "<html>"):
        assert classify(Reply(status, text), SENT) is TryOutcome.RETRY


def test_an_lrs_that_broke_may_have_broken_on_a_statement() -> None:
    assert classify(Reply(500, IDS), SENT) is TryOutcome.BROKE


def test_no_status_but_the_known_ones_ever_settles_a_statement() -> None:
    trouble = {TryOutcome.RETRY, TryOutcome.BROKE}
    settling = {status for status in range(100, 600) if classify(Reply(status, IDS), SENT) not in trouble}

    assert settling == {200, 204, *ABOUT_THE_STATEMENTS}


def test_no_answer_is_trouble_with_the_way() -> None:
    assert classify(Reply(None, IDS), SENT) is TryOutcome.RETRY
    assert classify_document(Reply(None, "")) is TryOutcome.RETRY


def test_only_a_known_status_ever_settles_a_document() -> None:
    """A 404 is none of them: where there is no such document one can be written, so it tells of a wrong address."""
    outcomes = {status: classify_document(Reply(status, "")) for status in range(100, 600)}

    assert {status: outcome for status, outcome in outcomes.items() if outcome is not TryOutcome.RETRY} == {
        200: TryOutcome.DELIVERED,
        201: TryOutcome.DELIVERED,
        204: TryOutcome.DELIVERED,
        400: TryOutcome.REFUSED,
        401: TryOutcome.NOT_ALLOWED,
        403: TryOutcome.NOT_ALLOWED,
        409: TryOutcome.CONFLICT,
        412: TryOutcome.CONFLICT,
        413: TryOutcome.TOO_LARGE,
        414: TryOutcome.TOO_LARGE,
        422: TryOutcome.REFUSED,
    }


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        ("7", 7),
        (" 120 ", 120),
        ("007", 7),
        ("Thu, 01 Jan 2026 00:01:30 GMT", 90),
        ("Thu, 01 Jan 2026 00:01:30 +0000", 90),
        ("Thu, 01 Jan 2026 01:01:30 +0100", 90),
        ("Thursday, 01-Jan-26 00:01:30 GMT", 90),
        ("Wed, 31 Dec 2025 23:59:00 GMT", 0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
    ],
)
def test_the_wait_that_is_asked_for_is_seconds_or_a_date(header: str, seconds: float) -> None:
    assert retry_after(Reply(503, "", {"Retry-After": header}), NOW) == seconds


@pytest.mark.parametrize(
    "header",
    ["", " ", "soon", "-5", "+5", "1.5", "1e3", "0x10", "٣", "²", "7 s", "7, 8", "NaN", "inf", "\x00", *NO_DATES],
)
def test_a_wait_that_cannot_be_read_is_none(header: str) -> None:
    assert retry_after(Reply(503, "", {"Retry-After": header}), NOW) is None


def test_a_date_without_a_zone_is_one_in_greenwich(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 9110, 5.6.7: recipients must take the old asctime form, which is always UTC."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert retry_after(Reply(503, "", {"Retry-After": "Thu Jan  1 00:01:30 2026"}), NOW) == 90
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_huge_wait_is_a_number_that_can_be_waited() -> None:
    wait = retry_after(Reply(429, "", {"Retry-After": "9" * 400}), NOW)

    assert wait is not None
    assert 3600 < wait < math.inf


@pytest.mark.parametrize("name", ["Retry-After", "retry-after", "RETRY-AFTER", "Retry-after"])
def test_the_header_is_found_however_it_is_written(name: str) -> None:
    assert retry_after(Reply(503, "", {"Content-Type": "text/html", name: "7"}), NOW) == 7


def test_no_header_asks_for_nothing() -> None:
    assert retry_after(Reply(503, "", {"X-Retry-After": "7"}), NOW) is None
    assert retry_after(Reply(None, "connection refused"), NOW) is None


@settings(max_examples=200, derandomize=True, deadline=None)
@given(status=st.none() | st.integers(100, 599), text=st.text(max_size=40), header=st.text(max_size=40))
def test_no_answer_at_all_is_more_than_the_table_can_bear(status: int | None, text: str, header: str) -> None:
    reply = Reply(status, text, {"Retry-After": header})
    assert classify(reply, SENT) in TryOutcome
    wait = retry_after(reply, NOW)
    assert wait is None or 0 <= wait < math.inf


STATEMENT: dict[str, Any] = {
    "id": "0d1b7a5e-6f0c-5d3c-9a43-9a7d61c3b8ef",
    "verb": {"id": "http://adlnet.gov/expapi/verbs/passed"},
}


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


OTHER_STATEMENT = STATEMENT | {"id": "1d1b7a5e-6f0c-5d3c-9a43-9a7d61c3b8ef"}


@pytest.mark.parametrize(
    "answer",
    [
        STATEMENT,
        {"statements": [STATEMENT]},
        {"statements": [STATEMENT], "more": ""},
        {"statements": [OTHER_STATEMENT, STATEMENT], "more": "/xapi/statements?page=2"},
    ],
    ids=["alone", "listed", "with more", "among others"],
)
def test_a_statement_is_found_however_the_lrs_wraps_it(answer: Any) -> None:
    assert find_statement(_json(answer), STATEMENT["id"]) == STATEMENT
    assert find_statement(_json(answer), STATEMENT["id"].upper()) == STATEMENT


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "<html>Sign in</html>",
        "[]",
        "null",
        '"text"',
        "7",
        "{}",
        '{"statements": [], "more": ""}',
        '{"statements": [null, 7, "text", []]}',
        '{"statements": {}}',
        '{"statements": null}',
        '{"id": null}',
        _json(OTHER_STATEMENT),
        _json({"statements": [OTHER_STATEMENT]}),
        "{",
        "[" * 10_000,
    ],
    ids=lambda answer: answer[:25],
)
def test_in_what_is_something_else_no_statement_is_found(answer: str) -> None:
    assert find_statement(answer, STATEMENT["id"]) is None
