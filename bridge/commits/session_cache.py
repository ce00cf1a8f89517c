"""A cache of open sessions with their states decoded, so that a commit need not load them again.

What is cached is only used where the enrollment still has the version it had, which every change of it, its attempts
and its sessions counts up, in whatever process. It is looked up when the enrollment is locked.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from bridge.commit_model.statement_context import statement_context
from mappings.attempt.commit import PriorCommit
from mappings.attempt.state import AttemptState, SessionState
from mappings.definition.statement_context import StatementContext
from storage.attempts import Attempt, Enrollment, EnrollmentKey, Session

MAX_ENROLLMENTS = 2_000
MAX_CHARACTERS = 8 * 1024 * 1024
"""Characters of their states as JSON; decoded they take a few times as much memory."""


@dataclass(slots=True)
class CachedAttempt:
    """An attempt with its state decoded."""

    row: Attempt
    state: AttemptState


@dataclass(slots=True)
class CachedSession:
    """A session with its state decoded.

    `fresh` are the commits of this batch, duplicates apart, and `responses` theirs by number.
    """

    row: Session
    attempt: CachedAttempt
    state: SessionState
    fresh: list[PriorCommit] = field(default_factory=list)
    responses: dict[int, str] = field(default_factory=dict)

    def context(self) -> StatementContext:
        """Return who and what the session's statements are about."""
        return statement_context(self.attempt.row, self.row.session_id, self.state.launch.registration)


@dataclass(slots=True)
class CachedEnrollment:
    """An enrollment with its open sessions, by id."""

    row: Enrollment
    sessions: dict[str, CachedSession]

    @property
    def size(self) -> int:
        """Return how many characters its states have; an attempt's count for each of its sessions."""
        return sum([len(session.attempt.row.state) + len(session.row.state) for session in self.sessions.values()])


class SessionCache:
    """What was open after the last transaction; the least recently used enrollments are evicted first."""

    def __init__(self, *, max_enrollments: int = MAX_ENROLLMENTS, max_characters: int = MAX_CHARACTERS) -> None:
        self._max_enrollments = max_enrollments
        self._max_characters = max_characters
        self._characters = 0
        self._enrollments: OrderedDict[int, tuple[CachedEnrollment, int]] = OrderedDict()
        self._by_session: dict[str, CachedSession] = {}
        self._by_activity: dict[tuple[int, str, str], set[int]] = {}

    def get(self, session_id: str) -> CachedSession | None:
        """Return an open session."""
        session = self._by_session.get(session_id)
        if session is not None:
            self._enrollments.move_to_end(session.attempt.row.enrollment.id)
        return session

    def take(self, session_id: str | None, key: EnrollmentKey | None = None) -> list[CachedEnrollment]:
        """Remove and return the enrollment of a session, and those with a key: they are changed elsewhere now.

        A key without a course may mean the enrollment in any course.
        """
        ids = set()
        if session_id is not None and session_id in self._by_session:
            ids.add(self._by_session[session_id].attempt.row.enrollment.id)
        if key is not None:
            of_activity = self._by_activity.get(key[:3], ())
            ids.update(
                enrollment_id
                for enrollment_id in of_activity
                if not key[3] or self._enrollments[enrollment_id][0].row.course_id == key[3]
            )
        return [self._remove(enrollment_id) for enrollment_id in ids]

    def put(self, enrollments: Iterable[CachedEnrollment]) -> None:
        """Cache what was stored, in place of what is cached of the same enrollments."""
        for enrollment in enrollments:
            row = enrollment.row
            if row.id in self._enrollments:
                self._remove(row.id)
            size = enrollment.size
            self._enrollments[row.id] = enrollment, size
            self._characters += size
            self._by_session.update(enrollment.sessions)
            self._by_activity.setdefault(row.key[:3], set()).add(row.id)
        self._shrink()

    def update(self, enrollment_id: int, *, ended: str | None = None) -> None:
        """Note that the states of an enrollment have changed, and which of its sessions has ended, if one has."""
        enrollment, size_before = self._enrollments[enrollment_id]
        if ended is not None:
            del self._by_session[ended], enrollment.sessions[ended]
        if not enrollment.sessions:
            self._remove(enrollment_id)
            return
        size = enrollment.size
        self._enrollments[enrollment_id] = enrollment, size
        self._characters += size - size_before
        self._shrink()

    def evict(self, enrollment_ids: Iterable[int]) -> None:
        """Remove enrollments, where they are cached."""
        for enrollment_id in enrollment_ids:
            if enrollment_id in self._enrollments:
                self._remove(enrollment_id)

    def clear(self) -> None:
        """Remove everything."""
        self.evict(list(self._enrollments))

    def _shrink(self) -> None:
        while len(self._enrollments) > self._max_enrollments or self._characters > self._max_characters:
            self._remove(next(iter(self._enrollments)))

    def _remove(self, enrollment_id: int) -> CachedEnrollment:
        enrollment, size = self._enrollments.pop(enrollment_id)
        self._characters -= size
        for session_id in enrollment.sessions:
            self._by_session.pop(session_id, None)
        activity = enrollment.row.key[:3]
        of_activity = self._by_activity[activity]
        of_activity.discard(enrollment_id)
        if not of_activity:
            del self._by_activity[activity]
        return enrollment
