"""What is said of a commit that comes out of its order, or says a time that cannot be."""

from __future__ import annotations

from collections.abc import Sequence

from mappings.attempt.commit import Commit, Disposition, PriorCommit, ReceivedCommit
from mappings.attempt.state import SessionState
from mappings.cmi.warnings import CmiWarning, WarningCode, warn


def order_warnings(disposition: Disposition, commit: Commit, session: SessionState) -> tuple[CmiWarning, ...]:
    """Return what is said of a late commit, and of one whose count fell back."""
    if disposition is Disposition.LATE:
        return (warn(WarningCode.SESSION_ENDED, "session_id", "", "had ended; open a session to go on playing"),)
    if disposition is Disposition.STALE and commit.is_counted:
        message = (
            f"is lower than {session.sequence}, which came before: this is taken as an older commit and replaces"
            " nothing; a client that starts again must count on"
        )
        return (warn(WarningCode.SEQUENCE_WENT_BACK, "sequence", str(commit.sequence), message),)
    return ()


def repeated_number(
    received_commit: ReceivedCommit, prior_commits: Sequence[PriorCommit], duplicate_of: int | None
) -> tuple[CmiWarning, ...]:
    """Return what is said of a commit that was taken for an earlier one by its number alone."""
    commit, key = received_commit.commit, received_commit.idempotency_key
    for prior in prior_commits:
        if prior.number == duplicate_of and prior.digest != received_commit.digest and commit.is_counted:
            if prior.sequence != commit.sequence or (key is not None and key == prior.idempotency_key):
                break
            message = (
                f"is the number of commit {prior.number} already, which had another body: nothing of this one was"
                " taken; a client that starts again must count on"
            )
            return (warn(WarningCode.SEQUENCE_REPEATED, "sequence", str(commit.sequence), message),)
    return ()


def time_warnings(commit: Commit, session: SessionState, received_at: int) -> tuple[CmiWarning, ...]:
    """Return what is said of a commit's time in the future, or before the LMS opened the session."""
    at = commit.committed_at
    if at is None:
        return ()
    if at > received_at:
        code, message = WarningCode.FUTURE_TIME, "lies in the future; the time of arrival is used"
    elif at // 1000 < session.launched_at // 1000:  # clients may leave out the milliseconds
        code, message = WarningCode.TIME_BEFORE_LAUNCH, "lies before the session was opened; check the client's clock"
    else:
        return ()
    return (warn(code, "committed_at", str(at), message),)
