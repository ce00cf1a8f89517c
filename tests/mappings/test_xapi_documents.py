"""State and profile documents: what each tells of an attempt, and what its shape has no room for."""

from __future__ import annotations

import pytest

from mappings.attempt.state import AttemptState
from mappings.cmi.snapshot import Snapshot
from mappings.definition.model import DOCUMENT_PARTS, PARTS_OF
from tests.mappings.builders import NOON, Play, delta, scorm_12, scorm_2004
from tests.mappings.document_builders import NAMES, OTHER, PARTS_12, PARTS_2004, SCO, after, bodies, contents
from tests.mappings.statement_builders import ATTEMPT, SHIPPED, compiled


def test_each_part_of_scorm_12_is_told_where_the_profile_has_it() -> None:
    attempt = after(scorm_12(PARTS_12 | {"core.session_time": "00:10:00.5"}))

    assert bodies(attempt, attempts=[(ATTEMPT, 2)]) == {
        "activity-state": {"attempts": [f"{SCO}?attemptId={ATTEMPT}"]},
        "attempt-state": {
            "comments_from_lms": [{"comment": "Well done"}],
            "credit": "no-credit",
            "mode": "normal",
            "location": "p2",
            "preferences": {"audio_level": 50, "language": "de", "delivery_speed": 0, "audio_captioning": 1},
            "total_time": "PT10M0.5S",
        },
        "adl-suspend-data": "s1",
        "activity-profile": {
            "launch_data": "x=1",
            "max_time_allowed": 1800,
            "scaled_passing_score": 0.8,
            "time_limit_action": "exit,no message",
        },
        "agent-profile": {
            "learner_id": "u42",
            "learner_name": "Doe, Jane",
            "preferences": {"audio_level": 50, "language": "de", "delivery_speed": 0, "audio_captioning": 1},
        },
    }


def test_each_part_of_scorm_2004_is_told_where_the_profile_has_it() -> None:
    attempt = after(scorm_2004(PARTS_2004 | {"session_time": "PT10M"}))
    preferences = {"audio_level": 0.5, "language": "de-CH", "delivery_speed": 1, "audio_captioning": -1}

    assert bodies(attempt) == {
        "attempt-state": {
            "comments_from_lms": [{"comment": "Well done", "location": "p1", "timestamp": "2026-01-31T11:59:00Z"}],
            "credit": "credit",
            "mode": "normal",
            "location": "p2",
            "preferences": preferences,
            "total_time": "PT10M",
        },
        "adl-suspend-data": "s1",
        "activity-profile": {
            "completion_threshold": 0.75,
            "launch_data": "x=1",
            "max_time_allowed": 3600.5,
            "scaled_passing_score": -0.5,
            "time_limit_action": "continue,message",
        },
        "agent-profile": {"learner_id": "u42", "learner_name": "Doe, Jane", "preferences": preferences},
    }


def test_every_part_belongs_to_a_resource_and_is_told_by_the_scorm_profile() -> None:
    assert frozenset().union(*PARTS_OF.values()) == set(DOCUMENT_PARTS)
    assert {part for document in compiled().definition.documents for part in document.content} == set(DOCUMENT_PARTS)


@pytest.mark.parametrize(
    ("snapshot", "name", "part"),
    [
        (Snapshot(audio_level=-1), "agent-profile", "preferences"),
        (Snapshot(delivery_speed=-0.5), "agent-profile", "preferences"),
        (Snapshot(audio_captioning=2), "agent-profile", "preferences"),
        (Snapshot(audio_captioning=0.5), "agent-profile", "preferences"),
        (Snapshot(language="German"), "agent-profile", "preferences"),
        (Snapshot(language="de-de"), "attempt-state", "preferences"),
        (Snapshot(language="de\n"), "attempt-state", "preferences"),
        (Snapshot(language=""), "attempt-state", "preferences"),
        (Snapshot(location=""), "attempt-state", "location"),
        (Snapshot(comments_from_lms={}), "attempt-state", "comments_from_lms"),
        (Snapshot(comments_from_lms={"0": {}, "1": {"comment": ""}}), "attempt-state", "comments_from_lms"),
        (Snapshot(comments_from_lms={"0": {"timestamp": "soon"}}), "attempt-state", "comments_from_lms"),
    ],
)
def test_what_the_shape_has_no_room_for_is_left_out(snapshot: Snapshot, name: str, part: str) -> None:
    assert part not in bodies(snapshot)[name]


