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


def goes_on(attempt: AttemptState, version: ScormVersion, rule: Resume) -> bool:
    """Return whether a session that is opened continues an attempt. One that nothing was ever told of always does."""
    if attempt.commits == 0:
        return True
    if rule is Resume.NEVER:
        return False
    snapshot = attempt.snapshot
    unfinished = (
        snapshot.completion_status != CompletionStatus.COMPLETED and snapshot.success_status not in SETTLED_SUCCESS
    )
    suspended = attempt.ended == Ending.SUSPENDED
    if rule is Resume.INCOMPLETE or (rule is Resume.AUTO and version == "1.2"):
        return unfinished
    if rule is Resume.SUSPENDED:
        return suspended or (attempt.ended is None and snapshot.exit == "suspend")
    return suspended or attempt.ended is None or attempt.broken_off
