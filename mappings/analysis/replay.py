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
from mappings.attempt.commit import Arrival, Earlier
from mappings.attempt.commit_update import Fold, fold
from mappings.attempt.enrollment import NEW_ENROLLMENT
from mappings.attempt.idle_end import end_idle
from mappings.attempt.launch import NO_LAUNCH_DATA, LaunchData
from mappings.attempt.ordering import may_repeat
from mappings.attempt.state import AttemptState, SessionState, open_session
from mappings.definition.compiled import CompiledMapping
from mappings.definition.statement_context import StatementContext, context_for_session
from mappings.generation.statements import Statement, make


class SessionStory(msgspec.Struct, frozen=True):
    """A session of an attempt. All but the id is as in its state."""

    session_id: str
    number: int
    opened: int
    closed: tuple[int, ...] = ()
    launch: LaunchData = NO_LAUNCH_DATA
    launched_at: int = 0
    prior_total_time: int = 0
    overlapped: tuple[int, ...] = ()


class AttemptStory(msgspec.Struct, frozen=True):
    """An attempt with its sessions. Of the facts, all but session and what was reached are used."""

    context: StatementContext
    sessions: Sequence[SessionStory]


class Received(msgspec.Struct, frozen=True):
    """A commit of a session, with its number in it. Those that repeated another one are left out of a replay."""

    session_id: str
    number: int
    arrival: Arrival


class Told(msgspec.Struct, frozen=True):
    """What became of a commit, or of closing the session after it (`closing`)."""

    context: StatementContext
    session_id: str
    number: int
    received_at: int
    done: Fold
    statements: tuple[Statement, ...]
    closing: bool = False
    explanation: Explanation | None = None


class _Session:
    """A session that is open in the replay."""

    def __init__(self, story: SessionStory, context: StatementContext, state: SessionState) -> None:
        self.story = story
        self.context = context
        self.state = state
        self.earlier: list[Earlier] = []
        self.number = 0
        self.received_at = 0


class _Attempt:
    """An attempt in the replay; sessions wait for their turns to be opened and closed, the next one at the end."""

    def __init__(self, story: AttemptStory) -> None:
        self.context = story.context
        self.state = AttemptState()
        self.turn = 0
        self.to_open = sorted(story.sessions, key=lambda one: (-one.opened, -one.number))
        self.to_close = sorted(
            ((turn, one.session_id) for one in story.sessions for turn in one.closed), key=lambda one: -one[0]
        )


class Replay:
    """Tells an enrollment's commits, one after another, by one mapping.

    `explains` names a commit by session id and number: what becomes of it, and of closing its session after it, is
    explained.
    """

    def __init__(
        self, mapping: CompiledMapping, attempts: Sequence[AttemptStory], explains: tuple[str, int] | None = None
    ) -> None:
        self.mapping = mapping
        self._explains = explains
        self._attempts = [_Attempt(story) for story in attempts]
        self._of_session = {
            one.session_id: found
            for story, found in zip(attempts, self._attempts, strict=True)
            for one in story.sessions
        }
        self._sessions: dict[str, _Session] = {}
        self._completed = self._passed = False
        self._enrollment = NEW_ENROLLMENT

    def tell(self, one: Received) -> list[Told]:
        """Tell the next commit, and before it the sessions that were closed before it came."""
        attempt = self._of_session[one.session_id]
        told = self._close_due(attempt)
        session, arrival = self._sessions[one.session_id], one.arrival
        earlier = session.earlier if may_repeat(session.state, arrival) else ()
        done = fold(
            attempt.state,
            session.state,
            arrival,
            earlier=earlier,
            policy=self.mapping.definition.status,
        )
        session.number, session.received_at = one.number, arrival.received_at
        told.append(self._make(attempt, session, done))
        if done.recorded or done.duplicate_of is not None:
            attempt.turn += 1
        if done.duplicate_of is not None:
            return told
        session.earlier.append(Earlier(one.number, arrival.digest, arrival.commit.sequence, arrival.idempotency_key))
        if done.session.for_credit:
            known = done.attempt.snapshot
            self._completed = self._completed or known.completion_status == "completed"
            self._passed = self._passed or known.success_status == "passed"
        return told

    def skip(self, session_id: str) -> None:
        """Leave out a commit that cannot be read; the attempt had its turn all the same."""
        self._of_session[session_id].turn += 1

    def end(self) -> Iterator[Told]:
        """Tell the sessions that were closed after the last commit."""
        for attempt in self._attempts:
            yield from self._close_due(attempt)

    def _close_due(self, attempt: _Attempt) -> list[Told]:
        """Close what was closed before the next commit, and open what was opened."""
        told: list[Told] = []
        self._open_due(attempt)
        while attempt.to_close and attempt.to_close[-1][0] == attempt.turn + 1:
            session = self._sessions[attempt.to_close.pop()[1]]
            definition = self.mapping.definition
            overlapped = definition.overlap == "abandoned" and attempt.turn + 1 in session.story.overlapped
            ending = "abandoned" if overlapped else definition.idle
            done = end_idle(attempt.state, session.state, ending, definition.status, overlapped=overlapped)
            told.append(self._make(attempt, session, done, closing=True))
            attempt.turn += 1
            self._open_due(attempt)
        return told

    def _open_due(self, attempt: _Attempt) -> None:
        while attempt.to_open and attempt.to_open[-1].opened <= attempt.turn:
            story = attempt.to_open.pop()
            context = context_for_session(attempt.context, story.session_id, story.launch.registration)
            attempt.state, state = open_session(
                attempt.state, story.launch, launched_at=story.launched_at, prior_total_time=story.prior_total_time
            )
            # the turns are those of the past, whatever this mapping makes of them
            state = replace(state, number=story.number, history_length_at_open=story.opened)
            self._sessions[story.session_id] = _Session(story, context, state)

    def _make(self, attempt: _Attempt, session: _Session, done: Fold, *, closing: bool = False) -> Told:
        context, explanation = self._context(session), None
        if done.duplicate_of is not None:
            # not by the mapping that told it first, but by this one
            return Told(context, context.session_id, session.number, session.received_at, done, (), closing)
        if self._explains == (context.session_id, session.number):
            made, explanation = explain(self.mapping, context, done, self._enrollment)
        else:
            made = make(
                self.mapping, context, done.attempt, done.session, done.changes, done.at, enrollment=self._enrollment
            )
        attempt.state, session.state, self._enrollment = made.attempt, made.session, made.enrollment
        return Told(
            context,
            context.session_id,
            session.number,
            session.received_at,
            done,
            made.statements,
            closing,
            explanation,
        )

    def _context(self, session: _Session) -> StatementContext:
        context = session.context
        if context.enrollment_completed != self._completed or context.enrollment_passed != self._passed:
            context = session.context = replace(
                context, enrollment_completed=self._completed, enrollment_passed=self._passed
            )
        return context
