"""The statements of each rule, in full, and what holds for all of them."""

from __future__ import annotations

import itertools
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import tincan

from mappings.attempt.changes import Trigger
from mappings.cmi.snapshot import CompletionStatus, Snapshot, SuccessStatus
from mappings.cmi.times import read_time
from mappings.generation.results import PROGRESS
from tests.mappings.builders import NOON
from tests.mappings.statement_builders import (
    ATTEMPT,
    ENROLLMENT,
    ODD_IDS,
    SESSION,
    TOLD,
    compiled,
    encoded,
    everything,
    tell,
)

ACTOR = {
    "objectType": "Agent",
    "name": "Doe, Jane",
    "account": {"homePage": "https://lms.example.org/", "name": "u42"},
}
OBJECT = {
    "objectType": "Activity",
    "id": "https://lms.example.org/courses/7/235",
    "definition": {"type": "http://adlnet.gov/expapi/activities/lesson", "name": {"en-US": "Fire safety"}},
}
CONTEXT: dict[str, Any] = {
    "registration": "33333333-3333-4333-8333-333333333333",
    "contextActivities": {
        "grouping": [
            {
                "objectType": "Activity",
                "id": "https://lms.example.org/courses/7",
                "definition": {"type": "http://adlnet.gov/expapi/activities/course", "name": {"en-US": "Safety"}},
            },
            {
                "objectType": "Activity",
                "id": "https://lms.example.org/courses/7/235?attemptId=11111111-1111-4111-8111-111111111111",
                "definition": {
                    "type": "http://adlnet.gov/expapi/activities/attempt",
                    "name": {"en-US": "Attempt 2"},
                    "description": {"en-US": "Attempt 2 of Fire safety"},
                },
            },
        ],
        "category": [
            {
                "objectType": "Activity",
                "id": "https://w3id.org/xapi/scorm",
                "definition": {"type": "http://adlnet.gov/expapi/activities/profile"},
            }
        ],
    },
    "extensions": {
        "https://lms.example.org/xapi/extensions/scorm": {
            "activity_id": "235",
            "course_id": "7",
            "attempt": "2",
            "session_id": "22222222-2222-4222-8222-222222222222",
        }
    },
}
KNOWN = Snapshot(
    scorm_version="2004",
    completion_status=CompletionStatus.COMPLETED,
    success_status=SuccessStatus.PASSED,
    score_raw=8.5,
    score_min=0,
    score_max=10,
    progress_measure=0.29,
)
VERB_IRIS = {"abandoned": "https://w3id.org/xapi/adl/verbs/abandoned"}
SCORE = {"scaled": 0.85, "raw": 8.5, "min": 0, "max": 10}
GOLDEN = {
    "attempt.started": ("initialized", "attempt", None),
    "session.resumed": ("resumed", SESSION, None),
    "score.changed": ("scored", "1", {"score": SCORE}),
    "progress.changed": (
        "progressed",
        "1",
        {"score": {"scaled": 0.29}, "extensions": {"https://w3id.org/xapi/cmi5/result/extensions/progress": 29}},
    ),
    "completion.completed": ("completed", "attempt", {"completion": True}),
    "success.passed": ("passed", "attempt", {"success": True, "score": SCORE}),
    "session.suspended": (
        "suspended",
        SESSION,
        {"completion": True, "success": True, "score": SCORE, "duration": "PT5M30.25S"},
    ),
    "session.terminated": (
        "terminated",
        SESSION,
        {"completion": True, "success": True, "score": SCORE, "duration": "PT5M30.25S"},
    ),
    "session.abandoned": (
        "abandoned",
        SESSION,
        {"completion": True, "success": True, "score": SCORE, "duration": "PT5M30.25S"},
    ),
}
NOT_ABOUT_THE_SCO = {"interaction", "objective", "comment", "course"}
ABOUT_THE_SCO = [trigger for trigger in TOLD if trigger.split(".")[0] not in NOT_ABOUT_THE_SCO]


