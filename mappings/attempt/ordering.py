"""Deciding whether a commit is new, a repetition, older than what is known, or after the end.

Browsers send a commit twice when a kept-alive connection breaks, beacons overtake requests, pages are loaded again in
the middle of a session, and offline players deliver days later. None of this may undo what a learner has reached.
"""

from __future__ import annotations

from collections.abc import Sequence

from mappings.attempt.commit import Arrival, Commit, Disposition, Earlier
from mappings.attempt.field_order import REORDER_WINDOW
from mappings.attempt.state import AttemptState, SessionState
from mappings.cmi.merge import raises_status
from mappings.cmi.snapshot import Snapshot


def may_repeat(session: SessionState, arrival: Arrival) -> bool:
    """Tell whether the journal must be asked for the session's earlier commits before `judge` is."""
    sequence, session_time = arrival.commit.sequence, arrival.reading.snapshot.session_time
    return (
        arrival.idempotency_key is not None
        or arrival.digest == session.digest
        or session.ended is not None
        or (sequence is not None and sequence <= session.highest_sequence)
        or 0 < (session_time or 0) < session.client_session_time
    )


def terminates(session: SessionState, commit: Commit, said: Snapshot) -> bool:
    """Tell whether a commit ends its session.

    Players that cannot say so still differ in their last commit: it alone carries `total_time`, unless they are set to
    tell it always, which shows in the session's earlier commits. Where there is none, only the page's last beacon is
    sure; of another, an older commit without `total_time` that comes after it will tell (`ended_before`).
    """
    if commit.terminated is not None:
        return commit.terminated
    if not commit.full or said.total_time is None:
        return False
    return commit.beacon or session.seen_without_total_time


def ended_before(session: SessionState, commit: Commit, said: Snapshot) -> bool:
    """Tell whether a stale commit shows that the one before it, which told the total time, was the last."""
    return commit.terminated is None and commit.full and session.reports_total_time and said.total_time is None


def judge(
    attempt: AttemptState, session: SessionState, arrival: Arrival, earlier: Sequence[Earlier]
) -> tuple[Disposition, int | None]:
    """Give the disposition and, for a duplicate, the number of the commit it repeats."""
    repeated = _repeated(session, arrival, earlier) if earlier else None
    if repeated is not None:
        return "duplicate", repeated
    if session.ended is not None:
        return "late", None
    sequence = arrival.commit.sequence
    if sequence is None:
        stale = _is_older(attempt, session, arrival, earlier)
    else:
        # a number that came before is, here, that of a count which started again
        stale = sequence < session.sequence and all(one.sequence != sequence for one in earlier)
    return ("stale" if stale else "applied"), None


def _repeated(session: SessionState, arrival: Arrival, earlier: Sequence[Earlier]) -> int | None:
    key, sequence, digest = arrival.idempotency_key, arrival.commit.sequence, arrival.digest
    for one in earlier:
        if key is not None and one.idempotency_key == key:
            return one.number
        if sequence is not None and one.sequence == sequence:
            # a count that restarts repeats a number with other content; one that does not was sent again
            if one.digest == digest or not arrival.commit.restarts:
                return one.number
        elif sequence is None and one.digest == digest and _is_said_again(session, arrival):
            return one.number
    return None


def _is_said_again(session: SessionState, arrival: Arrival) -> bool:
    """Tell whether a commit with the bytes of an earlier one says nothing new.

    In an open session it may: bytes of an earlier commit but not the last can be a learner who went back a page, and
    the page's last beacon can have the bytes of the commit before it.
    """
    if session.ended is not None:
        return True
    return arrival.digest == session.digest and not terminates(session, arrival.commit, arrival.reading.snapshot)


def _is_older(attempt: AttemptState, session: SessionState, arrival: Arrival, earlier: Sequence[Earlier]) -> bool:
    said = arrival.reading.snapshot
    went_back = 0 < (said.session_time or 0) < session.client_session_time
    if went_back and any(one.digest == arrival.digest for one in earlier):
        return True
    whole = arrival.commit.full and session.commits > 0
    overtaken = arrival.received_at - session.applied_at <= REORDER_WINDOW
    if not overtaken or not (went_back or whole):
        return False
    if raises_status(attempt.snapshot, said) or terminates(session, arrival.commit, said):
        return False
    if went_back:
        return True
    if session.reports_total_time and said.total_time is None:
        return True
    return len(said.interactions or ()) < session.max_interactions
