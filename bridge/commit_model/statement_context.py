"""Who and what statements are about, from the rows of an attempt and its enrollment."""

from __future__ import annotations

from mappings.cmi.snapshot import CompletionStatus, SuccessStatus
from mappings.definition.statement_context import StatementContext, registration_in
from storage.attempts import Attempt, course_of


def statement_context(row: Attempt, session_id: str, registration: str | None = None) -> StatementContext:
    """Return who and what a session of an attempt is about, and its registration where the LMS gave one."""
    owner = row.enrollment
    return StatementContext(
        lms=str(owner.lms_id),
        lms_name=owner.lms_name,
        home_page=owner.home_page,
        learner_id=owner.learner_id,
        learner_name=owner.learner_name,
        learner_attributes=owner.learner_attributes or "",
        learner_mbox=owner.learner_mbox or "",
        activity_id=owner.activity_id,
        activity_name=owner.activity_name,
        activity_description=owner.activity_description or "",
        activity_type=owner.activity_type,
        course_id=owner.course_id,
        course_name=owner.course_name,
        course_registration=registration or registration_in(str(owner.lms_id), owner.learner_id, course_of(owner)),
        course_description=owner.course_description or "",
        registration=registration or owner.registration,
        attempt_id=row.uuid,
        attempt_number=row.number,
        session_id=session_id,
        enrollment_completed=owner.completion_status == CompletionStatus.COMPLETED,
        enrollment_passed=owner.success_status == SuccessStatus.PASSED,
    )
