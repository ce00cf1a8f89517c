"""Whether an enrollment's latest attempt goes on when a session is opened (setting `sessions.resume`)."""

from __future__ import annotations

from mappings.attempt.state import AttemptState, Ending
from mappings.cmi.snapshot import SETTLED_SUCCESS, CompletionStatus, ScormVersion
from mappings.described_enum import DescribedEnum


class Resume(DescribedEnum):
    """Which attempts a new session continues."""

    AUTO = "auto", "SCORM 1.2, which knows no attempts, as `incomplete`; SCORM 2004 as `broken-off`"
    BROKEN_OFF = "broken-off", "one that was suspended, or never ended by its content"
    SUSPENDED = "suspended", "one that was suspended, or whose content had set exit to suspend"
    INCOMPLETE = "incomplete", "one that is neither completed, passed nor failed, however it ended"
    NEVER = "never", "none; each session that names no attempt begins a new one"


# bound once: an enum's members cost ten times as much to look up
_AUTO, _, _SUSPENDED, _INCOMPLETE, _NEVER = Resume
_COMPLETED = CompletionStatus.COMPLETED


def goes_on(attempt: AttemptState, version: ScormVersion, rule: Resume) -> bool:
    """Return whether a session that is opened continues an attempt. One that nothing was ever told of always does."""
    if attempt.commits == 0:
        return True
    if rule is _NEVER:
        return False
    snapshot = attempt.snapshot
    unfinished = snapshot.completion_status != _COMPLETED and snapshot.success_status not in SETTLED_SUCCESS
    suspended = attempt.ended == Ending.SUSPENDED
    if rule is _INCOMPLETE or (rule is _AUTO and version == "1.2"):
        return unfinished
    if rule is _SUSPENDED:
        return suspended or (attempt.ended is None and snapshot.exit == "suspend")
    return suspended or attempt.ended is None or attempt.broken_off
