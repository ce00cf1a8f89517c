"""What a commit does to its attempt and session: accepted or not, what changed, how much time was spent."""

from __future__ import annotations

from mappings.attempt.commit import Commit, Disposition, PriorCommit, ReceivedCommit
from mappings.attempt.state import AttemptState, SessionState
from mappings.attempt.update import AttemptUpdate, update_attempt

__all__ = [
    "AttemptState",
    "AttemptUpdate",
    "Commit",
    "Disposition",
    "PriorCommit",
    "ReceivedCommit",
    "SessionState",
    "update_attempt",
]
