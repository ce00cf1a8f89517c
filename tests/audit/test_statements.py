"""The pages of statements."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.bridge import Bridge
from tests.support.browser import Visitor
from tests.support.sample_data import COMMENT, NAMES, SCRIPT, SECRETS, TARGET, fill
from tests.support.sql import rows, scalar

_ROW = re.compile(r'<tr id="statement-([0-9a-f-]{36})">')


@pytest.fixture
async def bridge(bridge: Bridge) -> Bridge:
    """A bridge with something of everything."""
    await fill(bridge)
    return bridge


def _ids(bridge: Bridge, where: str = "1 = 1") -> set[str]:
    query = (
        "SELECT DISTINCT s.id FROM statement s JOIN attempt a ON a.id = s.attempt_id"
        " JOIN enrollment e ON e.id = a.enrollment_id"
        f" LEFT JOIN delivery d ON d.attempt_id = s.attempt_id AND d.position = s.position WHERE {where}"
    )
    return {str(row[0]) for row in rows(bridge, query)}


async def test_the_newest_come_first_and_all_are_there(bridge: Bridge, admin: Visitor) -> None:
    shown = _ROW.findall(await admin.text("/audit/statements"))
    expected = rows(bridge, "SELECT id FROM statement ORDER BY created_at DESC, attempt_id DESC, position DESC")

    assert shown == [str(row[0]) for row in expected][:50]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("made", "created_at, attempt_id, position"),
        ("-made", "created_at DESC, attempt_id DESC, position DESC"),
        ("attempt", "attempt_id, position"),
        ("-attempt", "attempt_id DESC, position DESC"),
    ],
)
async def test_the_order_that_is_asked_for_is_that_of_the_database_and_is_kept_from_page_to_page(
    bridge: Bridge, admin: Visitor, sort: str, order: str
) -> None:
    column, direction = sort.removeprefix("-"), "descending" if sort.startswith("-") else "ascending"
    for number in range(30):
        await bridge.commit({"core": {"lesson_status": "passed"}}, learner={"id": f"more-{number}"})
    expected = [str(row[0]) for row in rows(bridge, f"SELECT id FROM statement ORDER BY {order}")]
    assert len(expected) > 50
    shown: list[str] = []
    path = f"/audit/statements?lms=lms&sort={sort}"
    while path:
        text = await admin.text(path)
        shown += _ROW.findall(text)
        (head,) = re.findall(rf'<th aria-sort="{direction}"><a href="([^"]+)">', text)
        other = column if sort.startswith("-") else f"-{column}"
        assert head == f"/audit/statements?lms=lms&amp;sort={other}"
        assert f'<input type="hidden" name="sort" value="{sort}">' in text
        match = re.search(r'<a href="([^"]+)" rel="next">', text)
        path = match[1].replace("&amp;", "&") if match else ""
    assert shown == expected


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("verb=http://adlnet.gov/expapi/verbs/passed", "s.verb = 'http://adlnet.gov/expapi/verbs/passed'"),
        ("verb=Passed", "s.verb = 'http://adlnet.gov/expapi/verbs/passed'"),
        ("rule=commented", "s.rule = 'commented'"),
        ("learner=u2", "e.learner_id = 'u2'"),
        ("activity=235&rule=scored", "s.rule = 'scored'"),
        (f"target={TARGET}&state=dead", "d.state = 'dead'"),
        ("state=quarantined", "d.state = 'quarantined'"),
        ("state=delivered", "d.state = 'delivered'"),
        ("outcome=refused&status=400", "d.state = 'dead' AND s.rule = 'passed' AND e.learner_id IN ('u1', 'u2')"),
        ("lms=lms&learner=u1", "e.learner_id = 'u1'"),
        ("lms=another", "1 = 0"),
        ("target=(none)", "d.target = ''"),
        ("since=2026-01-02", "1 = 0"),
        ("since=2026-01-01&until=2026-01-01", "1 = 1"),
        ("until=2026-01-01T00:01:00.000Z", "s.created_at < 1767225660000"),
        (f"learner={quote(list(NAMES)[-1])}", "e.learner_name = 'Bob'"),
    ],
)
async def test_a_filter_finds_exactly_those_that_it_names(
    bridge: Bridge, admin: Visitor, query: str, where: str
) -> None:
    text = await admin.text(f"/audit/statements?{query}")
    assert set(_ROW.findall(text)) == _ids(bridge, where)
    lines = (await (await admin.get(f"/audit/statements.ndjson?{query}")).text()).splitlines()
    assert {json.loads(line)["id"] for line in lines} == _ids(bridge, where)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("statement=12", "A statement id must look like"),
        ("state=gone", "must be one of: waiting, delivered, dead"),
        ("since=yesterday", "Dates must look like"),
        ("since=2026-99-01T0", "Times must look like"),
        ("status=many", "The status must be a number"),
        ("after=nonsense", "cursor"),
    ],
)
async def test_what_cannot_be_looked_for_is_told_in_words(admin: Visitor, query: str, words: str) -> None:
    answer = await admin.get(f"/audit/statements?{query}")

    assert answer.status == 400
    assert words in await answer.text()


async def test_pages_follow_one_another_without_gap_or_repetition(bridge: Bridge, admin: Visitor) -> None:
    for number in range(30):
        await bridge.commit({"core": {"lesson_status": "incomplete"}}, learner={"id": f"more-{number}"})
        await bridge.commit({"core": {"lesson_status": "passed"}}, learner={"id": f"more-{number}"})
    shown, path = [], "/audit/statements?lms=lms"
    while path:
        text = await admin.text(path)
        shown += _ROW.findall(text)
        match = re.search(r'<a href="([^"]+)" rel="next">', text)
        path = match[1].replace("&amp;", "&") if match else ""
        assert "lms=lms" in (path or "lms=lms")

    assert len(shown) == len(set(shown)) == scalar(bridge, "SELECT count(*) FROM statement")


async def test_one_statement_is_shown_with_all_that_led_to_it_and_all_that_became_of_it(
    bridge: Bridge, auditor: Visitor
) -> None:
    ((statement_id, attempt_id, session_id, version),) = rows(
        bridge,
        "SELECT s.id, a.uuid, s.session_id, m.content_hash FROM statement s JOIN attempt a ON a.id = s.attempt_id"
        " JOIN enrollment e ON e.id = a.enrollment_id JOIN mapping_version m ON m.id = s.mapping_version_id"
        " WHERE s.rule = 'passed' AND e.learner_id = 'u1'",
    )
    text = await auditor.text(f"/audit/statements/{statement_id}")

    for fragment in (str(attempt_id), str(session_id), version, "&#34;score&#34;", "lrs-canary 17", "cmi-canary"):
        assert fragment in text
    assert "a retry sends it again" in text
    assert "Retry…" not in text  # an auditor changes nothing
    assert str(statement_id).upper() != str(statement_id)
    assert (await auditor.get(f"/audit/statements/{str(statement_id).upper()}")).status == 200


async def test_what_waits_tells_what_is_ahead_of_it(bridge: Bridge, auditor: Visitor) -> None:
    id_rows = rows(
        bridge,
        "SELECT s.id FROM statement s JOIN attempt a ON a.id = s.attempt_id JOIN enrollment e"
        " ON e.id = a.enrollment_id WHERE e.learner_id = 'u2' AND s.rule IN ('initialized', 'commented', 'scored')"
        " ORDER BY s.position",
    )
    first, second = (str(row[0]) for row in id_rows[:2])
    text = await auditor.text(f"/audit/statements/{second}")

    assert "Must arrive before it: 1" in text
    assert f'<a href="/audit/statements/{first}">' in text


@pytest.mark.parametrize("statement_id", ["00000000-0000-4000-8000-00000000ffff", "nothing", "%00", "a'b"])
async def test_a_statement_that_there_is_not_is_told_in_words(
    bridge: Bridge, admin: Visitor, statement_id: str
) -> None:
    answer = await admin.get(f"/audit/statements/{statement_id}")

    assert answer.status == 404
    assert "There is no statement with this id" in await answer.text()


async def test_a_reader_sees_neither_names_nor_what_learners_and_lrss_said(bridge: Bridge, reader: Visitor) -> None:
    paths = ["/audit/statements", "/audit/statements.csv", "/audit/statements.ndjson"]
    paths += [f"/audit/statements/{statement_id}" for statement_id in _ids(bridge)]
    for path in paths:
        text = await reader.text(path)
        for secret in (*SECRETS, "lrs-canary", "problem-canary", "suspended-canary"):
            assert secret not in text, path

    assert "u1" in await reader.text("/audit/statements")


async def test_a_reader_who_may_see_names_sees_them_and_no_more(bridge: Bridge, meet: Any) -> None:
    person = await meet(bridge, "nora", "reader", sees_names=True)
    text = await person.text("/audit/statements")
    assert "Ada" in text
    ids = _ids(bridge)
    for path in [f"/audit/statements/{statement_id}" for statement_id in ids]:
        assert "cmi-canary" not in await person.text(path)
    assert "learner_name" in await person.text("/audit/statements.csv")


async def test_what_people_typed_is_shown_and_does_nothing(bridge: Bridge, admin: Visitor) -> None:
    for path in ["/audit/statements", *(f"/audit/statements/{statement_id}" for statement_id in _ids(bridge))]:
        text = await admin.text(path)
        assert SCRIPT not in text, path
        assert "<img src=x" not in text, path
        assert "<b>" not in re.sub(r"<b>(LMS|Enrollment|Attempt|Session|Commit|Rule|Statement)</b>", "", text), path
    page = await admin.text(f"/audit/statements?learner={quote(SCRIPT)}&rule={quote(COMMENT)}")

    assert SCRIPT not in page
    assert "<img src=x" not in page


async def test_files_are_safe_in_spreadsheets_and_exact_for_programs(bridge: Bridge, admin: Visitor) -> None:
    answer = await admin.get("/audit/statements.csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="statements.csv"'
    raw = await answer.text()
    table = list(csv.DictReader(io.StringIO(raw.lstrip("\ufeff"))))
    assert len(table) == scalar(bridge, "SELECT count(*) FROM statement")
    names = {row["learner_name"] for row in table}
    assert "'=HYPERLINK(A1)" in names
    assert NAMES["u3"] in names
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in table for cell in row.values())
    exact = [json.loads(line) for line in (await (await admin.get("/audit/statements.ndjson")).text()).splitlines()]
    assert {row["learner_name"] for row in exact} == set(NAMES.values())
    assert [row["id"] for row in exact] == [row["id"] for row in table]
    (dead,) = [row for row in exact if row["rule"] == "passed" and row["learner_id"] == "u1"]
    assert dead["deliveries"] == {TARGET: "dead"}


async def test_a_file_of_nothing_has_its_head(bridge: Bridge, admin: Visitor) -> None:
    raw = await admin.text("/audit/statements.csv?rule=none-such")

    assert raw.lstrip("\ufeff").startswith('"id","created_at","verb"')
    assert len(raw.splitlines()) == 1
    assert await admin.text("/audit/statements.ndjson?rule=none-such") == ""
    assert (await admin.get("/audit/statements.csv?after=nonsense&rule=x")).status == 200  # a file is of all
