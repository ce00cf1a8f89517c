"""The rows that a batch works on, each of them once, with their states decoded."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from bridge.commit_model.state_codec import decode_attempt_state, decode_session_state, encode_state
from bridge.commits.session_cache import CachedAttempt, CachedEnrollment, CachedSession
from bridge.commits.summary_columns import better
from mappings.cmi.scores import Score
from storage import attempts
from storage.attempts import Attempt, Enrollment, Session
from storage.change_set import ChangeSet


class IdentityMap:
    """Enrollments and attempts by their ids, and sessions by theirs, as a batch has loaded and changed them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.enrollments: dict[int, Enrollment] = {}
        self.attempts: dict[int, CachedAttempt] = {}
        self.sessions: dict[str, CachedSession] = {}

    def add_cached(self, enrollment: CachedEnrollment) -> None:
        """Add an enrollment with its sessions, as they were cached."""
        self.enrollments[enrollment.row.id] = enrollment.row
        self.sessions |= enrollment.sessions
        self.attempts |= {session.attempt.row.id: session.attempt for session in enrollment.sessions.values()}

    def add_attempt(self, row: Attempt) -> CachedAttempt:
        """Return an attempt, decoded where it is not known."""
        attempt = self.attempts.get(row.id)
        if attempt is None:
            attempt = self.attempts[row.id] = CachedAttempt(row, decode_attempt_state(row.state))
        return attempt

    def add_session(self, row: Session, attempt: CachedAttempt) -> CachedSession:
        """Return a session, decoded where it is not known."""
        row.attempt = attempt.row
        session = self.sessions.get(row.session_id)
        if session is None:
            session = CachedSession(row, attempt, decode_session_state(row.state))
            self.sessions[row.session_id] = session
        return session

    def load_sessions(self, session_ids: Iterable[str]) -> None:
        """Load the sessions that are not known."""
        missing = [session_id for session_id in session_ids if session_id not in self.sessions]
        for row in attempts.load_sessions(self._connection, missing).values():
            owner = row.attempt.enrollment
            row.attempt.enrollment = self.enrollments.setdefault(owner.id, owner)
            self.add_session(row, self.add_attempt(row.attempt))

    def numbered_attempt(self, owner: Enrollment, number: int) -> CachedAttempt | None:
        """Return an enrollment's attempt by its number."""
        for attempt in self.attempts.values():
            if attempt.row.enrollment is owner and attempt.row.number == number:
                return attempt
        row = attempts.numbered_attempt(self._connection, owner, number)
        return None if row is None else self.add_attempt(row)

    def latest_begun_attempt(self, owner: Enrollment) -> CachedAttempt | None:
        """Return an enrollment's latest attempt that has commits."""
        begun_attempts = self._known_begun(owner)
        row = attempts.latest_begun_attempt(self._connection, owner)
        if row is not None:
            begun_attempts.append(self.add_attempt(row))
        return max(begun_attempts, key=lambda attempt: attempt.row.number, default=None)

    def begun_attempts(self, owner: Enrollment) -> list[tuple[str, int]]:
        """Return UUID and number of the enrollment's attempts that have commits, in their order."""
        uuids = dict(attempts.begun_attempts(self._connection, owner)) if owner.total_attempts > 1 else {}
        uuids |= {attempt.row.number: attempt.row.uuid for attempt in self._known_begun(owner)}
        return [(uuid, number) for number, uuid in sorted(uuids.items())]

    def best_of_others(self, attempt: CachedAttempt) -> Score | None:
        """Return the best score of an enrollment's other attempts."""
        best = None
        for other in self.attempts_of(attempt.row.enrollment):
            if other.state.commits and other.state.for_credit and other.row.number != attempt.row.number:
                best = better(best, other.state.score)
        return best

    def attempts_of(self, owner: Enrollment) -> list[CachedAttempt]:
        """Return an enrollment's attempts in their order."""
        by_number = {row.number: self.add_attempt(row) for row in attempts.load_attempts(self._connection, owner)}
        by_number |= {cached.row.number: cached for cached in self.attempts.values() if cached.row.enrollment is owner}
        return [attempt for _, attempt in sorted(by_number.items())]

    def changes(self) -> ChangeSet:
        """Return what changed, to be stored."""
        changes = ChangeSet()
        for attempt in self.attempts.values():
            if attempt.row.changed:
                attempt.row.state = encode_state(attempt.state)
                attempt.row.enrollment.changed = True
                changes.attempt(attempt.row)
        for session in self.sessions.values():
            if session.row.changed:
                session.row.state = encode_state(session.state)
                session.attempt.row.enrollment.changed = True
                changes.session(session.row)
        for enrollment in self.enrollments.values():
            if enrollment.changed:
                changes.enrollment(enrollment)
        return changes

    def open_enrollments(self) -> list[CachedEnrollment]:
        """Return what is worth caching once all this is stored."""
        enrollments: dict[int, CachedEnrollment] = {}
        for session_id, session in self.sessions.items():
            if session.row.ended is None:
                attempt = session.attempt.row
                owner = attempt.enrollment
                owner.changed = attempt.changed = session.row.changed = False
                attempt.new = session.row.new = False
                session.fresh, session.responses = [], {}
                enrollments.setdefault(owner.id, CachedEnrollment(owner, {})).sessions[session_id] = session
        return list(enrollments.values())

    def _known_begun(self, owner: Enrollment) -> list[CachedAttempt]:
        return [
            attempt for attempt in self.attempts.values() if attempt.row.enrollment is owner and attempt.state.commits
        ]
