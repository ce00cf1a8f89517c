"""An enrollment's commits told once more, in the order they were told in first.

By the mapping that told them first this gives the same statements, to the byte; by another one it gives what that would
have made of them. What the state of an attempt needs beside its commits is when its sessions were opened and closed:
sessions remember which of the attempt's turns that was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from msgspec.structs import replace

from mappings.analysis.explain import Explanation, explain
from mappings.apply import Transition, apply_commit, complete_course, end_idle_session
from mappings.attempt.commit import PriorCommit, ReceivedCommit
from mappings.attempt.enrollment import NEW_ENROLLMENT
from mappings.attempt.launch import NO_LAUNCH_DATA, LaunchData
from mappings.attempt.opening import open_session
from mappings.attempt.ordering import needs_duplicate_lookup
from mappings.attempt.precedence import leads, without_browser
from mappings.attempt.state import AttemptState, SessionState
from mappings.cmi.snapshot import CompletionStatus, SuccessStatus
from mappings.definition.compiled import CompiledMapping
from mappings.definition.model import Overlap
from mappings.definition.statement_context import StatementContext, context_for_session
from mappings.generation.statements import RuleEvaluation, Statement


class SessionHistory(msgspec.Struct, frozen=True):
    """A session of an attempt. All but the id is as in its state."""

    session_id: str
    number: int
    opened: int
    closed: tuple[int, ...] = ()
    launch: LaunchData = NO_LAUNCH_DATA
    launched_at: int = 0
    prior_total_time: int = 0
    overlapped: tuple[int, ...] = ()
    course_completed: int = 0


class AttemptHistory(msgspec.Struct, frozen=True):
    """An attempt with its sessions. Of the facts, all but session and what was reached are used."""

    context: StatementContext
    sessions: Sequence[SessionHistory]


class JournalledCommit(msgspec.Struct, frozen=True):
    """A commit of a session, with its number in it. Those that repeated another one are left out of a replay."""

    session_id: str
    number: int
    received_commit: ReceivedCommit


class ReplayedCommit(msgspec.Struct, frozen=True):
    """What became of a commit, or of closing the session after it (`closing`)."""

    context: StatementContext
    session_id: str
    number: int
    received_at: int
    transition: Transition
    closing: bool = False
    explanation: Explanation | None = None

    @property
    def statements(self) -> tuple[Statement, ...]:
        """Return its statements."""
        return self.transition.statements


class _Session:
    """A session that is open in the replay."""

    def __init__(self, story: SessionHistory, context: StatementContext, state: SessionState) -> None:
        self.history = story
        self.context = context
        self.state = state
        self.prior_commits: list[PriorCommit] = []
        self.number = 0
        self.received_at = 0


class _Attempt:
    """An attempt in the replay; sessions wait for their turns to be opened and closed, the next one at the end."""

    def __init__(self, story: AttemptHistory) -> None:
        self.context = story.context
        self.state = AttemptState()
        self.completed = self.passed = False
        self.turn = 0
        self.to_open = sorted(story.sessions, key=lambda session: (-session.opened, -session.number))
        self.to_close = sorted(
            ((turn, session.session_id) for session in story.sessions for turn in session.closed),
            key=lambda session: -session[0],
        )

    def note_status(self, state: AttemptState) -> None:
        """Note what a state of the attempt has reached."""
        snapshot = state.snapshot
        self.completed = self.completed or _is_completed(state)
        self.passed = self.passed or snapshot.success_status == SuccessStatus.PASSED


class Replay:
    """Tells an enrollment's commits, one after another, by one mapping.

    `explains` names a commit by session id and number: what becomes of it, and of closing its session after it, is
    explained.
    """

    def __init__(
        self, mapping: CompiledMapping, attempts: Sequence[AttemptHistory], explains: tuple[str, int] | None = None
    ) -> None:
        self.mapping = mapping
        self._explains = explains
        self._attempts = [_Attempt(story) for story in attempts]
        self._of_session = {
            session.session_id: attempt
            for story, attempt in zip(attempts, self._attempts, strict=True)
            for session in story.sessions
        }
        self._sessions: dict[str, _Session] = {}
        self._enrollment = NEW_ENROLLMENT

    def apply(self, journalled: JournalledCommit) -> list[ReplayedCommit]:
        """Apply the next commit, and before it end the sessions that were ended before it came."""
        attempt = self._of_session[journalled.session_id]
        replayed = self._close_due(attempt)
        session, received_commit = self._sessions[journalled.session_id], journalled.received_commit
        session.number, session.received_at = journalled.number, received_commit.received_at
        looks_up = needs_duplicate_lookup(session.state, received_commit)
        evaluations = self._evaluations(session)
        transition = apply_commit(
            self.mapping,
            self._context(session),
            attempt.state,
            session.state,
            received_commit,
            prior_commits=session.prior_commits if looks_up else (),
            enrollment=self._enrollment,
            evaluations=evaluations,
        )
        transition = self._with_course(attempt, session, transition, evaluations)
        replayed.append(self._take(attempt, session, transition, evaluations))
        if transition.recorded or transition.duplicate_of is not None:
            attempt.turn += 1
        if transition.duplicate_of is not None:
            return replayed
        commit = received_commit.commit
        session.prior_commits.append(
            PriorCommit(journalled.number, received_commit.digest, commit.sequence, received_commit.idempotency_key)
        )
        if transition.session.for_credit:
            attempt.note_status(attempt.state)
        return replayed

    def skip(self, session_id: str) -> None:
        """Skip a commit that cannot be read; the attempt had its turn all the same."""
        self._of_session[session_id].turn += 1

    def finish(self) -> Iterator[ReplayedCommit]:
        """Return the sessions that were closed after the last commit."""
        for attempt in self._attempts:
            yield from self._close_due(attempt)

    def _close_due(self, attempt: _Attempt) -> list[ReplayedCommit]:
        """End the sessions that were ended before the next commit, and open those that were opened."""
        replayed: list[ReplayedCommit] = []
        self._open_due(attempt)
        while attempt.to_close and attempt.to_close[-1][0] == attempt.turn + 1:
            session = self._sessions[attempt.to_close.pop()[1]]
            evaluations = self._evaluations(session)
            transition = end_idle_session(
                self.mapping,
                self._context(session),
                attempt.state,
                session.state,
                overlapped=self.mapping.definition.overlap is Overlap.ABANDONED
                and attempt.turn + 1 in session.history.overlapped,
                enrollment=self._enrollment,
                evaluations=evaluations,
            )
            transition = self._with_course(attempt, session, transition, evaluations)
            replayed.append(self._take(attempt, session, transition, evaluations, closing=True))
            attempt.turn += 1
            self._open_due(attempt)
        return replayed

    def _open_due(self, attempt: _Attempt) -> None:
        while attempt.to_open and attempt.to_open[-1].opened <= attempt.turn:
            story = attempt.to_open.pop()
            context = context_for_session(attempt.context, story.session_id, story.launch.registration)
            if attempt.state.browser_base is not None and leads(story.launch):
                # what pages had reached counts no more
                attempt.completed = attempt.passed = False
                attempt.note_status(without_browser(attempt.state))
            attempt.state, state = open_session(
                attempt.state, story.launch, launched_at=story.launched_at, prior_total_time=story.prior_total_time
            )
            # the turns are those of the past, whatever this mapping makes of them
            state = replace(state, number=story.number, history_length_at_open=story.opened)
            self._sessions[story.session_id] = _Session(story, context, state)

    def _with_course(
        self,
        attempt: _Attempt,
        session: _Session,
        transition: Transition,
        evaluations: list[RuleEvaluation] | None,
    ) -> Transition:
        """Complete the course where that turn of the attempt did, if the attempt is completed by this mapping, too."""
        if session.history.course_completed != attempt.turn + 1 or not _is_completed(transition.attempt):
            return transition
        return complete_course(self.mapping, self._context(session), transition, evaluations)

    def _evaluations(self, session: _Session) -> list[RuleEvaluation] | None:
        """Return a list for what becomes of the rules, where the session's last commit is to be explained."""
        return [] if self._explains == (session.context.session_id, session.number) else None

    def _take(
        self,
        attempt: _Attempt,
        session: _Session,
        transition: Transition,
        evaluations: list[RuleEvaluation] | None,
        *,
        closing: bool = False,
    ) -> ReplayedCommit:
        attempt.state, session.state, self._enrollment = transition.attempt, transition.session, transition.enrollment
        explanation = None
        # a duplicate is one by this mapping, not by the one that was in use
        if evaluations is not None and transition.duplicate_of is None:
            explanation = explain(self.mapping, transition, evaluations)
        context = session.context
        return ReplayedCommit(
            context, context.session_id, session.number, session.received_at, transition, closing, explanation
        )

    def _context(self, session: _Session) -> StatementContext:
        context = session.context
        completed = any(attempt.completed for attempt in self._attempts)
        passed = any(attempt.passed for attempt in self._attempts)
        if context.enrollment_completed != completed or context.enrollment_passed != passed:
            context = session.context = replace(context, enrollment_completed=completed, enrollment_passed=passed)
        return context


def _is_completed(state: AttemptState) -> bool:
    return state.snapshot.completion_status == CompletionStatus.COMPLETED
