"""What a commit does to its attempt and session: accepted or not, what changed, how much time was spent."""

from __future__ import annotations

from mappings.attempt.commit import Arrival, Commit, Disposition, Earlier
from mappings.attempt.commit_update import Fold, fold
from mappings.attempt.state import AttemptState, SessionState

__all__ = ["Arrival", "AttemptState", "Commit", "Disposition", "Earlier", "Fold", "SessionState", "fold"]
