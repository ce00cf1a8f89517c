"""Courses: a learner is enrolled in an activity of a course, and has one registration in all of the course."""

from __future__ import annotations

import json
import random
import string
import uuid

import pytest
from msgspec.structs import replace

from bridge.commit_model.launch import MAX_KEY_BYTES, Launch, LaunchActivity, LaunchCourse, LaunchLearner
from bridge.commits.commands import OpenSession
from bridge.mapping_library.enrollment_history import enrollment_histories
from storage import journal_replay
from storage.engine import open_engine, reading
from storage.journal_replay import JournalSpan
from tests.support.bridge import Bridge
from tests.support.commit_path import Writer
from tests.support.mapping import DEFAULT
from tests.support.replay import replayed, stored

OWN = "5D1F3C1E-7C0B-4C0A-9A4E-0B6C6A3F2D11"
OTHER = "6e2f4d2f-8d1c-4d1b-8b5f-1c7d7b4f3e22"


async def _enrollments(bridge: Bridge, query: str = "") -> list[tuple[str, str, str]]:
    status, answer = await bridge.get(f"/v1/enrollments?{query}")
    assert status == 200
    return [
        (enrollment["course"]["id"], enrollment["activity"]["id"], enrollment["completion_status"])
        for enrollment in answer["enrollments"]
    ]


def _registrations(bridge: Bridge, activity: str = "235") -> set[str]:
    """Return what the statements of learner u1 in an activity say their registration is."""
    return {
        json.loads(statement.body)["context"]["registration"]
        for report in bridge.reports(activity=activity)
        for statement in report.statements
    }


async def test_the_same_sco_id_in_another_course_is_another_activity(bridge: Bridge) -> None:
    first = await bridge.open(activity={"id": "SCO_1"}, course={"id": "C1"})
    await bridge.commit(
        {"suspend_data": "of the first course", "exit": "suspend", "completion_status": "completed"},
        session_id=first["session_id"], activity={"id": "SCO_1"}, scorm_version="2004", terminated=True,
    )  # fmt: skip
    second = await bridge.open(activity={"id": "SCO_1"}, course={"id": "C2"}, scorm_version="2004")

    assert second["attempt"]["entry"] == "ab-initio"
    assert not second["cmi"].get("suspend_data")
    assert second["enrollment"]["registration"] != first["enrollment"]["registration"]
    assert await _enrollments(bridge) == [("C1", "SCO_1", "completed"), ("C2", "SCO_1", "unknown")]
    assert await _enrollments(bridge, "course=C2") == [("C2", "SCO_1", "unknown")]
    assert await _enrollments(bridge, "course=") == []


async def test_a_session_that_is_known_needs_no_course(bridge: Bridge) -> None:
    opened = await bridge.open(course={"id": "C1"})
    await bridge.open(course={"id": "C2"})
    answer = await bridge.commit({"completion_status": "completed"}, session_id=opened["session_id"])
    again = await bridge.open(session_id=opened["session_id"])

    assert answer["enrollment"]["course"]["id"] == again["enrollment"]["course"]["id"] == "C1"
    assert [enrollment for enrollment in await _enrollments(bridge) if enrollment[2] == "completed"] == [
        ("C1", "235", "completed")
    ]


async def test_a_session_of_no_course_stays_so_when_its_commits_name_one(bridge: Bridge) -> None:
    """An LMS that was brought up to date while its learners played must lose nothing."""
    opened = await bridge.open()
    await bridge.commit({"completion_status": "completed"}, session_id=opened["session_id"], course={"id": "C1"})

    assert await _enrollments(bridge) == [("", "235", "completed")]


async def test_a_session_of_another_course_is_refused(bridge: Bridge) -> None:
    opened = await bridge.open(course={"id": "C1"})
    body = {"learner": {"id": "u1"}, "activity": {"id": "235"}, "course": {"id": "C2"}, "cmi": {"location": "1"}}
    status, problem = await bridge.post("/v1/commits", body | {"session_id": opened["session_id"]})

    assert (status, problem["code"]) == (409, "session-mismatch")
    assert "in course 'C1'" in problem["detail"]
    assert "in course 'C2'" in problem["detail"]


async def test_commits_that_leave_course_and_session_out_are_of_the_only_course(bridge: Bridge) -> None:
    opened = await bridge.open(course={"id": "C1"})
    for location in ("1", "2"):
        answer = await bridge.commit({"location": location}, scorm_version="2004")
        assert answer["session_id"] == opened["session_id"], location

    assert [enrollment[:2] for enrollment in await _enrollments(bridge)] == [("C1", "235")]


async def test_where_there_are_several_courses_what_names_none_is_of_none(bridge: Bridge) -> None:
    for course in ("C1", "C2"):
        await bridge.commit({"location": course}, scorm_version="2004", course={"id": course})
    await bridge.commit({"location": "none"}, scorm_version="2004")
    await bridge.commit({"location": "none again"}, scorm_version="2004")

    assert [enrollment[:2] for enrollment in await _enrollments(bridge)] == [("C1", "235"), ("C2", "235"), ("", "235")]


async def test_what_names_a_course_is_not_what_had_none(bridge: Bridge) -> None:
    await bridge.commit({"suspend_data": "of none", "exit": "suspend"}, scorm_version="2004", terminated=True)
    opened = await bridge.open(course={"id": "C1"}, scorm_version="2004")
    again = await bridge.open(scorm_version="2004")

    assert opened["attempt"]["entry"] == "ab-initio"
    assert (again["attempt"]["entry"], again["cmi"]["suspend_data"]) == ("resume", "of none")


