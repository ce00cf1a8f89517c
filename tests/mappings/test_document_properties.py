"""State and profile documents of random commits: whole, of what was asked for, and the same again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.attempt import AttemptState
from mappings.generation.documents import DocumentContent
from tests.mappings.builders import NOON, Play, delta
from tests.mappings.document_builders import contents
from tests.mappings.statement_builders import ATTEMPT, SESSION, compiled
from tests.mappings.test_session_properties import SESSIONS, SentCommit, proven, some

LEVELS = st.sampled_from(["", "0", "1", "-1", "0.5", "-0", "1e300", "1e15", "loud"])
TREES = some(
    **{
        "core.credit": st.sampled_from(["credit", "no credit", "maybe", ""]),
        "mode": st.sampled_from(["normal", "Review", "fast"]),
        "location": st.sampled_from(["", "p1", "\x00", "😀\u2028", 7, True, ["p"]]),
        "suspend_data": st.text(max_size=9),
        "launch_data": st.text(max_size=9) | st.integers(),
        "core.session_time": st.sampled_from(["00:00:10", "PT1.255S", "", "soon"]),
        "completion_threshold": LEVELS,
        "scaled_passing_score": LEVELS,
        "student_data.mastery_score": LEVELS | st.just("80"),
        "max_time_allowed": st.sampled_from(["", "P", "PT0.29S", "00:30:00", "9999:99:99.99", "never"]),
        "time_limit_action": st.sampled_from(["exit,message", "exit", ""]),
        "student_preference.audio": LEVELS,
        "student_preference.speed": LEVELS,
        "student_preference.text": LEVELS,
        "learner_preference.language": st.sampled_from(["", "de", "DE", "de-CH", "x" * 99]),
        "comments_from_lms": st.text(max_size=5)
        | st.dictionaries(
            st.sampled_from(["0", "1", "10", "_count"]),
            some(
                comment=st.sampled_from(["", "Look", 7, {"x": "y"}]),
                location=st.sampled_from(["", "p1", []]),
                timestamp=st.sampled_from(["", "2026-01-31T12:00:00Z", "2026-01-31", "0000-00-00T00:00:00Z"]),
            ),
            max_size=3,
        ),
    }
)
COMMITS = st.lists(st.tuples(TREES, st.sampled_from([None, None, True]), st.booleans()), max_size=6)


def played(commits: list[tuple[dict[str, Any], bool | None, bool]]) -> list[AttemptState]:
    """Return an attempt's state after each commit, the state of nothing at the beginning."""
    play = Play()
    return [play.attempt, *(play.send(delta(tree), at=NOON, terminated=end).attempt for tree, end, _ in commits)]


def nulls(value: object) -> bool:
    """Return whether a JSON value holds null anywhere."""
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return value is None or any(map(nulls, below))


def check_document(document: DocumentContent) -> DocumentContent:
    """Return a document that says what its mapping asks for, and nothing of no value."""
    (described,) = (each for each in compiled().definition.documents if each.name == document.name)
    assert document.content
    assert set(json.loads(document.place.parameters)) <= {"activityId", "agent", "stateId", "profileId"}
    if document.content_type == "application/json":
        value = json.loads(document.content)
        assert list(value) == [part for part in described.content if part in value]
        assert not nulls(value)
        assert all(part not in ("", [], {}) for part in value.values())
    return document


@given(COMMITS)
@proven
def test_whatever_commits_come_documents_hold_what_was_asked_for_and_are_the_same_again(
    commits: list[tuple[dict[str, Any], bool | None, bool]],
) -> None:
    states = played(commits)
    for now, (_, _, listed) in zip(states[1:], commits, strict=False):
        attempts = [(ATTEMPT, 1)] if listed else []
        documents = [check_document(document) for document in contents(now, attempts=attempts).values()]
        assert documents == list(contents(now, attempts=attempts).values())


@given(SESSIONS)
@proven
@pytest.mark.slow
def test_whole_sessions_make_documents_whatever_they_say(sessions: list[list[SentCommit]]) -> None:
    play = Play()
    for session in sessions:
        for tree, terminated, settled, sequence in session:
            play.send(delta(tree), terminated=terminated, settled=settled, sequence=sequence)
            for document in contents(play.attempt, session_id=SESSION).values():
                check_document(document)
        play = play.next_session()
