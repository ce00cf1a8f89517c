"""Adding up the time a learner spent, from counters that clients reset, repeat, delay or leave to the LMS."""

from __future__ import annotations

from msgspec.structs import replace

from mappings.attempt.state import SessionState
from mappings.cmi.snapshot import Snapshot
from mappings.cmi.times import CENTISECONDS

SLACK = 30 * CENTISECONDS
"""How much a client's clock and its requests may run apart from ours."""


def spend(session: SessionState, said: Snapshot, *, older: bool, elapsed: int) -> SessionState:
    """Give the session with the time after a commit; it never falls.

    SCORM's `session_time` is what the content counted in this session. Some clients leave it at nought and send only
    `total_time`, the time of all sessions; what it exceeds the attempt's time before the session by was then spent in
    it. Where both are told, the difference is what the client knew of before: if it knew more than was stored here,
    it is believed.

    Once a counter was seen to fall (a page that was loaded again, or two pages at once), no commit adds more than has
    `elapsed` since the last one was applied, in centiseconds; before that, clients are believed, as those that were
    offline deliver an hour in a second.
    """
    counted, total = said.session_time or 0, said.total_time or 0
    carried, counter, base = session.carried, session.counter, session.base_time
    if not counted:
        return replace(session, spent=max(session.spent, total - base))
    if counted < counter and not older:
        carried = session.spent
    counter = counted if not older else max(counter, counted)
    spent = carried + counter
    if carried:
        spent = min(spent, session.spent + elapsed + SLACK)
        carried = spent - counter
    base = max(base, total - counted - max(carried, 0))
    return replace(session, carried=carried, counter=counter, base_time=base, spent=max(session.spent, spent))