def golden(verb: str, occurrence: str, result: dict[str, Any] | None) -> dict[str, Any]:
    """Return a statement in full."""
    result_part = {} if result is None else {"result": result}
    return {
        "id": str(uuid.uuid5(uuid.UUID(ATTEMPT), f"lms-1\n{verb}\n{occurrence}")),
        "actor": ACTOR,
        "verb": {"id": VERB_IRIS.get(verb, f"http://adlnet.gov/expapi/verbs/{verb}"), "display": {"en-US": verb}},
        "object": OBJECT,
        "context": CONTEXT,
        "timestamp": "2026-01-31T12:00:00.000Z",
    } | result_part


@pytest.mark.parametrize("trigger", GOLDEN)
def test_each_change_makes_the_statement_of_the_scorm_profile(trigger: str) -> None:
    (statement,) = tell(trigger, known=KNOWN, spent=33_025)

    assert statement == golden(*GOLDEN[trigger])


def test_a_failure_makes_the_statement_of_the_scorm_profile() -> None:
    snapshot = Snapshot(scorm_version="1.2", success_status=SuccessStatus.FAILED, score_raw=40)
    (statement,) = tell("success.failed", known=snapshot)

    assert statement == golden("failed", "attempt", {"success": False, "score": {"scaled": 0.4, "raw": 40}})


def test_a_completed_course_makes_a_statement_about_the_course() -> None:
    (statement,) = tell("course.completed", known=KNOWN)
    course = CONTEXT["contextActivities"]["grouping"][0]

    assert statement == golden("completed", "attempt", {"completion": True}) | {
        "id": str(uuid.uuid5(uuid.UUID(ATTEMPT), "lms-1\ncourse-completed\nattempt")),
        "object": course,
    }


def test_every_trigger_has_its_golden_statement() -> None:
    assert {*GOLDEN, "success.failed"} == set(ABOUT_THE_SCO)


@pytest.mark.parametrize(
    ("snapshot", "result"),
    [
        (Snapshot(), {"duration": "PT0S"}),
        (Snapshot(completion_status=CompletionStatus.INCOMPLETE), {"completion": False, "duration": "PT0S"}),
        (
            Snapshot(completion_status=CompletionStatus.UNKNOWN, success_status=SuccessStatus.UNKNOWN),
            {"duration": "PT0S"},
        ),
        (Snapshot(completion_status=CompletionStatus.NOT_ATTEMPTED), {"duration": "PT0S"}),
        (Snapshot(success_status=SuccessStatus.FAILED), {"success": False, "duration": "PT0S"}),
        (Snapshot(scorm_version="1.2", score_raw=150), {"duration": "PT0S"}),
        (Snapshot(score_scaled=0), {"score": {"scaled": 0}, "duration": "PT0S"}),
        (Snapshot(score_max=100), {"duration": "PT0S"}),
    ],
)
def test_a_result_holds_what_is_known_and_nothing_else(snapshot: Snapshot, result: dict[str, Any]) -> None:
    (statement,) = tell("session.terminated", known=snapshot)

    assert statement["result"] == result


@pytest.mark.parametrize("trigger", ["score.changed", "progress.changed", "completion.completed"])
def test_a_result_of_which_nothing_is_known_is_left_out(trigger: str) -> None:
    (statement,) = tell(trigger)

    assert "result" not in statement


@pytest.mark.parametrize(("measure", "per_cent"), [(0, 0), (0.29, 29), (0.57, 57), (0.999, 99), (1, 100)])
def test_progress_is_told_in_whole_per_cent_and_never_rounded_up(measure: float, per_cent: int) -> None:
    (statement,) = tell("progress.changed", known=Snapshot(progress_measure=measure))

    assert statement["result"] == {"score": {"scaled": measure}, "extensions": {PROGRESS: per_cent}}


