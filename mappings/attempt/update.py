"""One commit applied to its attempt and session: the pure heart of the commit path."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from mappings.attempt.changes import Change, ending_change, find_changes
from mappings.attempt.commit import Commit, Disposition, PriorCommit, ReceivedCommit
from mappings.attempt.field_order import SplitCommit, record_fields, split_commit
from mappings.attempt.interaction_scope import settled_interactions
from mappings.attempt.launch import BROWSER, RECORDED_MODES
from mappings.attempt.merging import merge_commit
from mappings.attempt.order_warnings import order_warnings, repeated_number, time_warnings
from mappings.attempt.ordering import classify, ended_before, terminates
from mappings.attempt.policy import DEFAULT_POLICY, StatusPolicy
from mappings.attempt.precedence import is_led
from mappings.attempt.score_deferral import defer_score
from mappings.attempt.session_time import accumulate
from mappings.attempt.state import AttemptState, Ending, SessionState
from mappings.cmi import scores
from mappings.cmi.item_warnings import item_warnings, unnamed
from mappings.cmi.merge import altered_interactions
from mappings.cmi.snapshot import EMPTY, Snapshot, fields_mask, says_items
from mappings.cmi.warnings import CmiWarning, WarningCode, limited, warn

_APPLIED, _DUPLICATE, _STALE, _LATE, _SUPERSEDED = Disposition  # an enum's members cost ten times as much to look up


class AttemptUpdate(msgspec.Struct, frozen=True, gc=False):
    """What a commit did. Where it did nothing (a duplicate), the states are the ones given and `changes` is empty.

    `at` is the time that statements about it carry: milliseconds since the epoch, never after it was received and
    never before the attempt's last statement. `recorded` is False for a duplicate, and for a commit of a review or a
    browse, or of a page's session where the LMS's server leads, of which the session alone knows.
    """

    disposition: Disposition
    attempt: AttemptState
    session: SessionState
    at: int
    changes: tuple[Change, ...] = ()
    warnings: tuple[CmiWarning, ...] = ()
    duplicate_of: int | None = None
    recorded: bool = True


def update_attempt(
    attempt: AttemptState,
    session: SessionState,
    received_commit: ReceivedCommit,
    *,
    prior_commits: Sequence[PriorCommit] = (),
    policy: StatusPolicy = DEFAULT_POLICY,
) -> AttemptUpdate:
    """Classify a commit, merge what it says, find what it changed.

    `prior_commits` are the session's journalled commits; they may be left out where `ordering.needs_duplicate_lookup`
    says so. `policy` is how the mapping wants statuses to be understood.
    """
    commit, parsed_cmi, received_at = received_commit.commit, received_commit.parsed_cmi, received_commit.received_at
    if commit.tells_package_time and session.launch.of_package:
        parsed_cmi = replace(parsed_cmi, snapshot=replace(parsed_cmi.snapshot, total_time=None))
        received_commit = replace(received_commit, parsed_cmi=parsed_cmi)
    # a session that only the bridge ended is not over: it goes on
    returned = session.ended_idle
    entered = (
        replace(session, ended=None, ended_idle=False, end_revision=session.end_revision + 1) if returned else session
    )
    disposition, duplicate_of = classify(attempt, entered, received_commit, prior_commits)
    if disposition is _DUPLICATE:
        repeated = repeated_number(received_commit, prior_commits, duplicate_of)
        return AttemptUpdate(
            disposition, attempt, session, received_at, warnings=repeated, duplicate_of=duplicate_of, recorded=False
        )
    entered = _with_mode(entered, parsed_cmi.snapshot)
    if entered.mode not in RECORDED_MODES:
        return _unrecorded(attempt, session, entered, received_commit, disposition)
    if session.launch.source == BROWSER:
        if is_led(attempt):
            unrecorded = _unrecorded(attempt, session, entered, received_commit, disposition)
            return replace(unrecorded, disposition=_SUPERSEDED, warnings=parsed_cmi.warnings)
        if attempt.browser_base is None:
            attempt = replace(attempt, browser_base=attempt)
    return _recorded(attempt, entered, received_commit, disposition, returned=returned, policy=policy)


def _recorded(
    attempt: AttemptState,
    session: SessionState,
    received_commit: ReceivedCommit,
    disposition: Disposition,
    *,
    returned: bool,
    policy: StatusPolicy,
) -> AttemptUpdate:
    """Return what a commit does that counts. `returned`: with it, a session goes on that had ended for being idle."""
    commit, parsed_cmi, received_at = received_commit.commit, received_commit.parsed_cmi, received_commit.received_at
    at = _date(attempt, commit, received_at)
    warnings: tuple[CmiWarning, ...] = ()
    if disposition is not _APPLIED or commit.committed_at is not None:
        warnings = (*time_warnings(commit, session, received_at), *order_warnings(disposition, commit, session))
    # after the end, only a client that counts its commits can prove that it has news of everything
    newest_session = session.number >= attempt.latest_active_session
    newer = disposition is _APPLIED or (
        disposition is _LATE and newest_session and commit.sequence is not None and commit.sequence > session.sequence
    )
    time = accumulate(
        attempt, session, parsed_cmi.snapshot, older=not newer, elapsed=max(0, received_at - session.applied_at) // 10
    )
    parts = split_commit(session, commit, parsed_cmi, received_at, newer=newer, newest_session=newest_session)
    after = _with_exit(time.session, parts)
    # a last commit that was overtaken is the last one all the same
    ended: Ending | None = None
    if (disposition is not _LATE and terminates(session, commit, parsed_cmi.snapshot)) or (
        disposition is _STALE and ended_before(session, commit, parsed_cmi.snapshot)
    ):
        ended = ending(after)
    merged = merge_commit(attempt, after, commit, parts, newest_session=newest_session, ended=ended, policy=policy)
    snapshot, incoming, written = merged.after, parsed_cmi.snapshot, merged.own_interactions
    if newest_session:
        snapshot = _with_session(snapshot, after)
    settled = commit.settled or ended is not None
    before, untold = merged.before, snapshot.interactions
    # most commits bring no items
    if incoming.interactions or attempt.emitted_interactions is not None:
        before, untold = settled_interactions(attempt, merged.before, snapshot, incoming, settled=settled)
    scoring = defer_score(attempt, session, before, snapshot, incoming, settled=settled or disposition is not _APPLIED)
    shown = replace(snapshot, interactions=untold) if untold is not snapshot.interactions else snapshot
    range_warning = scores.score_warning(snapshot) if _says_score(incoming) else None
    if (
        range_warning is not None
        or says_items(incoming)
        or ended is not None
        or attempt.emitted_interactions is not None
    ):
        altered = altered_interactions(merged.before, incoming) if merged.altered is None else merged.altered
        # answers that were held back may be told now, whichever commit brought them
        looked_at = altered if attempt.emitted_interactions is None else None
        warnings = (
            *warnings,
            *item_warnings(merged.before, incoming, altered),
            *(() if range_warning is None else (range_warning,)),
            *unnamed(scoring.before, shown, looked_at, settled=settled, ended=ended is not None),
        )
    started_at, resumed_at = _turns(attempt, session, incoming, returned=returned)
    changes = find_changes(scoring.before, shown, last_score=scoring.last, started_at=started_at, resumed_at=resumed_at)
    end = ended or (session.ended if disposition is _LATE else None)
    if end is not None and (ended is not None or _changes_end(attempt, snapshot, scoring.score, after)):
        changes = (*changes, ending_change(end, after, retold=ended is None))
        after = replace(after, emitted_time=after.time_spent, end_revision=after.end_revision + (ended is None))
    after = _after(after, session, received_commit, disposition, ended, written, newer=newer)
    before_time = session.time_spent + attempt.carried_over_time
    score_changed = scoring.score != attempt.score or snapshot.success_status != attempt.snapshot.success_status
    # a session that was followed by another has no say in whether the attempt is over
    is_heard = newest_session and (ended is not None or disposition is _APPLIED)
    # in two steps: with more than 14 keywords, CPython makes a dictionary of them first
    applied = replace(
        attempt,
        snapshot=snapshot,
        latest_active_session=max(attempt.latest_active_session, session.number)
        if disposition is _APPLIED
        else attempt.latest_active_session,
        score=scoring.score,
        passed_score=merged.passed_score,
        completion_by_threshold=merged.completion_by_threshold,
        success_by_passing_score=merged.success_by_passing_score,
        for_credit=session.for_credit if score_changed else attempt.for_credit,
        emitted_interactions=None if untold is snapshot.interactions else untold,
        commits=attempt.commits + 1,
        ended=ended if is_heard else attempt.ended,
        broken_off=attempt.broken_off and not is_heard,
        carried_over_time=time.carried_over_time,
        total_time=attempt.total_time + after.time_spent + time.carried_over_time - before_time,
    )
    if (
        scoring.score_pending_session != attempt.score_pending_session
        or scoring.last_emitted_score != attempt.last_emitted_score
        or time.client_total_time != attempt.client_total_time
    ):
        applied = replace(
            applied,
            score_pending_session=scoring.score_pending_session,
            last_emitted_score=scoring.last_emitted_score,
            client_total_time=time.client_total_time,
        )
    return AttemptUpdate(
        disposition,
        applied,
        after,
        at,
        (*scoring.left, *changes) if scoring.left else changes,
        limited(parsed_cmi.warnings, warnings),
    )


def _with_mode(session: SessionState, incoming: Snapshot) -> SessionState:
    mode, credit = session.launch.mode or incoming.mode, session.launch.credit or incoming.credit
    if (mode is None or mode == session.mode) and (credit is None or credit == session.credit):
        return session
    return replace(session, mode=mode or session.mode, credit=credit or session.credit)


def _with_exit(session: SessionState, parts: SplitCommit) -> SessionState:
    incoming = "" if "exit" in parts.cleared else parts.newest.exit
    request = parts.newest.nav_request
    if (incoming is None or incoming == session.exit) and request is None:
        return session
    return replace(
        session,
        exit=session.exit if incoming is None else incoming,
        exit_was_set=session.exit_was_set or bool(incoming),
        nav_request=request or session.nav_request,
    )


def _with_session(snapshot: Snapshot, session: SessionState) -> Snapshot:
    """Return the attempt's snapshot with what holds of its newest session."""
    incoming = session.exit or None
    if incoming == snapshot.exit and session.mode == snapshot.mode and session.credit == snapshot.credit:
        return snapshot
    return replace(snapshot, exit=incoming, mode=session.mode, credit=session.credit)