@pytest.mark.parametrize(
    "snapshot",
    [
        Snapshot(),
        Snapshot(time_limit_action="exit"),
        Snapshot(time_limit_action="Exit,Message"),
        Snapshot(max_time_allowed="half an hour"),
        Snapshot(max_time_allowed=""),
        Snapshot(max_time_allowed="9999:99:99.99"),
        Snapshot(mastery_score=-1),
        Snapshot(mastery_score=101),
        Snapshot(launch_data=""),
        Snapshot(suspend_data=""),
    ],
)
def test_a_document_that_would_say_nothing_is_none(snapshot: Snapshot) -> None:
    assert set(bodies(snapshot)) == {"attempt-state", "agent-profile"}


def test_of_preferences_those_are_told_that_fit() -> None:
    snapshot = Snapshot(audio_level=-1, language="xx_YY", delivery_speed=2, audio_captioning=0)

    assert bodies(snapshot)["agent-profile"]["preferences"] == {"delivery_speed": 2, "audio_captioning": 0}


@pytest.mark.parametrize("language", ["de", "gsw", "de-CH", "zho-CHN", "sr-RS-Latn"])
def test_a_language_that_the_profile_knows_is_told(language: str) -> None:
    assert bodies(Snapshot(language=language))["attempt-state"]["preferences"] == {"language": language}


@pytest.mark.parametrize(("mastery", "scaled"), [(0, 0), (80, 0.8), (57.5, 0.575), (100, 1)])
def test_a_mastery_score_is_per_cent(mastery: float, scaled: float) -> None:
    assert bodies(Snapshot(mastery_score=mastery))["activity-profile"] == {"scaled_passing_score": scaled}


def test_a_scaled_passing_score_wins_over_a_mastery_score() -> None:
    snapshot = Snapshot(scaled_passing_score=0, mastery_score=80)

    assert bodies(snapshot)["activity-profile"] == {"scaled_passing_score": 0}


@pytest.mark.parametrize(
    ("time", "seconds"),
    [("00:30:00", 1800), ("PT1H", 3600), ("PT0.25S", 0.25), ("00:00:01.5", 1.5), ("P1D", 86400)],
)
def test_a_time_limit_is_in_seconds(time: str, seconds: float) -> None:
    (limit,) = bodies(Snapshot(max_time_allowed=time))["activity-profile"].values()

    assert (limit, type(limit)) == (seconds, type(seconds))


def test_the_lms_s_comments_are_a_text_in_scorm_12_and_a_list_in_scorm_2004() -> None:
    of_12 = after(delta({"comments_from_lms": "One text"}), declared="1.2")
    of_2004 = after(delta({"comments_from_lms": [{"comment": "First"}, {"comment": "Second", "location": "p2"}]}))

    assert bodies(of_12)["attempt-state"]["comments_from_lms"] == [{"comment": "One text"}]
    assert bodies(of_2004)["attempt-state"]["comments_from_lms"] == [
        {"comment": "First"},
        {"comment": "Second", "location": "p2"},
    ]


def test_the_lms_s_comments_are_in_the_order_of_their_numbers() -> None:
    sent = {str(number): {"comment": f"c{number}"} for number in (10, 2, 0, 11, 1)}
    comments = bodies(after(delta({"comments_from_lms": sent})))["attempt-state"]["comments_from_lms"]

    assert [comment["comment"] for comment in comments] == ["c0", "c1", "c2", "c10", "c11"]


@pytest.mark.parametrize("timestamp", ["yesterday", "2026-01-31", "2026-01-31T12:00:00", "2026-02-30T12:00:00Z", ""])
def test_a_comment_with_a_time_that_is_none_is_told_without_it(timestamp: str) -> None:
    sent = {"0": {"comment": "Look", "timestamp": timestamp}}

    assert bodies(after(delta({"comments_from_lms": sent})))["attempt-state"]["comments_from_lms"] == [
        {"comment": "Look"}
    ]


def test_a_comment_that_is_no_text_says_nothing() -> None:
    sent = {"0": {"comment": {"x": "y"}, "location": ["p1"]}, "1": {"comment": 7}}

    assert bodies(after(delta({"comments_from_lms": sent})))["attempt-state"]["comments_from_lms"] == [{"comment": "7"}]