@pytest.mark.parametrize("trigger", ABOUT_THE_SCO)
def test_tincan_reads_back_what_was_meant(trigger: Trigger) -> None:
    (sent,) = tell(trigger, known=KNOWN, spent=33_025)
    body = next(line for line in everything().splitlines() if sent["id"] in line)
    statement = tincan.Statement.from_json(body)
    assert str(statement.id) == sent["id"]
    assert statement.actor.account.home_page == "https://lms.example.org/"
    assert (statement.actor.account.name, statement.actor.name) == ("u42", "Doe, Jane")
    assert statement.verb.id == sent["verb"]["id"]
    assert dict(statement.verb.display) == sent["verb"]["display"]
    assert statement.object.id == "https://lms.example.org/courses/7/235"
    assert statement.object.definition.type == "http://adlnet.gov/expapi/activities/lesson"
    assert dict(statement.object.definition.name) == {"en-US": "Fire safety"}
    assert str(statement.context.registration) == ENROLLMENT
    activities = statement.context.context_activities
    assert [activity.definition.type.rsplit("/")[-1] for activity in activities.grouping] == ["course", "attempt"]
    assert [activity.id for activity in activities.category] == ["https://w3id.org/xapi/scorm"]
    assert statement.timestamp == datetime(2026, 1, 31, 12, tzinfo=UTC)
    result, meant = statement.result, sent.get("result", {})
    assert (result is None) == (not meant)
    if result is not None:
        assert (result.completion, result.success) == (meant.get("completion"), meant.get("success"))
        score = result.score
        told_score = {} if score is None else {key: getattr(score, key) for key in ("scaled", "raw", "min", "max")}
        assert {key: value for key, value in told_score.items() if value is not None} == meant.get("score", {})
        spent = None if "duration" not in meant else timedelta(milliseconds=10 * read_time(meant["duration"]))
        assert result.duration == spent


def test_statement_ids_are_uuid5_and_never_change() -> None:
    """Written down: another way of making ids would tell the past of every attempt twice."""
    (statement,) = tell("completion.completed")

    assert statement["id"] == "12d95cf2-0401-52e4-95af-17f5cfebc253"
    assert uuid.UUID(statement["id"]).version == 5


def test_statement_ids_differ_by_lms_attempt_rule_and_occurrence() -> None:
    others: list[dict[str, Any]] = [{}, {"lms": "lms-2"}, {"attempt_id": ENROLLMENT}, {"session_id": ENROLLMENT}]
    ids = [tell(trigger, **changes)[0]["id"] for trigger in TOLD for changes in others]

    # only resumed, suspended, terminated and abandoned count by session
    assert len(set(ids)) == len(TOLD) * 3 + 4


@pytest.mark.parametrize("change", [{"learner_name": "X"}, {"activity_name": ""}, {"home_page": "https://x.org"}])
def test_statement_ids_do_not_change_with_names(change: dict[str, Any]) -> None:
    assert tell("completion.completed", **change)[0]["id"] == tell("completion.completed")[0]["id"]


def test_compiling_again_gives_the_same_bytes() -> None:
    before = everything()
    compiled.cache_clear()

    assert everything() == before


@pytest.mark.parametrize("flags", list(itertools.product([True, False], repeat=4)), ids=str)
def test_names_that_the_lms_did_not_tell_are_left_out(flags: tuple[bool, bool, bool, bool]) -> None:
    names = {"learner_name": "Doe", "activity_name": "Fire", "course_name": "Safety", "activity_type": "urn:x:quiz"}
    given: dict[str, Any] = {
        key: value if tell_it else "" for (key, value), tell_it in zip(names.items(), flags, strict=True)
    }
    (statement,) = tell("attempt.started", **given)
    sco, course = statement["object"]["definition"], statement["context"]["contextActivities"]["grouping"][0]

    assert statement["actor"].get("name", "") == given["learner_name"]
    assert sco.get("name", {"en-US": ""}) == {"en-US": given["activity_name"]}
    assert course["definition"].get("name", {"en-US": ""}) == {"en-US": given["course_name"]}
    assert sco["type"] == (given["activity_type"] or "http://adlnet.gov/expapi/activities/lesson")


