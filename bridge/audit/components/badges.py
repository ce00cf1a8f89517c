"""The colors of states: how pages show at a glance whether something is well."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from bridge.operations.target_status import TargetState
from mappings.attempt.commit import Disposition
from mappings.attempt.state import Ending
from mappings.cmi.snapshot import CompletionStatus, SuccessStatus
from mappings.definition.diff import DifferenceKind
from mappings.generation.statements import RuleOutcome
from storage.states import (
    AlarmState,
    AttemptStatus,
    DeliveryState,
    NotificationState,
    SessionSource,
    TokenStatus,
    TryOutcome,
)


class BadgeColor(StrEnum):
    """The color of a badge, which is also its class in the style sheet."""

    GOOD = "good"
    """All is as it should be."""
    INFO = "info"
    """Something is on its way, or was put in order."""
    WARN = "warn"
    """Something may need somebody."""
    BAD = "bad"
    """Something needs somebody."""
    PLAIN = "plain"
    """Neither good nor bad."""


STATES: Final = (
    AlarmState, AttemptStatus, CompletionStatus, DeliveryState, DifferenceKind, Disposition, Ending, NotificationState,
    RuleOutcome, SessionSource, SuccessStatus, TargetState, TokenStatus, TryOutcome,
)  # fmt: skip
"""The states that pages show as badges. The same word has the same color, whatever it is the state of."""

BY_COLOR: Mapping[BadgeColor, tuple[str, ...]] = {
    BadgeColor.GOOD: (
        TargetState.FLOWING, DeliveryState.DELIVERED, TryOutcome.EQUIVALENT, Disposition.APPLIED, RuleOutcome.FIRED,
        AttemptStatus.ACTIVE, DifferenceKind.ADDED, SuccessStatus.PASSED, CompletionStatus.COMPLETED,
        TokenStatus.VALID, NotificationState.SENT,
    ),
    BadgeColor.INFO: (
        DeliveryState.WAITING, AttemptStatus.SUSPENDED, Disposition.DUPLICATE, Disposition.LATE, Disposition.STALE,
        Disposition.SUPERSEDED, DifferenceKind.CHANGED,
    ),
    BadgeColor.WARN: (TargetState.PAUSED, DeliveryState.QUARANTINED, TryOutcome.RETRY, TryOutcome.BROKE,
        SessionSource.BROWSER,
    ),
    BadgeColor.BAD: (
        TargetState.UNAUTHORIZED, TargetState.REFUSING, TargetState.UNREACHABLE, TargetState.INTERRUPTED,
        DeliveryState.DEAD, TryOutcome.CONFLICT, TryOutcome.DIVERGED, TryOutcome.FAULT, TryOutcome.NOT_ALLOWED,
        TryOutcome.REFUSED, TryOutcome.TOO_LARGE, TryOutcome.UNVERIFIED, DifferenceKind.DROPPED, SuccessStatus.FAILED,
    ),
    BadgeColor.PLAIN: (
        TargetState.NOT_CONFIGURED, DeliveryState.DISCARDED, AttemptStatus.TERMINATED, AttemptStatus.ABANDONED,
        RuleOutcome.ONCE, RuleOutcome.CONDITION, RuleOutcome.NO_CHANGE, RuleOutcome.HELD_BACK, DifferenceKind.SAME,
        DifferenceKind.SKIPPED, CompletionStatus.UNKNOWN, CompletionStatus.NOT_ATTEMPTED, CompletionStatus.INCOMPLETE,
        TokenStatus.EXPIRED, TokenStatus.REVOKED, SessionSource.SERVER, SessionSource.IMPORT,
    ),
}  # fmt: skip
COLORS: Mapping[str, BadgeColor] = {word: color for color, words in BY_COLOR.items() for word in words}


def badge_color(state: str) -> BadgeColor:
    """Return the color of a state's badge; a word that is no state is plain."""
    return COLORS.get(state, BadgeColor.PLAIN)
