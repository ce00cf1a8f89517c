"""Adding up the time a learner spent, from counters that clients reset, repeat, delay or leave to the LMS."""

from __future__ import annotations

from msgspec.structs import replace

from mappings.attempt.state import SessionState
from mappings.cmi.snapshot import Snapshot


def spend(session: SessionState, said: Snapshot, *, older: bool) -> SessionState:
    """Give the session with the time after a commit; it never falls.

    SCORM's `session_time` is what the content counted in this session. Some clients leave it at nought and send only
    `total_time`, the time of all sessions; what it exceeds the attempt's time before the session by was then spent in
    it. Where both are told, the difference is what the client knew of before: if it knew more than was stored here,
    it is believed.
    """
    counted, total = said.session_time or 0, said.total_time or 0
    carried, counter, base = session.carried, session.counter, session.base_time
    if counted:
        if not older:
            if counted < counter:
                carried += counter
            counter = counted
        elif counted > counter:
            counter = counted
        spent = carried + counter
        base = max(base, total - counted - carried)
    else:
        spent = total - base
    return replace(session, carried=carried, counter=counter, base_time=base, spent=max(session.spent, spent))
