"""One commit applied to its attempt and session: the pure heart of the commit path."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from mappings.attempt.changes import Change, find_changes
from mappings.attempt.clock import spend
from mappings.attempt.commit import Arrival, Commit, Disposition, Earlier
from mappings.attempt.guards import ended_before, judge, terminates
from mappings.attempt.scoring import hold_score
from mappings.attempt.state import AttemptState, Ending, SessionState
from mappings.cmi import scores
from mappings.cmi.merge import merge
from mappings.cmi.snapshot import Interactions, Item, Snapshot, at_launch
from mappings.cmi.tree import NULL, from_json
from mappings.cmi.tree import item as clean
from mappings.cmi.warnings import CmiWarning, warn


class Fold(msgspec.Struct, frozen=True, gc=False):
    """What a commit did. Where it did nothing (a duplicate), the states are the ones given and `changes` is empty.

    `at` is the time that statements about it carry: milliseconds since the epoch, never after it was received and
    never before the attempt's last statement.
    """

    disposition: Disposition
    attempt: AttemptState
    session: SessionState
    at: int
    changes: tuple[Change, ...] = ()
    warnings: tuple[CmiWarning, ...] = ()
    duplicate_of: int | None = None


def fold(
    attempt: AttemptState,
    session: SessionState,
    arrival: Arrival,
    *,
    earlier: Sequence[Earlier] = (),
    completes_when_failed: bool = False,
) -> Fold:
    """Judge a commit, merge what it says, find what it changed.

    `earlier` are the session's journalled commits; they may be left out where `guards.may_repeat` says so.
    `completes_when_failed` says whether SCORM 1.2's `failed` means that the attempt is completed.
    """
    commit, said, received_at = arrival.commit, arrival.reading.snapshot, arrival.received_at
    disposition, duplicate_of = judge(attempt, session, arrival, earlier)
    if disposition == "duplicate":
        return Fold(disposition, attempt, session, received_at, duplicate_of=duplicate_of)
    at, warnings = _date(attempt, commit, received_at)
    if disposition == "late":
        warnings = (*warnings, warn("session-ended", "session_id", "", "had ended; open a session to go on playing"))
    # after the end, only a client that counts its commits can prove that it has news
    newest_session = session.number >= attempt.spoke
    newer = disposition == "applied" or (
        disposition == "late" and newest_session and commit.sequence is not None and commit.sequence > session.sequence
    )
    after = spend(session, said, older=not newer, elapsed=max(0, received_at - session.applied_at) // 10)
    before = attempt.snapshot if session.commits else at_launch(attempt.snapshot)
    begun = session.begun
    if newest_session:
        before, begun = _begin_interactions(before, session, said, settled=commit.settled)
    else:
        said = _without_foreign(before, said, older=not newer)
    known = merge(before, said, older=not newer)
    if completes_when_failed and known.lesson_status == "failed" and known.completion_status != "completed":
        known = replace(known, completion_status="completed")
    finding = scores.finding(known) if _tells_score(said) else None
    if finding is not None:
        warnings = (*warnings, finding)
    # a last commit that was overtaken is the last one all the same
    ended = None
    if disposition != "late" and terminates(session, commit, said):
        ended = _ending(merge(known, said))
    elif disposition == "stale" and ended_before(session, commit, said):
        ended = _ending(known)
    settled = commit.settled or ended is not None
    told, untold = _answers(attempt, before, known, said, settled=settled)
    scoring = hold_score(
        attempt,
        session,
        replace(before, interactions=told) if told is not before.interactions else before,
        known,
        said,
        settled=settled or disposition != "applied",
    )
    # content that was told to resume goes on with an attempt that began before the bridge saw it
    begins = attempt.commits == 0
    goes_on = begins and said.entry == "resume"
    changes = find_changes(
        scoring.before,
        replace(known, interactions=untold) if untold is not known.interactions else known,
        told=scoring.last,
        started=begins and not goes_on,
        resumed=goes_on or (session.resumes and session.commits == 0),
        ended=ended,
    )
    if disposition == "applied":
        after = replace(
            after,
            commits=session.commits + 1,
            ended=ended,
            digest=arrival.digest,
            applied_at=received_at,
            tells_total_time=said.total_time is not None,
            hid_total_time=session.hid_total_time or said.total_time is None,
            interactions=max(session.interactions, len(said.interactions or ())),
        )
    elif ended is not None:
        after = replace(after, ended=ended)
    if commit.sequence is not None:
        after = replace(
            after,
            sequence=commit.sequence if newer else after.sequence,
            highest=max(after.highest, commit.sequence),
        )
    if begun != session.begun:
        after = replace(after, begun=begun)
    before_time, after_time = session.base_time + session.spent, after.base_time + after.spent
    return Fold(
        disposition,
        replace(
            attempt,
            snapshot=known,
            spoke=max(attempt.spoke, session.number) if disposition == "applied" else attempt.spoke,
            score=scoring.score,
            writing=scoring.writing,
            told=scoring.told,
            answers=None if untold is known.interactions else untold,
            commits=attempt.commits + 1,
            # a session that was followed by another has no say in whether the attempt is over
            ended=ended if newest_session and (ended or disposition == "applied") else attempt.ended,
            total_time=attempt.total_time + after_time - before_time,
        ),
        after,
        at,
        (*scoring.left, *changes),
        (*arrival.reading.warnings, *warnings),
    )


def _date(attempt: AttemptState, commit: Commit, received_at: int) -> tuple[int, tuple[CmiWarning, ...]]:
    if commit.committed_at is None or commit.committed_at <= received_at:
        return max(commit.committed_at or received_at, attempt.timestamp), ()
    future = warn(
        "future-time", "committed_at", str(commit.committed_at), "lies in the future; the time of arrival is used"
    )
    return max(received_at, attempt.timestamp), (future,)


def _begin_interactions(
    known: Snapshot, session: SessionState, said: Snapshot, *, settled: bool
) -> tuple[Snapshot, tuple[str, ...]]:
    """Forget interactions of earlier sessions whose indices this one uses anew.

    Content counts its interactions from nought in every session. An item that is wholly the earlier session's was
    loaded by the LMS and is no new answer; one without an id adds to what was loaded.
    """
    if session.number <= 1 or not said.interactions or not known.interactions:
        return known, session.begun
    begun, loaded = set(session.begun), known.interactions
    new = [
        index
        for index, sent in said.interactions.items()
        if index not in begun and loaded.get(index) != sent and _begins(loaded.get(index), sent, settled=settled)
    ]
    if not new:
        return known, session.begun
    anew = frozenset(new)
    kept = {index: item for index, item in loaded.items() if index not in anew}
    return replace(known, interactions=kept), (*session.begun, *new)


def _begins(loaded: Raw | None, sent: Raw, *, settled: bool) -> bool:
    if loaded is None:
        return sent != NULL
    told = _set(clean(sent))
    return not (settled and "id" not in told) and told != _set(from_json(loaded))


def _set(item: Item) -> Item:
    """Give what of an item is set."""
    parts = {key: _set(part) if isinstance(part, dict) else part for key, part in item.items()}
    return {key: part for key, part in parts.items() if part not in ("", {})}


def _without_foreign(known: Snapshot, said: Snapshot, *, older: bool) -> Snapshot:
    """Leave out of an earlier session's commit the interactions whose indices a later session uses by now."""
    if not said.interactions or not known.interactions:
        return said
    loaded = known.interactions
    own = {index: sent for index, sent in said.interactions.items() if not _foreign(loaded.get(index), sent, older)}
    return said if len(own) == len(said.interactions) else replace(said, interactions=own)


