"""What a commit would become: its statements as tincan's objects, and why there are these and no others."""

from __future__ import annotations

from typing import Any

import msgspec
import tincan

from mappings.analysis.explain import Explanation, explain
from mappings.apply import apply_commit
from mappings.attempt.commit import ReceivedCommit
from mappings.attempt.enrollment import NEW_ENROLLMENT, EnrollmentState
from mappings.attempt.state import AttemptState, SessionState
from mappings.definition.compiled import CompiledMapping
from mappings.definition.statement_context import StatementContext
from mappings.generation.statements import RuleEvaluation, Statement

SAMPLE_CONTEXT = StatementContext(
    lms="preview",
    lms_name="Example LMS",
    home_page="https://lms.example.org/",
    learner_id="learner",
    learner_name="Lovelace, Ada",
    activity_id="activity",
    activity_name="An activity",
    course_id="course",
    course_name="A course",
    registration="00000000-0000-4000-8000-000000000001",
    attempt_id="00000000-0000-4000-8000-000000000002",
    attempt_number=1,
    session_id="00000000-0000-4000-8000-000000000003",
)
"""Who and what a commit is about where nobody said."""

FIRST_ATTEMPT, FIRST_SESSION = AttemptState(sessions=1), SessionState(number=1)
"""The states of a session of a new attempt before its first commit."""


class Preview(msgspec.Struct, frozen=True):
    """The statements of a commit as tincan's objects, why, and the states after it: the next commit's."""

    statements: tuple[Any, ...]
    explanation: Explanation
    attempt: AttemptState
    session: SessionState


def preview(
    mapping: CompiledMapping,
    received_commit: ReceivedCommit,
    *,
    context: StatementContext = SAMPLE_CONTEXT,
    attempt: AttemptState = FIRST_ATTEMPT,
    session: SessionState = FIRST_SESSION,
    enrollment: EnrollmentState = NEW_ENROLLMENT,
) -> Preview:
    """Return what a commit becomes on an enrollment, attempt and session as they were before it; nothing is stored."""
    evaluations: list[RuleEvaluation] = []
    transition = apply_commit(
        mapping, context, attempt, session, received_commit, enrollment=enrollment, evaluations=evaluations
    )
    return Preview(
        tuple(map(as_tincan, transition.statements)),
        explain(mapping, transition, evaluations),
        transition.attempt,
        transition.session,
    )


def as_tincan(statement: Statement) -> Any:
    """Return a statement as a `tincan.Statement`."""
    return tincan.Statement.from_json(statement.body)