def test_a_commit_without_a_course_finds_what_another_process_opened(database_url: str) -> None:
    engine = open_engine(database_url)
    writer = Writer(engine)
    other = writer.another()
    in_course = Launch(
        writer.lms_id, LaunchLearner("u1", "Ada"), LaunchActivity("unit 5", "", ""), LaunchCourse("C1", "")
    )
    session_id = writer.do(OpenSession(in_course, None)).session_id
    for place, process in enumerate((other, writer, other)):
        posting = process.posting(session_id, {"cmi": {"location": str(place)}, "scorm_version": "2004"})
        unnamed = replace(posting, session_id=None, launch=replace(in_course, course=LaunchCourse("", "")))
        assert json.loads(process.do(unnamed))["session_id"] == session_id
    engine.dispose()


@pytest.mark.parametrize("given_first", [True, False])
async def test_all_activities_of_a_course_have_one_registration(bridge: Bridge, *, given_first: bool) -> None:
    """As cmi5 8.1.4 and 9.6.1 want it: the registration is of the course."""
    given = {"registration": OWN} if given_first else {}
    enrollments = [
        (await bridge.open(activity={"id": activity}, course={"id": "C9"}, **(given if activity == "sco1" else {})))[
            "enrollment"
        ]
        for activity in ("sco1", "sco2")
    ]
    registrations = {row["course"]["registration"] for row in enrollments}
    assert len(registrations) == 1
    (registration,) = registrations
    assert uuid.UUID(registration).version == (4 if given_first else 5)
    if given_first:
        assert {row["registration"] for row in enrollments} == {OWN.lower()} == registrations
    else:
        assert len({row["registration"] for row in enrollments} | registrations) == 3


async def test_the_lmss_own_registration_is_that_of_statements_and_is_kept(bridge: Bridge) -> None:
    course = {"course": {"id": "C9"}, "scorm_version": "2004"}
    await bridge.commit({"completion_status": "completed"}, registration=OWN, terminated=True, **course)
    answer = await bridge.commit({"location": "1"}, **course)
    await bridge.commit({"location": "1"}, activity={"id": "236"}, **course)
    assert _registrations(bridge) == _registrations(bridge, "236") == {OWN.lower()}
    assert answer["enrollment"]["registration"] == OWN.lower()
    _, listing = await bridge.get("/v1/enrollments")
    assert {enrollment["registration"] for enrollment in listing["enrollments"]} == {OWN.lower()}
    assert replayed(bridge.engine, DEFAULT) == stored(bridge.engine)


async def test_a_registration_holds_from_the_session_on_that_it_was_given_with(bridge: Bridge) -> None:
    first = await bridge.open(scorm_version="2004")
    await bridge.commit({"location": "1"}, session_id=first["session_id"], scorm_version="2004")
    before = _registrations(bridge)
    for registration in (OWN, OTHER):
        opened = await bridge.open(registration=registration)
        await bridge.commit({"location": registration}, session_id=opened["session_id"], scorm_version="2004")
    await bridge.commit({"location": "3"}, session_id=first["session_id"], scorm_version="2004", terminated=True)

    assert before == {first["enrollment"]["registration"]}
    assert _registrations(bridge) == before | {OWN.lower(), OTHER}
    assert replayed(bridge.engine, DEFAULT) == stored(bridge.engine)


async def test_a_replay_knows_the_registration_in_the_course(bridge: Bridge) -> None:
    for activity in ("sco1", "sco2"):
        await bridge.commit({"location": "1"}, activity={"id": activity}, course={"id": "C9"})
    _, answer = await bridge.get("/v1/enrollments")
    with reading(bridge.engine) as connection:
        ids = journal_replay.enrollment_ids(connection, JournalSpan(course="C9"), after=0, limit=10)
        attempts = [next(iter(story.attempts)) for story in enrollment_histories(connection, ids) if [*story.commits]]
    facts = [attempt.context for attempt in attempts]

    assert {fact.course_registration for fact in facts} == {
        enrollment["course"]["registration"] for enrollment in answer["enrollments"]
    }
    assert len({fact.registration for fact in facts}) == len(facts) == 2


@pytest.mark.parametrize("registration", ["1", "no-uuid", OWN + "0", 7])
async def test_a_registration_is_a_uuid(bridge: Bridge, registration: object) -> None:
    body = {"learner": {"id": "u1"}, "activity": {"id": "235"}, "registration": registration}
    status, problem = await bridge.post("/v1/sessions", body)

    assert status in {400, 422}
    assert "registration" in problem["detail"]


async def test_ids_that_no_index_has_room_for_are_refused_in_words(bridge: Bridge) -> None:
    body = {"learner": {"id": "u" * 900}, "activity": {"id": "a" * 900}, "course": {"id": "c" * 900}}
    status, problem = await bridge.post("/v1/sessions", body)

    assert (status, problem["code"]) == (400, "malformed-field")
    assert "together longer than 2400 bytes" in problem["detail"]


async def test_ids_of_the_greatest_length_are_stored(bridge: Bridge) -> None:
    """Random ones, as databases make those that repeat shorter."""
    chosen = random.Random(1)
    learner, activity, course = ("".join(chosen.choices(string.printable[:94], k=MAX_KEY_BYTES // 3)) for _ in range(3))
    ids = {"learner": {"id": learner}, "activity": {"id": activity}, "course": {"id": course}}
    opened = await bridge.open(**ids)
    again = await bridge.open(**ids)

    assert opened["enrollment"]["registration"] == again["enrollment"]["registration"]
