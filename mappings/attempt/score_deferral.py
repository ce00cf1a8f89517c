"""Holding back a score while it may still be written.

Clients that post one element at a time write a score's parts one after the other, in any order: `raw` that has come
without its `max` is a score of another scale.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from mappings.attempt.changes import Change, Trigger
from mappings.attempt.state import AttemptState, SessionState
from mappings.cmi.scores import Score, score
from mappings.cmi.snapshot import EMPTY, Snapshot


class ScoreDeferral(msgspec.Struct, frozen=True, gc=False):
    """What a commit means for the attempt's score.

    Attributes:
        score: the attempt's after the commit.
        score_pending_session: as in the attempt's state after the commit.
        last_emitted_score: as in the attempt's state after the commit.
        before: the snapshot before the commit, without a score that was not told.
        last: the score that another one is a change of.
        left: what a session before this one wrote last and never came to say that it was done with.
    """

    score: Score | None
    score_pending_session: int | None
    last_emitted_score: Score | None
    before: Snapshot
    last: Score | None
    left: tuple[Change, ...] = ()


def defer_score(
    attempt: AttemptState,
    session: SessionState,
    before: Snapshot,
    snapshot: Snapshot,
    incoming: Snapshot,
    *,
    settled: bool,
) -> ScoreDeferral:
    """Return what is told now of the score of a commit that took the attempt from `before` to `snapshot`.

    It is held back while a session has written nothing but parts of it since it changed. A score that was held back
    and turns out to be impossible was none. One that is gone, as the content emptied it or another result took its
    place, is none either.
    """
    is_own = attempt.score_pending_session == session.number
    overdue: tuple[Change, ...] = ()
    if attempt.score_pending_session is not None and not is_own and attempt.score is not None:
        overdue = (Change(Trigger.SCORE_CHANGED, attempt.last_emitted_score, attempt.score),)
    emitted = attempt.last_emitted_score if is_own else attempt.score
    new = score(snapshot)
    if new is None and (snapshot.score_raw is not None or snapshot.score_scaled is not None):
        new = emitted
    if not settled and new != emitted and _is_of_score(incoming):
        return ScoreDeferral(new, session.number, emitted, before, new, overdue)
    return ScoreDeferral(new, None, None, without_score(before) if is_own else before, emitted, overdue)


def without_score(snapshot: Snapshot) -> Snapshot:
    """Return a snapshot that has no score: one that was not told is a change of none."""
    return replace(snapshot, score_raw=None, score_scaled=None)


def _is_of_score(incoming: Snapshot) -> bool:
    nothing = dict.fromkeys(("scorm_version", "score_raw", "score_min", "score_max", "score_scaled"))
    return replace(incoming, **nothing) == EMPTY