def test_a_learner_whose_name_is_not_known_has_none() -> None:
    assert bodies(Snapshot(), learner_name="")["agent-profile"] == {"learner_id": "u42"}


@pytest.mark.parametrize("text", ["a\x00b", "😀 名前", "\u2028", '{"a":1}', " ", "s" * 64_000])
def test_suspend_data_is_a_text_as_the_content_wrote_it(text: str) -> None:
    document = contents(AttemptState(snapshot=Snapshot(suspend_data=text)))["adl-suspend-data"]

    assert (document.content_type, document.content.decode()) == ("text/plain", text)


def test_the_attempts_are_told_in_the_order_given() -> None:
    attempts = [(OTHER, 1), (ATTEMPT, 2)]

    assert bodies(Snapshot(), attempts=attempts)["activity-state"] == {
        "attempts": [f"{SCO}?attemptId={OTHER}", f"{SCO}?attemptId={ATTEMPT}"]
    }
    assert "activity-state" not in bodies(Snapshot(), attempts=())


def test_an_attempt_is_told_by_its_number_where_the_mapping_says_so() -> None:
    text = SHIPPED.replace('"{activity.iri}{attempt.query}"', '"{activity.iri}/attempts/{attempt.number}"')

    assert bodies(Snapshot(), mapping=compiled(text), attempts=[(OTHER, 1), (ATTEMPT, 2)])["activity-state"] == {
        "attempts": [f"{SCO}/attempts/1", f"{SCO}/attempts/2"]
    }


@pytest.mark.parametrize(
    ("elements", "names"),
    [
        ({}, set()),
        ({"core.exit": "suspend"}, set()),
        ({"core.lesson_status": "passed", "core.score.raw": "9"}, set()),
        ({"core.lesson_location": "p3"}, {"attempt-state"}),
        ({"core.session_time": "00:01:00"}, {"attempt-state"}),
        ({"core.credit": "credit"}, {"attempt-state"}),
        ({"core.lesson_mode": "normal"}, set()),
        ({"comments_from_lms": "Again"}, {"attempt-state"}),
        ({"suspend_data": "s2"}, {"adl-suspend-data"}),
        ({"launch_data": "x=2"}, {"activity-profile"}),
        ({"student_data.mastery_score": "70"}, {"activity-profile"}),
        ({"student_data.max_time_allowed": "01:00:00"}, {"activity-profile"}),
        ({"student_data.time_limit_action": "exit,message"}, {"activity-profile"}),
        ({"scaled_passing_score": "0.7"}, {"activity-profile"}),
        ({"completion_threshold": "0.5"}, {"activity-profile"}),
        ({"student_preference.audio": "1"}, {"attempt-state", "agent-profile"}),
        ({"student_preference.language": "fr"}, {"attempt-state", "agent-profile"}),
        ({"student_preference.speed": "1"}, {"attempt-state", "agent-profile"}),
        ({"student_preference.text": "0"}, {"attempt-state", "agent-profile"}),
        (PARTS_12, set()),
    ],
)
def test_what_a_commit_says_changes_only_the_documents_that_tell_it(elements: dict[str, str], names: set[str]) -> None:
    play = Play()
    before = bodies(play.send(delta(PARTS_12)).attempt, attempts=[(ATTEMPT, 2)])
    now = bodies(play.send(delta(elements), at=NOON + 1).attempt, attempts=[(ATTEMPT, 2)])

    assert set(before) == set(now) == set(NAMES)
    assert {name for name in NAMES if before[name] != now[name]} == names


def test_only_the_documents_asked_for_are_given() -> None:
    attempt = after(scorm_2004(PARTS_2004))

    assert set(bodies(attempt, names={"agent-profile", "adl-suspend-data", "unknown"})) == {
        "adl-suspend-data",
        "agent-profile",
    }
    assert bodies(attempt, names=()) == {}


def test_every_is_the_mapping_document_s() -> None:
    text = SHIPPED.replace("every = 10", "every = 7", 1)
    documents = contents(AttemptState(), mapping=compiled(text), attempts=[(ATTEMPT, 1)])

    assert {name: document.every for name, document in documents.items()} == {
        "activity-state": 7,
        "attempt-state": 10,
        "agent-profile": 10,
    }
