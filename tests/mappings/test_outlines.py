"""What is filled in once for all who learn with an activity: each session is told its own facts all the same."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from mappings.attempt import SessionState
from mappings.attempt.changes import Change, Trigger
from mappings.cmi.interactions import interaction
from mappings.cmi.snapshot import Snapshot
from mappings.definition import compile_definition, load_definition
from mappings.definition.compiled import CompiledMapping
from mappings.generation.documents import DocumentContent, generate_documents
from mappings.generation.statements import Statement, generate_statements
from tests.mappings.builders import NOON
from tests.mappings.statement_builders import ANSWER, ENROLLMENT, SHIPPED, facts, reached

OTHER = "44444444-4444-4444-8444-444444444444"
OF_LEARNERS = SHIPPED.replace(
    'activity_in_course = "{course.base}/{activity.id}"', 'activity_in_course = "{lms.base}/{learner.id}/{activity.id}"'
)
OF_SESSIONS = SHIPPED.replace(
    'course = "{lms.base}/courses/{course.id}"', 'course = "{lms.base}/{session.id}/{learner.name|nobody}/{course.id}"'
)
WITH_PERCENTS = SHIPPED.replace('course_id = "{course.id}"', 'course_id = "100 %, %b, %s and {course.id}"')
WHO: list[dict[str, Any]] = [
    {},
    {"learner_id": "u43", "learner_name": ""},
    {"session_id": OTHER, "attempt_number": 3},
    {"attempt_id": OTHER, "registration": OTHER},
    {"activity_name": "", "activity_type": "https://lms.example.org/types/game"},
    {"activity_id": "https://example.org/50%25?a=b", "course_id": "", "course_name": ""},
    {"home_page": "https://other.example.org", "lms_name": "Other", "lms": "lms-2"},
    {"home_page": "no IRI at all"},
    {"enrollment_completed": True, "enrollment_passed": True},
]


def output_for(mapping: CompiledMapping, who: dict[str, Any]) -> tuple[tuple[Statement, ...], list[DocumentContent]]:
    """Return all that a mapping makes for these facts: statements with their problems, and documents."""
    attempt, session = (
        reached(Snapshot(score_raw=80, mode="normal", suspend_data="x")),
        SessionState(number=1, commits=1),
    )
    item = interaction(ANSWER | {"objectives": {"0": {"id": "O 1"}}})
    changes = [
        Change(Trigger.ATTEMPT_STARTED),
        Change(Trigger.INTERACTION_ANSWERED, about=item),
        Change(Trigger.SCORE_CHANGED),
    ]
    generated = generate_statements(mapping, facts(**who), attempt, session, changes, NOON)
    names = {document.name for document in mapping.definition.documents}
    begun = [(ENROLLMENT, 1)]
    documents = generate_documents(mapping, facts(**who), attempt, names=names, attempts=begun)
    return generated.statements, documents


@pytest.mark.parametrize("text", [SHIPPED, OF_LEARNERS, OF_SESSIONS, WITH_PERCENTS])
def test_what_is_told_of_a_session_does_not_depend_on_who_was_told_of_before(text: str) -> None:
    document = load_definition(text, "test.toml")
    alone = [output_for(compile_definition(document, "test.toml"), who) for who in WHO]
    shared = compile_definition(document, "test.toml")

    for first, other in itertools.permutations(range(len(WHO)), 2):
        assert output_for(shared, WHO[first]) == alone[first]
        assert output_for(shared, WHO[other]) == alone[other]


def test_an_iri_can_be_made_of_what_differs_from_learner_to_learner() -> None:
    mapping = compile_definition(load_definition(OF_LEARNERS, "test.toml"), "test.toml")
    bodies = [output_for(mapping, {"learner_id": learner_id})[0][0].body for learner_id in ("u42", "u43")]

    assert ["/u42/235" in bodies[0], "/u43/235" in bodies[1]] == [True, True]
    assert ["/u43/" in bodies[0], "/u42/" in bodies[1]] == [False, False]


def test_a_percent_sign_of_the_document_s_own_stays_what_it_is() -> None:
    mapping = compile_definition(load_definition(WITH_PERCENTS, "test.toml"), "test.toml")

    assert '"course_id":"100 %, %b, %s and 7"' in output_for(mapping, {})[0][0].body