def ending(session: SessionState) -> Ending:
    """Return how a session ends that its content ends."""
    suspended = session.exit == "suspend" or session.nav_request == "suspendAll"
    return Ending.SUSPENDED if suspended else Ending.TERMINATED


def _after(
    after: SessionState,
    session: SessionState,
    received_commit: ReceivedCommit,
    disposition: Disposition,
    ended: Ending | None,
    written: tuple[str, ...],
    *,
    newer: bool,
) -> SessionState:
    """Return the session with what is remembered of the commit for those to come."""
    commit, incoming = received_commit.commit, received_commit.parsed_cmi.snapshot
    if written is not session.own_interactions:
        after = replace(after, own_interactions=written)
    if disposition is _APPLIED:
        after = replace(
            after,
            commits=session.commits + 1,
            ended=ended,
            digest=received_commit.digest,
            applied_at=received_commit.received_at,
            reports_total_time=incoming.total_time is not None,
            seen_without_total_time=session.seen_without_total_time or incoming.total_time is None,
            max_interactions=max(session.max_interactions, len(incoming.interactions or ())),
            cannot_signal_end=commit.terminated is None and not commit.full,
        )
        if commit.echoes and session.number > 1:
            after = replace(after, asserted_fields=after.asserted_fields | fields_mask(incoming))
    elif ended is not None:
        after = replace(after, ended=ended)
    if (ended is not None or commit.sequence is not None) and not (commit.echoes or commit.full):
        after = record_fields(after, commit, received_commit.parsed_cmi)
    return after if commit.sequence is None else _counted(after, commit.sequence, newer=newer)


