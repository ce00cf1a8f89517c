"""The one way through the pure core: from a commit, or a session's end, to the states and statements after it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from mappings.attempt.changes import Change, Trigger
from mappings.attempt.commit import Disposition, PriorCommit, ReceivedCommit
from mappings.attempt.enrollment import NEW_ENROLLMENT, EnrollmentState
from mappings.attempt.idle_end import end_idle
from mappings.attempt.state import AttemptState, Ending, SessionState
from mappings.attempt.update import AttemptUpdate, update_attempt
from mappings.cmi.warnings import CmiWarning
from mappings.definition.compiled import CompiledMapping
from mappings.definition.statement_context import StatementContext
from mappings.generation.statements import RuleEvaluation, Statement, generate_statements


class Transition(msgspec.Struct, frozen=True, gc=False):
    """What a commit, or a session's end, did: the states after it, what it changed, and what an LRS is told of it.

    Attributes:
        disposition: what became of the commit.
        attempt: its state after it; as it was before where the commit is a duplicate or not recorded.
        session: likewise, but that a session knows of its commits that are not recorded.
        enrollment: likewise.
        at: when it happened, as statements about it are dated, in milliseconds since the epoch.
        changes: in the order told to an LRS.
        statements: in the order they must arrive in.
        warnings: what of the commit could not be used, or not as it was sent.
        duplicate_of: the number of the commit that it repeats, None where it repeats none.
        recorded: False for a duplicate, for a commit of a review or a browse, and for one that is superseded.
    """

    disposition: Disposition
    attempt: AttemptState
    session: SessionState
    enrollment: EnrollmentState
    at: int
    changes: tuple[Change, ...] = ()
    statements: tuple[Statement, ...] = ()
    warnings: tuple[CmiWarning, ...] = ()
    duplicate_of: int | None = None
    recorded: bool = True


def apply_commit(  # noqa: PLR0913 -- three states, and what is applied to them
    mapping: CompiledMapping,
    context: StatementContext,
    attempt: AttemptState,
    session: SessionState,
    received_commit: ReceivedCommit,
    *,
    prior_commits: Sequence[PriorCommit] = (),
    enrollment: EnrollmentState = NEW_ENROLLMENT,
    evaluations: list[RuleEvaluation] | None = None,
) -> Transition:
    """Return what a commit does.

    Args:
        mapping: what statements are made by.
        context: who and what they are about, as of before the commit.
        attempt: its state before the commit, as `session` and `enrollment` are theirs.
        session: of the attempt.
        received_commit: the commit.
        prior_commits: the session's journalled commits; they may be left out where `ordering.needs_duplicate_lookup`
            says so.
        enrollment: of the attempt.
        evaluations: gets what became of each rule at each change that it speaks of.
    """
    update = update_attempt(
        attempt, session, received_commit, prior_commits=prior_commits, policy=mapping.definition.status
    )
    return _transition(mapping, context, update, enrollment, evaluations)


def end_idle_session(
    mapping: CompiledMapping,
    context: StatementContext,
    attempt: AttemptState,
    session: SessionState,
    *,
    overlapped: bool = False,
    enrollment: EnrollmentState = NEW_ENROLLMENT,
    evaluations: list[RuleEvaluation] | None = None,
) -> Transition:
    """Return what ending an open session does that nothing comes from any more, as of its last commit.

    It ends as the mapping says; where it is `overlapped` by a later session of the learner, it is abandoned. The other
    arguments are those of `apply_commit`.
    """
    definition = mapping.definition
    ending = Ending.ABANDONED if overlapped else definition.idle
    update = end_idle(attempt, session, ending, definition.status, overlapped=overlapped)
    return _transition(mapping, context, update, enrollment, evaluations)


def complete_course(
    mapping: CompiledMapping,
    context: StatementContext,
    transition: Transition,
    evaluations: list[RuleEvaluation] | None = None,
) -> Transition:
    """Return a transition that completed the learner's course, with what an LRS is told of that, after all else.

    Whether it did is known to whoever knows the other activities of the course. `evaluations` are as `apply_commit`'s.
    """
    change = Change(Trigger.COURSE_COMPLETED)
    generated = generate_statements(
        mapping,
        context,
        transition.attempt,
        transition.session,
        (change,),
        transition.at,
        evaluations,
        enrollment=transition.enrollment,
    )
    return replace(
        transition,
        attempt=generated.attempt,
        session=replace(generated.session, course_completion_position=transition.attempt.history_length),
        enrollment=generated.enrollment,
        changes=(*transition.changes, change),
        statements=(*transition.statements, *generated.statements),
    )


def _transition(
    mapping: CompiledMapping,
    context: StatementContext,
    update: AttemptUpdate,
    enrollment: EnrollmentState,
    evaluations: list[RuleEvaluation] | None,
) -> Transition:
    attempt, session = update.attempt, update.session
    statements: tuple[Statement, ...] = ()
    if update.changes:
        generated = generate_statements(
            mapping, context, attempt, session, update.changes, update.at, evaluations, enrollment=enrollment
        )
        attempt, session = generated.attempt, generated.session
        enrollment, statements = generated.enrollment, generated.statements
    return Transition(
        update.disposition,
        attempt,
        session,
        enrollment,
        update.at,
        update.changes,
        statements,
        update.warnings,
        update.duplicate_of,
        update.recorded,
    )
