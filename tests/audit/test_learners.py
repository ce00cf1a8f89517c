"""Learners: the search, one enrollment, and files of both."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from storage.queries import keyset
from tests.audit.conftest import Meet
from tests.audit.page_content import fact, table
from tests.support.accounts import register_lms
from tests.support.bridge import Bridge
from tests.support.browser import Visitor
from tests.support.sql import column, scalar

CANARY = "<script>alert('ä\"\U0001f393')</script>"
RTL = "\u202eأحمد"
LONG = "N" * 1_000
NAMES = {"u1": "Lovelace, Ada", "u2": CANARY, "u3": RTL, "u4": LONG, "u10": "=1+1"}
ALL = "SELECT registration FROM enrollment ORDER BY last_commit_at DESC, id DESC"


@pytest.fixture
async def learned(bridge: Bridge) -> Bridge:
    """A bridge of two LMSs whose learners have learned."""
    for number, (learner, name) in enumerate(NAMES.items()):
        bridge.clock.advance(60)
        await commit(bridge, learner, name, raw=20 * number, status="completed" if number % 2 else "incomplete")
    bridge.clock.advance(86_400)
    await commit(bridge, "u1", NAMES["u1"], activity="236", raw=5, success="failed", terminated=True)
    await commit(bridge, "u1", NAMES["u1"], activity="236", raw=70, success="passed", token=other_lms(bridge))
    return bridge


async def commit(
    bridge: Bridge,
    learner: str,
    name: str,
    *,
    raw: int,
    activity: str = "235",
    status: str = "completed",
    success: str = "unknown",
    terminated: bool = False,
    token: str = "",
) -> None:
    body = {
        "learner": {"id": learner, "name": name},
        "activity": {"id": activity, "name": f"Topic <{activity}>"},
        "course": {"id": "c1", "name": "Course"},
        "scorm_version": "2004",
        "cmi": {
            "cmi.completion_status": status,
            "cmi.success_status": success,
            "cmi.score.raw": str(raw),
            "cmi.score.max": "100",
            "cmi.session_time": "PT1M30S",
        },
        "terminated": terminated,
    }
    answered, answer = await bridge.post("/v1/commits", body, token=token)
    assert answered == 200, answer


def other_lms(bridge: Bridge) -> str:
    return register_lms(bridge.engine, "other", "https://other.example.org").token


def shown(page: str) -> list[str]:
    """Return the registrations on a page, in their order."""
    return re.findall(r'href="/audit/enrollments/([0-9a-f-]{36})"', page)


async def test_enrollments_are_shown_newest_first_with_what_is_stored(learned: Bridge, auditor: Visitor) -> None:
    page = await auditor.text("/audit/learners")
    assert shown(page) == column(learned, ALL)
    rows = table(page, "Enrollments")
    assert len(rows) == scalar(learned, "SELECT count(*) FROM enrollment")
    newest = rows[0]
    assert (newest[1], newest[4]) == ("Lovelace, Ada u1", "other")
    assert newest[5:] == ["completed", "passed", "70 of 100", "1 min 30 s", "1"]


@pytest.mark.parametrize(
    ("query", "condition"),
    [
        ("learner=u1", "learner_id LIKE 'u1%'"),
        ("learner_is=u1", "learner_id = 'u1'"),
        ("name=Love", "learner_name LIKE 'Love%'"),
        ("activity=236", "activity_id = '236'"),
        ("course=c1", "course_id = 'c1'"),
        ("course=c2", "course_id = 'c2'"),
        ("lms=other", "lms_id = (SELECT id FROM lms WHERE name = 'other')"),
        ("completion=completed", "completion_status = 'completed'"),
        ("success=passed", "success_status = 'passed'"),
        ("status=terminated", "id IN (SELECT enrollment_id FROM attempt WHERE status = 'terminated')"),
        ("since=2026-01-02", "last_commit_at >= 1767312000000"),
        ("until=2026-01-01", "last_commit_at < 1767312000000"),
        ("learner=u1&activity=236&lms=lms", "activity_id = '236' AND success_status = 'failed'"),
    ],
)
async def test_a_filter_finds_what_a_plain_query_finds(
    learned: Bridge, auditor: Visitor, query: str, condition: str
) -> None:
    page = await auditor.text(f"/audit/learners?{query}")

    assert shown(page) == column(learned, ALL.replace("ORDER", f"WHERE {condition} ORDER"))
    if not shown(page):
        assert "No matching enrollments." in page


@pytest.mark.parametrize(
    "query", ["status=asleep", "completion=x", "success=%27", "since=yesterday", "learner=%00", "after=x", "after=W10"]
)
async def test_what_cannot_be_searched_for_is_told_in_words(learned: Bridge, auditor: Visitor, query: str) -> None:
    answer = await auditor.get(f"/audit/learners?{query}")

    assert answer.status == 400
    assert "Bad request" in await answer.text()


async def test_pages_follow_each_other_without_gap_or_repetition(
    learned: Bridge, auditor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.queries.enrollments.search.__kwdefaults__", {"after": None, "limit": 2})
    enrollment_ids, page = [], await auditor.text("/audit/learners?course=c1")
    while True:
        enrollment_ids += shown(page)
        following = re.search(r'<a href="([^"]+)" rel="next">', page)
        if following is None:
            break
        assert "course=c1" in following[1]
        page = await auditor.text(following[1].replace("&amp;", "&"))

    assert enrollment_ids == column(learned, ALL)


async def test_nothing_stored_says_what_to_do_next(auditor: Visitor) -> None:
    assert "No enrollments yet." in await auditor.text("/audit/learners")


async def test_what_people_typed_comes_back_escaped(learned: Bridge, auditor: Visitor) -> None:
    for path in ("/audit/learners", *(f"/audit/enrollments/{enrollment_id}" for enrollment_id in column(learned, ALL))):
        page = await auditor.text(path)
        assert "<script>alert" not in page, path
        assert "Topic <" not in page, path
    page = await auditor.text("/audit/learners?activity=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
    assert "<script>alert" not in page
    everything = await auditor.text("/audit/learners")
    assert all(name in everything for name in (RTL, LONG, "&lt;script&gt;alert(&#39;ä&#34;\U0001f393&#39;)"))


async def test_a_reader_sees_no_names_and_cannot_search_by_them(learned: Bridge, reader: Visitor) -> None:
    enrollments = column(learned, ALL)
    paths = ["/audit/learners", "/audit/learners.csv", "/audit/learners.ndjson"]
    for enrollment_id in enrollments:
        paths += [
            f"/audit/enrollments/{enrollment_id}",
            f"/audit/enrollments/{enrollment_id}/attempts.csv",
            f"/audit/enrollments/{enrollment_id}/attempts.ndjson",
        ]
    for path in paths:
        text = await reader.text(path)
        assert not any(name in text for name in ("Lovelace", "alert", "أحمد", "NNNN", "learner_name", "1+1")), path
        assert "u1" in text or "u2" in text or "u3" in text or "u4" in text, path
    answer = await reader.get("/audit/learners?name=Love")

    assert answer.status == 403
    assert (await reader.get("/audit/learners.csv?name=Love")).status == 403


async def test_a_reader_who_may_sees_names(learned: Bridge, meet: Meet) -> None:
    person = await meet(learned, "nora", "reader", sees_names=True)

    assert "Lovelace" in await person.text("/audit/learners?name=Love")
    assert "Lovelace" in await person.text("/audit/learners.csv")


async def test_an_enrollment_shows_its_totals_and_its_attempts(learned: Bridge, auditor: Visitor) -> None:
    await commit(learned, "u1", NAMES["u1"], activity="236", raw=40, success="passed")
    (registration,) = column(
        learned, "SELECT registration FROM enrollment WHERE activity_id = '236' AND total_attempts = 2"
    )
    page = await auditor.text(f"/audit/enrollments/{registration}")
    assert fact(page, "Attempts") == "2"
    assert fact(page, "Best score") == "40 of 100"
    assert fact(page, "Best success") == "passed"
    assert fact(page, "Time spent") == "3 min 0 s"
    attempts = re.findall(r'href="/audit/attempts/([0-9a-f-]{36})"', page)
    assert attempts == column(
        learned,
        "SELECT uuid FROM attempt WHERE enrollment_id = (SELECT id FROM enrollment WHERE total_attempts = 2)"
        " ORDER BY last_commit_at DESC, id DESC",
    )
    assert [row[:4] for row in table(page, "Attempts")] == [
        ["Attempt 2", "active", "completed", "passed"],
        ["Attempt 1", "terminated", "completed", "failed"],
    ]


@pytest.mark.parametrize("enrollment_id", ["nothing", "00000000-0000-4000-8000-0000000000ff", "%00", "1%27%20OR%201"])
@pytest.mark.parametrize("rest", ["", "/attempts.csv", "/attempts.ndjson"])
async def test_an_enrollment_that_is_not_there_is_told_in_words(reader: Visitor, enrollment_id: str, rest: str) -> None:
    answer = await reader.get(f"/audit/enrollments/{enrollment_id}{rest}")

    assert answer.status == 404
    assert "There is no enrollment with this id." in await answer.text()


async def test_a_file_has_all_that_the_search_finds(
    learned: Bridge, auditor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyset, "PAGE_SIZE", 2)
    for query, condition in (
        ("", ""),
        ("?learner=u1", "WHERE learner_id LIKE 'u1%' "),
        ("?course=none", "WHERE false "),
    ):
        wanted = column(learned, ALL.replace("ORDER", f"{condition}ORDER"))
        answer = await auditor.get(f"/audit/learners.ndjson{query}")
        assert 'filename="learners.ndjson"' in answer.headers["Content-Disposition"], query
        rows = [json.loads(line) for line in (await answer.text()).splitlines()]
        assert [row["registration"] for row in rows] == wanted, query
        content = await (await auditor.get(f"/audit/learners.csv{query}")).text(encoding="utf-8-sig")
        cells = list(csv.DictReader(io.StringIO(content, newline="")))
        assert [row["registration"] for row in cells] == wanted, query

    assert {
        row["learner_name"] for row in map(json.loads, (await auditor.text("/audit/learners.ndjson")).splitlines())
    } == {*NAMES.values()}


async def test_the_page_leads_to_files_of_the_same_search(learned: Bridge, auditor: Visitor) -> None:
    page = await auditor.text("/audit/learners?learner=u1&activity=&after=")

    assert '<a href="/audit/learners.csv?learner=u1" download>' in page


async def test_no_cell_of_a_spreadsheet_is_a_formula(learned: Bridge, auditor: Visitor) -> None:
    for learner in ("=HYPERLINK()", "+1", "-1", "@x", "\uff1d1"):
        await commit(learned, learner, learner, raw=1)
    text = await auditor.text("/audit/learners.csv")
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    names = rows[0].index("learner_name"), rows[0].index("learner_id")

    assert not [cell for row in rows[1:] for cell in row if cell[:1] in {"=", "+", "-", "@", "\t", "\r", "\uff1d"}]
    assert "'=1+1" in {row[names[0]] for row in rows}
    assert "'+1" in {row[names[1]] for row in rows}


SEPARATORS = ",;|:"


@pytest.mark.parametrize("separator", [*SEPARATORS, "\t"])
async def test_no_cell_is_a_formula_whatever_a_spreadsheet_takes_for_the_separator(
    learned: Bridge, auditor: Visitor, separator: str
) -> None:
    for other in SEPARATORS:
        await commit(learned, f"u9{other}=HYPERLINK()", f"name{other} @SUM(A1)", raw=1)
    await commit(learned, "u9", "e-mail; Safety - Part 1", raw=1)
    text = (await auditor.text("/audit/learners.csv")).removeprefix("\ufeff")
    for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE):
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, quoting=quoting)
        cells = [cell.lstrip() for row in rows for cell in row]
        assert not [cell for cell in cells if cell[:1] in {"=", "+", "-", "@"}], quoting

    assert "e-mail; Safety - Part 1" in text, "a sign that begins no cell stays as it is"
    assert all(line.startswith('"') for line in text.split("\r\n") if line), "every cell is quoted"


async def test_a_search_that_came_to_no_match_yet_leads_on(
    learned: Bridge, auditor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyset, "READ", 2)
    page = await auditor.text("/audit/learners?completion=not attempted")

    assert "No matches so far." in page
    assert 'rel="next"' in page
