"""Adding up the time a learner spent, from counters that clients reset, repeat, delay or leave to the LMS.

What the sessions of an attempt spent and what was carried over add up to the attempt's total time; nothing counts
twice. Source: SCORM 1.2 RTE `cmi.core.session_time` and `total_time`, SCORM 2004 RTE 4.2.18 and 4.2.23.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from mappings.attempt.state import AttemptState, SessionState
from mappings.cmi.snapshot import Snapshot
from mappings.cmi.times import CENTISECONDS

CLOCK_TOLERANCE = 30 * CENTISECONDS
"""How much a client's clock and its requests may run apart from the bridge's, in centiseconds."""


class SessionTime(msgspec.Struct, frozen=True, gc=False):
    """The session after a commit, the centiseconds carried over by then, and the largest total time told."""

    session: SessionState
    carried_over_time: int
    client_total_time: int | None


def accumulate(
    attempt: AttemptState, session: SessionState, incoming: Snapshot, *, older: bool, elapsed: int
) -> SessionTime:
    """Return the session with the time after a commit.

    SCORM's `session_time` is what the content counted in this session, and counts. `total_time` is the time of all
    sessions: it counts only for clients that leave `session_time` at nought, by what it has grown since the last total
    that was known of the enrollment. What an LMS had counted before the bridge knew of the learner is of no session: it
    is carried over, once, from the first total of an attempt's first session.

    Once a counter was seen to fall (a page that was loaded again, or two pages at once), no commit adds more than has
    `elapsed` since the last one was applied, in centiseconds; before that, clients are believed, as those that were
    offline deliver an hour in a second.
    """
    counted, total = incoming.session_time, incoming.total_time
    if counted is None and total is None:
        return SessionTime(session, attempt.carried_over_time, attempt.client_total_time)
    largest = attempt.client_total_time
    if total is not None and (largest is None or total > largest):
        largest = total
    if counted:
        session, over = _of_session_time(attempt, session, counted, total, older=older, elapsed=elapsed)
    elif total is not None and not session.client_session_time:
        session, over = _of_total_time(attempt, session, incoming, total)
    else:
        session, over = session if session.time_known else replace(session, time_known=True), 0
    return SessionTime(session, attempt.carried_over_time + over, largest)


def _of_session_time(
    attempt: AttemptState, session: SessionState, counted: int, total: int | None, *, older: bool, elapsed: int
) -> tuple[SessionState, int]:
    begins = not session.client_session_time and not session.earlier_client_time
    carried, counter = session.earlier_client_time, session.client_session_time
    if counted < counter and not older:
        carried = session.time_spent
    counter = counted if not older else max(counter, counted)
    spent = carried + counter
    if carried:
        spent = min(spent, session.time_spent + elapsed + CLOCK_TOLERANCE)
        carried = spent - counter
    over = 0
    if begins and session.time_spent > spent >= session.emitted_time:
        # what had been taken for this session's, of a total alone, was spent before it
        over = session.time_spent - spent
    else:
        spent = max(session.time_spent, spent)
        if total is not None and attempt.client_total_time is None:
            over = max(0, total - spent - max(session.prior_total_time, attempt.total_time - session.time_spent))
    return replace(
        session, earlier_client_time=carried, client_session_time=counter, time_spent=spent, time_known=True
    ), over


def _of_total_time(
    attempt: AttemptState, session: SessionState, incoming: Snapshot, total: int
) -> tuple[SessionState, int]:
    base, over = session.total_time_baseline, 0
    if base is None:
        totals = [
            total_time for total_time in (session.prior_total_time, attempt.total_time) if 0 < total_time <= total
        ]
        # a total below all that is known: an LMS that counts each attempt anew, or one that has missed something
        base = max(totals, default=0 if session.number == 1 else total)
        if not session.prior_total_time and attempt.commits == 0 and incoming.entry == "resume":
            base = over = total
    return replace(
        session, total_time_baseline=base, time_spent=max(session.time_spent, total - base), time_known=True
    ), over
