"""Deciding whether a commit is new, a repetition, older than what is known, or after the end.

Browsers send a commit twice when a kept-alive connection breaks, beacons overtake requests, pages are loaded again in
the middle of a session, and offline players deliver days later. None of this may undo what a learner has reached.
"""

from __future__ import annotations

from collections.abc import Sequence

from mappings.attempt.commit import Commit, Disposition, PriorCommit, ReceivedCommit
from mappings.attempt.field_order import REORDER_WINDOW
from mappings.attempt.state import AttemptState, SessionState
from mappings.cmi.merge import raises_status
from mappings.cmi.snapshot import Snapshot

_APPLIED, _DUPLICATE, _STALE, _LATE, _ = Disposition  # an enum's members cost ten times as much to look up


def needs_duplicate_lookup(session: SessionState, received_commit: ReceivedCommit) -> bool:
    """Return whether the journal must be asked for the session's earlier commits before `classify` is."""
    sequence, session_time = received_commit.commit.sequence, received_commit.parsed_cmi.snapshot.session_time
    return (
        received_commit.idempotency_key is not None
        or received_commit.digest == session.digest
        or session.ended is not None
        or (sequence is not None and sequence <= session.highest_sequence)
        or 0 < (session_time or 0) < session.client_session_time
    )


def terminates(session: SessionState, commit: Commit, incoming: Snapshot) -> bool:
    """Return whether a commit ends its session.

    Players that cannot say so still differ in their last commit: it alone carries `total_time`, unless they are set to
    tell it always, which shows in the session's earlier commits. Where there is none, only the page's last beacon is
    sure; of another, an older commit without `total_time` that comes after it will tell (`ended_before`).
    """
    if commit.terminated is not None:
        return commit.terminated
    if not commit.full or incoming.total_time is None:
        return False
    return commit.beacon or session.seen_without_total_time


def ended_before(session: SessionState, commit: Commit, incoming: Snapshot) -> bool:
    """Return whether a stale commit shows that the one before it, which told the total time, was the last."""
    return commit.terminated is None and commit.full and session.reports_total_time and incoming.total_time is None


def classify(
    attempt: AttemptState, session: SessionState, received_commit: ReceivedCommit, prior_commits: Sequence[PriorCommit]
) -> tuple[Disposition, int | None]:
    """Return the disposition and, for a duplicate, the number of the commit it repeats."""
    repeated = find_repeated(session, received_commit, prior_commits) if prior_commits else None
    if repeated is not None:
        return _DUPLICATE, repeated
    if session.ended is not None:
        return _LATE, None
    sequence = received_commit.commit.sequence
    if sequence is None:
        stale = _is_older(attempt, session, received_commit, prior_commits)
    else:
        # a number that came before is, here, that of a count which started again
        stale = sequence < session.sequence and all(prior.sequence != sequence for prior in prior_commits)
    return (_STALE if stale else _APPLIED), None


def find_repeated(
    session: SessionState, received_commit: ReceivedCommit, prior_commits: Sequence[PriorCommit]
) -> int | None:
    """Return the number of the commit that this one repeats, None where it repeats none."""
    key, sequence, digest = received_commit.idempotency_key, received_commit.commit.sequence, received_commit.digest
    for prior in prior_commits:
        if key is not None and prior.idempotency_key == key:
            return prior.number
        if sequence is not None and prior.sequence == sequence:
            # a count that restarts repeats a number with other content; one that does not was sent again
            if prior.digest == digest or not received_commit.commit.restarts:
                return prior.number
        elif sequence is None and prior.digest == digest and _is_repeated(session, received_commit):
            return prior.number
    return None


def _is_repeated(session: SessionState, received_commit: ReceivedCommit) -> bool:
    """Return whether a commit with the bytes of an earlier one says nothing new.

    In an open session it may: bytes of an earlier commit but not the last can be a learner who went back a page, and
    the page's last beacon can have the bytes of the commit before it.
    """
    if session.ended is not None and not session.ended_idle:
        return True
    return received_commit.digest == session.digest and not terminates(
        session, received_commit.commit, received_commit.parsed_cmi.snapshot
    )


def _is_older(
    attempt: AttemptState, session: SessionState, received_commit: ReceivedCommit, prior_commits: Sequence[PriorCommit]
) -> bool:
    incoming = received_commit.parsed_cmi.snapshot
    went_back = 0 < (incoming.session_time or 0) < session.client_session_time
    if went_back and any(prior.digest == received_commit.digest for prior in prior_commits):
        return True
    whole = received_commit.commit.full and session.commits > 0
    overtaken = received_commit.received_at - session.applied_at <= REORDER_WINDOW
    if not overtaken or not (went_back or whole):
        return False
    if raises_status(attempt.snapshot, incoming) or terminates(session, received_commit.commit, incoming):
        return False
    if went_back:
        return True
    if session.reports_total_time and incoming.total_time is None:
        return True
    return len(incoming.interactions or ()) < session.max_interactions
