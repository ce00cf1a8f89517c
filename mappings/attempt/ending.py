"""Ending a session that never said that it ended."""

from __future__ import annotations

from msgspec.structs import replace

from mappings.attempt.changes import find_changes
from mappings.attempt.fold import Fold
from mappings.attempt.scoring import without_score
from mappings.attempt.state import AttemptState, Ending, SessionState


def end_idle(attempt: AttemptState, session: SessionState, idle: Ending, *, overlapped: bool = False) -> Fold:
    """End an open session as of its last commit.

    Content that had announced `exit` = `suspend` is believed, unless the session is `overlapped` by a later one of the
    learner; otherwise it ends as `idle` says. Answers and a score that content was still writing are told now. A
    session without commits ends without changes: it was opened, never played.
    """
    closed = attempt.closed + 1
    turn = attempt.turns + 1
    if session.commits == 0:
        return Fold(
            "applied",
            replace(attempt, closed=closed),
            replace(session, ended="abandoned", closed=turn),
            session.applied_at,
        )
    ended: Ending = "suspended" if not overlapped and attempt.snapshot.exit == "suspend" else idle
    told = attempt.snapshot if attempt.answers is None else replace(attempt.snapshot, interactions=attempt.answers)
    last, after = attempt.score, attempt
    if attempt.writing == session.number:
        told, last = without_score(told), attempt.told
        after = replace(attempt, writing=None, told=None)
    return Fold(
        "applied",
        replace(after, answers=None, closed=closed, ended=ended if session.number >= attempt.spoke else attempt.ended),
        replace(session, ended=ended, closed=turn, overlapped=overlapped),
        max(session.applied_at, attempt.timestamp),
        find_changes(told, attempt.snapshot, told=last, ended=ended),
    )
