"""Who changes something, why and when: handed to every operation, which records it in the audit log."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection

from storage import audit_log
from storage.audit_log import AuditEntry

MAX_REASON_LENGTH = 1000
"""Characters of a reason that are stored; forms do not accept more."""


class AuditAction(StrEnum):
    """What can be done, as the audit log names it."""

    PAUSE = "pause"
    """A target receives nothing until it is resumed."""
    RESUME = "resume"
    """A target's pause or alarms are ended."""
    RETRY = "retry"
    """Deliveries are sent again."""
    DISCARD = "discard"
    """Deliveries are given up for good."""
    REISSUE = "reissue"
    """Statements are sent under new ids, or voided and made again by another mapping version."""
    SAVE_DRAFT = "keep-draft"
    """A mapping version is stored, and active for nobody yet."""
    ACTIVATE = "activate"
    """A mapping version becomes the active one."""
    ROLL_BACK = "rollback"
    """The mapping version before the active one becomes active again."""
    CREATE_ACCOUNT = "make-account"
    """Somebody may sign in to the audit pages."""
    CHANGE_ROLE = "change-role"
    """An account has other permissions."""
    CHANGE_PASSWORD = "change-password"  # noqa: S105 -- the action's name
    """An account has another password."""
    REMOVE_ACCOUNT = "remove-account"
    """Somebody may not sign in any more."""
    BACKFILL = "backfill"
    """What a target lacks from before it was there is queued for it."""
    IMPORT = "import"
    """The history of an LMS is stored."""
    CREATE_TOKEN = "create-token"  # noqa: S105 -- the action's name
    """An LMS token was issued."""
    ROTATE_TOKEN = "rotate-token"  # noqa: S105 -- the action's name
    """An LMS token is replaced by another one, and ends after an overlap."""
    REVOKE_TOKEN = "revoke-token"  # noqa: S105 -- the action's name
    """An LMS token is valid no longer."""
    CREATE_BROWSER_KEY = "create-browser-key"
    """Pages of an LMS may open sessions with a key."""
    REVOKE_BROWSER_KEY = "revoke-browser-key"
    """A key of an LMS's pages is valid no longer."""
    EXPORT = "export"
    """Everything held about a learner is exported."""
    ERASE = "erase"
    """A learner is erased, here and at targets."""
    CHANGE_LMS = "change-lms"
    """An LMS has another home page or other origins."""
    REMOVE_LMS = "remove-lms"
    """An LMS is known no longer."""


@dataclass(frozen=True, slots=True)
class AuditContext:
    """Who does something (`by`), why, and when (`at`, in milliseconds since the epoch).

    A reason that is too long is cut to `MAX_REASON_LENGTH`.
    """

    by: str
    reason: str
    at: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", self.reason[:MAX_REASON_LENGTH])


def record(
    connection: Connection,
    context: AuditContext,
    action: AuditAction,
    subject: str,
    *,
    count: int = 1,
    detail: str = "",
) -> None:
    """Add an entry to the audit log: the action, what it was done to, to how many, and what changed (`detail`)."""
    reason = "; ".join(filter(None, (detail, context.reason)))
    audit_log.append(connection, AuditEntry(context.at, context.by, action.value, subject, count, reason))
