"""Open sessions as they were decoded, remembered from batch to batch so that a commit need not load them again.

What is remembered is only used where the enrollment still has the version it had, which every change of it, its
attempts and its sessions counts up, in whatever process. It is looked up when the enrollment is locked.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from mappings.attempt.commit import Earlier
from mappings.attempt.state import AttemptState, SessionState
from storage.attempts import Attempt, Enrollment, Session

MOST = 2_000
"""Enrollments remembered."""
MOST_CHARACTERS = 8 * 1024 * 1024
"""Of their states as JSON; decoded they take a few times as much memory."""


@dataclass(slots=True)
class OpenAttempt:
    """An attempt with its state decoded."""

    row: Attempt
    state: AttemptState


@dataclass(slots=True)
class OpenSession:
    """A session with its state decoded.

    `fresh` are the commits of this batch, duplicates apart, and `replies` their answers by number.
    """

    row: Session
    attempt: OpenAttempt
    state: SessionState
    fresh: list[Earlier] = field(default_factory=list)
    replies: dict[int, str] = field(default_factory=dict)


@dataclass(slots=True)
class OpenEnrollment:
    """An enrollment with sessions of it that are open, by id."""

    row: Enrollment
    sessions: dict[str, OpenSession]

    @property
    def size(self) -> int:
        """Tell how many characters its states have."""
        attempts = {one.attempt.row.id: len(one.attempt.row.state) for one in self.sessions.values()}
        return sum(attempts.values()) + sum(len(one.row.state) for one in self.sessions.values())


class Remembered:
    """What was open after the last transaction, those forgotten first that were not asked for longest."""

    def __init__(self, *, most: int = MOST, most_characters: int = MOST_CHARACTERS) -> None:
        self._most = most
        self._most_characters = most_characters
        self._characters = 0
        self._enrollments: OrderedDict[int, tuple[OpenEnrollment, int]] = OrderedDict()
        self._by_session: dict[str, int] = {}

    def take(self, session_ids: Sequence[str]) -> list[OpenEnrollment]:
        """Give the enrollments of sessions and forget them: they are changed now, and what is changed may be undone."""
        ids = {found for one in session_ids if (found := self._by_session.get(one)) is not None}
        return [self._forget(one) for one in ids]

    def keep(self, enrollments: Iterable[OpenEnrollment]) -> None:
        """Remember what was stored, in place of what is remembered of the same enrollments."""
        for one in enrollments:
            if one.row.id in self._enrollments:
                self._forget(one.row.id)
            size = one.size
            self._enrollments[one.row.id] = one, size
            self._characters += size
            self._by_session.update(dict.fromkeys(one.sessions, one.row.id))
        while len(self._enrollments) > self._most or self._characters > self._most_characters:
            self._forget(next(iter(self._enrollments)))

    def _forget(self, enrollment_id: int) -> OpenEnrollment:
        one, size = self._enrollments.pop(enrollment_id)
        self._characters -= size
        for session_id in one.sessions:
            self._by_session.pop(session_id, None)
        return one
