"""The search box, and the pages of learners, courses and activities that it leads to."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import urlencode

import pytest

from tests.audit.conftest import Meet
from tests.audit.page_content import fact, table
from tests.support.bridge import Bridge
from tests.support.browser import Visitor
from tests.support.sample_data import SCRIPT
from tests.support.sql import column, rows, scalar

LEARNERS = {"u1": "Grace Hopper", "u2": "Ümit Hopkins", "u3": f"Ada {SCRIPT}", "hop-4": ""}


@pytest.fixture
async def learned(bridge: Bridge) -> Bridge:
    """A bridge whose learners were in two activities of a course, and their names are indexed."""
    for learner, name in LEARNERS.items():
        for activity, raw in (("235", 40), ("236", 90)):
            bridge.clock.advance(60)
            await bridge.commit(
                {"cmi.completion_status": "completed", "cmi.success_status": "passed" if raw > 50 else "failed",
                 "cmi.score.raw": str(raw), "cmi.score.max": "100", "cmi.score.scaled": str(raw / 100),
                 "cmi.session_time": "PT1M30S"},
                learner={"id": learner, "name": name}, activity={"id": activity, "name": f"Topic {activity}"},
                course={"id": "c/1", "name": "Fire safety"}, scorm_version="2004",
            )  # fmt: skip
    await bridge.let_names_be_indexed()
    return bridge


def results(page: str, group: str) -> list[str]:
    """Return the addresses that a group of results leads to."""
    section = re.search(rf'<section aria-label="{group}">.*?</section>', page, re.DOTALL)
    return [] if section is None else [unescape(href) for href in re.findall(r'<li><a href="([^"]+)"', section[0])]


def learner_path(learner: str) -> str:
    return f"/audit/learner?{urlencode({'lms': 'lms', 'id': learner})}"


async def test_one_box_on_every_page_finds_learners_courses_and_activities_each_in_their_group(
    learned: Bridge, auditor: Visitor
) -> None:
    for path in ("/audit/", "/audit/statements", learner_path("u1")):
        assert 'action="/audit/search"' in await auditor.text(path)
    page = await auditor.text("/audit/search?q=HOP")
    assert results(page, "Learners") == [learner_path("u2"), learner_path("u1"), learner_path("hop-4")]
    assert results(await auditor.text("/audit/search?q=safe"), "Courses") == ["/audit/course?lms=lms&id=c%2F1"]
    page = await auditor.text("/audit/search?q=topic")
    assert results(page, "Activities") == ["/audit/activity?lms=lms&id=235", "/audit/activity?lms=lms&id=236"]
    for query in ("hop", "safe", "topic", SCRIPT):
        page = await auditor.text(f"/audit/search?{urlencode({'q': query})}")
        assert SCRIPT not in page, query
        for group in ("Learners", "Courses", "Activities"):
            for href in results(page, group):
                assert (await auditor.get(href)).status == 200


async def test_a_reader_who_may_not_see_names_finds_nobody_by_them(
    learned: Bridge, reader: Visitor, meet: Meet
) -> None:
    page = await reader.text("/audit/search?q=hop")
    assert results(page, "Learners") == [learner_path("hop-4")]
    page = await reader.text("/audit/search?q=grace")
    assert "Grace" not in page.replace("grace", "")
    assert results(page, "Learners") == []
    assert "Hopper" not in await reader.text("/audit/search?q=u1")
    assert "Hopper" not in await reader.text(learner_path("u1"))
    for order in ("learner", "-learner"):
        text = await reader.text(f"/audit/course?lms=lms&id=c%2F1&sort={order}")
        assert "Hopper" not in text, order
        assert 'aria-sort="' not in text, order
    person = await meet(learned, "nora", "reader", sees_names=True)
    assert results(await person.text("/audit/search?q=grace"), "Learners") == [learner_path("u1")]


async def test_a_uuid_leads_to_what_it_identifies_and_its_beginning_to_all_that_begin_so(
    learned: Bridge, auditor: Visitor
) -> None:
    for table_name, name, path in (
        ("statement", "id", "/audit/statements/{}"),
        ("enrollment", "registration", "/audit/enrollments/{}"),
        ("attempt", "uuid", "/audit/attempts/{}"),
    ):
        uuid = str(column(learned, f"SELECT {name} FROM {table_name} ORDER BY 1 DESC LIMIT 1")[0])
        answer = await auditor.get(f"/audit/search?q={uuid.upper()}")
        assert (answer.status, answer.headers["Location"]) == (303, path.format(uuid))
    uuid = str(column(learned, "SELECT id FROM statement ORDER BY 1 LIMIT 1")[0])

    assert f"/audit/statements/{uuid}" in results(await auditor.text(f"/audit/search?q={uuid[:8]}"), "By UUID")
    assert "Nothing found." in await auditor.text("/audit/search?q=ffffffff-ffff-4fff-bfff-ffffffffffff")


async def test_more_results_of_a_kind_follow_page_after_page(learned: Bridge, auditor: Visitor) -> None:
    for number in range(60):
        await learned.commit({}, learner={"id": f"n{number}", "name": f"Many {number}"})
    await learned.let_names_be_indexed()
    page = await auditor.text("/audit/search?q=many")
    assert len(results(page, "Learners")) == 10
    more = re.search(r'href="([^"]+)">More learners', page)
    assert more is not None
    path, found = unescape(more[1]), list[str]()
    while path:
        page = await auditor.text(path)
        found += results(page, "Learners")
        following = re.search(r'href="([^"]+)" rel="next"', page)
        path = unescape(following[1]) if following else ""
    assert sorted(found) == sorted(learner_path(f"n{number}") for number in range(60))


async def test_a_new_name_is_found_after_the_next_commit_that_tells_it(learned: Bridge, auditor: Visitor) -> None:
    await learned.commit({}, learner={"id": "u1", "name": "Grace Murray"}, activity={"id": "235"},
                         course={"id": "c/1", "name": "Fire drill"})  # fmt: skip
    await learned.let_names_be_indexed()

    assert results(await auditor.text("/audit/search?q=murray"), "Learners") == [learner_path("u1")]
    assert results(await auditor.text("/audit/search?q=hopper"), "Learners") == []
    assert results(await auditor.text("/audit/search?q=drill"), "Courses") == ["/audit/course?lms=lms&id=c%2F1"]
    assert scalar(learned, "SELECT count(*) FROM search_rename") == 0


async def test_commits_without_a_new_name_write_nothing_to_the_index(learned: Bridge) -> None:
    for _ in range(3):
        await learned.commit({"cmi.score.raw": "50"}, learner={"id": "u1", "name": "Grace Hopper"})

    assert scalar(learned, "SELECT count(*) FROM search_rename") == 0


async def test_a_search_for_nothing_finds_nothing_and_what_is_no_search_is_refused(auditor: Visitor) -> None:
    for query in ("", "q=", "q=%20", "q=!"):
        assert "<section" not in await auditor.text(f"/audit/search?{query}")
    for query in ("q=a&kind=other", "q=a&kind=learner&after=x", "q=%00"):
        assert (await auditor.get(f"/audit/search?{query}")).status == 400


async def test_the_page_of_a_learner_course_or_activity_has_the_numbers_of_the_database(
    learned: Bridge, auditor: Visitor
) -> None:
    await learned.commit({}, learner={"id": "other"}, activity={"id": "237"}, course={"id": "c2"})
    figures = {"Courses": "course_id", "Learners": "learner_id", "Activities": "activity_id"}
    for kind, subject in (("learner", "u1"), ("course", "c/1"), ("activity", "236")):
        page = await auditor.text(f"/audit/{kind}?{urlencode({'lms': 'lms', 'id': subject})}")
        where = f"{kind}_id = '{subject}'"
        counts = {
            "Enrollments": "count(*)",
            "Completed": "count(CASE completion_status WHEN 'completed' THEN 1 END)",
            "Passed": "count(CASE success_status WHEN 'passed' THEN 1 END)",
            "Failed": "count(CASE success_status WHEN 'failed' THEN 1 END)",
        } | {name: f"count(DISTINCT {part})" for name, part in figures.items() if part != f"{kind}_id"}
        for name, expression in counts.items():
            number = scalar(learned, f"SELECT {expression} FROM enrollment WHERE {where}")
            assert int(fact(page, name)) == number, (kind, name)
        shown = re.findall(r'href="/audit/enrollments/([0-9a-f-]{36})"', page)
        query = f"SELECT registration FROM enrollment WHERE {where} ORDER BY last_commit_at DESC, id DESC"
        assert shown == column(learned, query), kind
        made = (
            "SELECT count(*) FROM statement s JOIN attempt a ON a.id = s.attempt_id"
            f" JOIN enrollment e ON e.id = a.enrollment_id WHERE {where}"
        )
        if kind != "course":
            assert len(table(page, "Newest statements")) == min(10, scalar(learned, made)), kind


async def test_a_course_lists_its_activities_with_what_their_learners_achieved(
    learned: Bridge, auditor: Visitor
) -> None:
    listed = table(await auditor.text("/audit/course?lms=lms&id=c%2F1"), "Activities")
    expected = rows(
        learned,
        "SELECT activity_name, activity_id, count(*), count(CASE completion_status WHEN 'completed' THEN 1 END),"
        " count(CASE success_status WHEN 'passed' THEN 1 END), count(CASE success_status WHEN 'failed' THEN 1 END)"
        " FROM enrollment WHERE course_id = 'c/1' GROUP BY activity_name, activity_id ORDER BY activity_id",
    )

    assert listed == [[f"{row[0]} {row[1]}", *map(str, row[2:])] for row in expected]


async def test_few_enrollments_are_sorted_by_each_column(learned: Bridge, auditor: Visitor) -> None:
    for sort, order in (
        ("learner", "learner_name"), ("-learner", "learner_name DESC"), ("score", "best_scaled"),
        ("-score", "best_scaled DESC"), ("activity", "activity_name"), ("commit", "last_commit_at"),
        ("-time", "total_time DESC"), ("success", "success_status"), ("attempts", "total_attempts"),
    ):  # fmt: skip
        page = await auditor.text(f"/audit/course?lms=lms&id=c%2F1&sort={sort}")
        shown = re.findall(r'href="/audit/enrollments/([0-9a-f-]{36})"', page)
        query = f"SELECT registration FROM enrollment ORDER BY {order} NULLS LAST, id DESC"
        assert shown == column(learned, query), sort
        assert f'aria-sort="{"descending" if sort.startswith("-") else "ascending"}"' in page


async def test_what_is_not_there_has_no_page_and_what_is_no_order_is_refused(learned: Bridge, auditor: Visitor) -> None:
    for path in (
        "learner?lms=lms&id=nobody", "learner?lms=none&id=u1", "learner", "course?lms=lms", "activity?id=235"
    ):  # fmt: skip
        assert (await auditor.get(f"/audit/{path}")).status == 404
    assert (await auditor.get("/audit/course?lms=lms&id=c%2F1&sort=nothing")).status == 400