def test_an_lms_without_courses_gives_its_activities_as_courses() -> None:
    (statement,) = tell("attempt.started", course_id="", course_name="")
    course = statement["context"]["contextActivities"]["grouping"][0]

    assert statement["object"]["id"] == "https://lms.example.org/activities/235"
    assert course["id"] == "https://lms.example.org/courses/235"
    assert course["definition"]["name"] == {"en-US": "Fire safety"}


@pytest.mark.parametrize(
    "home_page", ["https://lms.example.org", "https://lms.example.org/", "https://lms.example.org//"]
)
def test_the_home_page_is_told_as_registered_and_joined_without_its_slash(home_page: str) -> None:
    (statement,) = tell("attempt.started", home_page=home_page)

    assert statement["actor"]["account"]["homePage"] == home_page
    assert statement["object"]["id"] == "https://lms.example.org/courses/7/235"


@pytest.mark.parametrize("own_id", ODD_IDS, ids=ascii)
def test_any_id_becomes_an_iri_and_is_told_as_it_is_too(own_id: str) -> None:
    (statement,) = tell("attempt.started", activity_id=own_id, course_id=own_id, learner_id=own_id)
    part = encoded(own_id)
    course, attempt = statement["context"]["contextActivities"]["grouping"]
    scorm_ids = statement["context"]["extensions"]["https://lms.example.org/xapi/extensions/scorm"]

    assert course["id"] == f"https://lms.example.org/courses/{part}"
    assert statement["object"]["id"] == f"{course['id']}/{part}"
    assert attempt["id"] == f"{course['id']}/{part}?attemptId={ATTEMPT}"
    assert (scorm_ids["activity_id"], scorm_ids["course_id"], statement["actor"]["account"]["name"]) == (own_id,) * 3


@pytest.mark.parametrize(
    ("iri", "joint"),
    [
        ("https://courses.example.org/scos/235", "?"),
        ("https://courses.example.org/ü/😀", "?"),
        ("https://courses.example.org/play?sco=235", "&"),
        ("https://courses.example.org/play?sco=a%20b&x=1", "&"),
        ("urn:uuid:44444444-4444-4444-8444-444444444444", "?"),
    ],
)
def test_an_activity_id_that_is_an_iri_is_taken_as_it_is(iri: str, joint: str) -> None:
    (statement,) = tell("attempt.started", activity_id=iri, course_id=iri)
    course, attempt = statement["context"]["contextActivities"]["grouping"]

    assert (statement["object"]["id"], course["id"]) == (iri, iri)
    assert attempt["id"] == f"{iri}{joint}attemptId={ATTEMPT}"


@pytest.mark.parametrize(
    "own_id", ['https://"x/y', 'https://"x"/y', "https://{x/y", "https://<b>/x", "https://a b/x", "tag:"]
)
def test_an_id_that_only_looks_like_an_iri_is_encoded(own_id: str) -> None:
    """Nothing an LRS would refuse ever leaves."""
    (statement,) = tell("attempt.started", activity_id=own_id)

    assert statement["object"]["id"] == "https://lms.example.org/courses/7/" + encoded(own_id)


@pytest.mark.parametrize("name", [own_id for own_id in ODD_IDS if own_id.strip()], ids=ascii)
def test_any_name_is_told_as_it_is(name: str) -> None:
    (statement,) = tell("attempt.started", learner_name=name, activity_name=name, course_name=name)

    assert statement["actor"]["name"] == name
    assert statement["object"]["definition"]["name"] == {"en-US": name}


def test_a_statement_is_dated_to_the_millisecond() -> None:
    (statement,) = tell("attempt.started", at=NOON + 7)

    assert statement["timestamp"] == "2026-01-31T12:00:00.007Z"