def _foreign(loaded: Raw | None, sent: Raw, older: bool) -> bool:  # noqa: FBT001 -- one word, used once
    """Tell whether two items of one index are of two answers: by their ids and, of an older commit, by anything."""
    if loaded is None or loaded == sent:
        return False
    known, told = from_json(loaded), _set(clean(sent))
    return any(known.get(key) not in (None, "", told[key]) for key in (told if older else {"id"} & told.keys()))


def _answers(
    attempt: AttemptState, before: Snapshot, known: Snapshot, said: Snapshot, *, settled: bool
) -> tuple[Interactions | None, Interactions | None]:
    """Give the interactions that were told, and those that may be told now.

    Of a commit that is one of many small ones, these are all but the one it ends in, which may still be written.
    """
    told, now = before.interactions, known.interactions
    if attempt.answers is not None:
        # what this session uses anew was forgotten
        told = {index: item for index, item in attempt.answers.items() if index in (before.interactions or ())}
    if settled or not now:
        return told, now
    earlier, old = told or {}, before.interactions or {}
    written = [index for index in said.interactions or () if now.get(index) is not old.get(index)]
    held: str | None = written[-1] if written else None
    if held is None and attempt.answers is not None:
        held = next((index for index, item in now.items() if item != earlier.get(index)), None)
    if held is None:
        return told, now
    untold = {index: item for index, item in now.items() if index != held}
    return told, untold | {held: earlier[held]} if held in earlier else untold


def _ending(known: Snapshot) -> Ending:
    suspended = known.exit == "suspend" or known.nav_request == "suspendAll"
    return "suspended" if suspended else "terminated"


def _tells_score(said: Snapshot) -> bool:
    return said.score_raw is not None or said.score_min is not None or said.score_max is not None
