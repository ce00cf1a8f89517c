"""Open sessions as they were decoded, remembered from batch to batch so that a commit need not load them again.

What is remembered is only used where the enrollment still has the version it had, which every change of it, its
attempts and its sessions counts up, in whatever process. It is looked up when the enrollment is locked.
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
"""Enrollments remembered."""
MAX_CHARACTERS = 8 * 1024 * 1024
"""Of their states as JSON; decoded they take a few times as much memory."""


@dataclass(slots=True)
class CachedAttempt:
    """An attempt with its state decoded."""

    row: Attempt
    state: AttemptState


@dataclass(slots=True)
class CachedSession:
    """A session with its state decoded.

    `fresh` are the commits of this batch, duplicates apart, and `replies` their answers by number.
    """

    row: Session
    attempt: CachedAttempt
    state: SessionState
    fresh: list[PriorCommit] = field(default_factory=list)
    replies: dict[int, str] = field(default_factory=dict)

    def context(self) -> StatementContext:
        """Return who and what the session's statements are about."""
        return statement_context(self.attempt.row, self.row.session_id, self.state.launch.registration)


@dataclass(slots=True)
class CachedEnrollment:
    """An enrollment with sessions of it that are open, by id."""

    row: Enrollment
    sessions: dict[str, CachedSession]

    @property
    def size(self) -> int:
        """Return how many characters its states have; an attempt's count for each of its sessions."""
        return sum([len(one.attempt.row.state) + len(one.row.state) for one in self.sessions.values()])


class SessionCache:
    """What was open after the last transaction, those forgotten first that were not asked for longest."""

    def __init__(self, *, most: int = MAX_ENROLLMENTS, most_characters: int = MAX_CHARACTERS) -> None:
        self._most = most
        self._most_characters = most_characters
        self._characters = 0
        self._enrollments: OrderedDict[int, tuple[CachedEnrollment, int]] = OrderedDict()
        self._by_session: dict[str, CachedSession] = {}
        self._by_activity: dict[tuple[int, str, str], set[int]] = {}

    def session(self, session_id: str) -> CachedSession | None:
        """Return an open session."""
        found = self._by_session.get(session_id)
        if found is not None:
            self._enrollments.move_to_end(found.attempt.row.enrollment.id)
        return found

    def take(self, session_id: str | None, key: EnrollmentKey | None = None) -> list[CachedEnrollment]:
        """Return the enrollment of a session, and those with a key, and forget them: they are changed elsewhere now.

        A key without a course may mean the enrollment in any course.
        """
        ids = set()
        if session_id is not None and session_id in self._by_session:
            ids.add(self._by_session[session_id].attempt.row.enrollment.id)
        if key is not None:
            of_activity = self._by_activity.get(key[:3], ())
            ids.update(one for one in of_activity if not key[3] or self._enrollments[one][0].row.course_id == key[3])
        return [self._forget(one) for one in ids]

    def keep(self, enrollments: Iterable[CachedEnrollment]) -> None:
        """Remember what was stored, in place of what is remembered of the same enrollments."""
        for one in enrollments:
            if one.row.id in self._enrollments:
                self._forget(one.row.id)
            size = one.size
            self._enrollments[one.row.id] = one, size
            self._characters += size
            self._by_session.update(one.sessions)
            self._by_activity.setdefault(one.row.key[:3], set()).add(one.row.id)
        self._shrink()

    def changed(self, enrollment_id: int, *, ended: str | None = None) -> None:
        """Note that the states of an enrollment have changed, and which of its sessions has ended, if one has."""
        one, before = self._enrollments[enrollment_id]
        if ended is not None:
            del self._by_session[ended], one.sessions[ended]
        if not one.sessions:
            self._forget(enrollment_id)
            return
        size = one.size
        self._enrollments[enrollment_id] = one, size
        self._characters += size - before
        self._shrink()

    def forget(self, enrollment_ids: Iterable[int]) -> None:
        """Forget enrollments, where they are remembered."""
        for one in enrollment_ids:
            if one in self._enrollments:
                self._forget(one)

    def clear(self) -> None:
        """Forget everything."""
        self.forget(list(self._enrollments))

    def _shrink(self) -> None:
        while len(self._enrollments) > self._most or self._characters > self._most_characters:
            self._forget(next(iter(self._enrollments)))

    def _forget(self, enrollment_id: int) -> CachedEnrollment:
        one, size = self._enrollments.pop(enrollment_id)
        self._characters -= size
        for session_id in one.sessions:
            self._by_session.pop(session_id, None)
        of_activity = self._by_activity[one.row.key[:3]]
        of_activity.discard(enrollment_id)
        if not of_activity:
            del self._by_activity[one.row.key[:3]]
        return one