def _counted(session: SessionState, sequence: int, *, newer: bool) -> SessionState:
    """Return the session with the client's own count of its commits."""
    return replace(
        session,
        sequence=sequence if newer else session.sequence,
        highest_sequence=max(session.highest_sequence, sequence),
    )


def _unrecorded(
    attempt: AttemptState,
    session: SessionState,
    entered: SessionState,
    received_commit: ReceivedCommit,
    disposition: Disposition,
) -> AttemptUpdate:
    """Return what a commit of a review or a browse does: its session knows of it, the attempt does not."""
    commit, incoming = received_commit.commit, received_commit.parsed_cmi.snapshot
    mode = entered.mode or ""
    after = (
        _with_exit(entered, SplitCommit(incoming, EMPTY, received_commit.parsed_cmi.cleared))
        if disposition is _APPLIED
        else entered
    )
    if session.ended_idle:
        after = replace(after, ended=session.ended, ended_idle=True, end_revision=session.end_revision)
    elif disposition is _APPLIED and terminates(session, commit, incoming):
        after = replace(after, ended=ending(after))
    if disposition is _APPLIED:
        after = replace(after, digest=received_commit.digest, applied_at=received_commit.received_at)
    if commit.sequence is not None:
        after = _counted(after, commit.sequence, newer=disposition is _APPLIED)
    warning = warn(
        WarningCode.NOT_RECORDED, "cmi.mode", mode, "records nothing: the commit is kept in the journal alone"
    )
    return AttemptUpdate(
        disposition,
        attempt,
        after,
        received_commit.received_at,
        warnings=limited(received_commit.parsed_cmi.warnings, [warning]),
        recorded=False,
    )


def _changes_end(attempt: AttemptState, snapshot: Snapshot, value: scores.Score | None, session: SessionState) -> bool:
    """Return whether what an end has told is not so any more."""
    before = attempt.snapshot
    return (
        session.time_spent > session.emitted_time
        or snapshot.completion_status != before.completion_status
        or snapshot.success_status != before.success_status
        or value != attempt.score
    )


def _turns(
    attempt: AttemptState, session: SessionState, incoming: Snapshot, *, returned: bool
) -> tuple[int | None, int | None]:
    """Return when the attempt began and when the session went on with it: 0 with this commit, None not now."""
    if attempt.commits == 0:
        # content that was told to resume goes on with an attempt that began before the bridge saw it
        return (None, session.launched_at) if incoming.entry == "resume" else (session.launched_at, None)
    if session.commits:
        return None, 0 if returned else None
    return None, session.launched_at if session.resumes else None


def _date(attempt: AttemptState, commit: Commit, received_at: int) -> int:
    at = commit.committed_at
    if not at or at > received_at:
        at = received_at
    return max(at, attempt.timestamp)


def _says_score(incoming: Snapshot) -> bool:
    return incoming.score_raw is not None or incoming.score_min is not None or incoming.score_max is not None
