"""Opening a session on an attempt."""

from __future__ import annotations

from msgspec.structs import replace

from mappings.attempt import precedence
from mappings.attempt.launch import LaunchData
from mappings.attempt.state import AttemptState, SessionState


def open_session(
    attempt: AttemptState, launch: LaunchData, *, launched_at: int = 0, prior_total_time: int = 0
) -> tuple[AttemptState, SessionState]:
    """Return the states after a session was opened on an attempt.

    Args:
        attempt: as it is before.
        launch: what the LMS gave. What it says of the content holds from now on, but where nothing is recorded.
        launched_at: when the LMS opened it, in milliseconds since the epoch; 0 where its first commit does.
        prior_total_time: centiseconds that are known of the enrollment.
    """
    resumes = attempt.commits > 0
    if not precedence.leads(launch):
        attempt = replace(attempt, other_sessions=attempt.other_sessions + 1)
    else:
        if attempt.browser_base is not None:
            resumes = attempt.browser_base.commits > 0
            attempt = precedence.without_browser(attempt)
        if attempt.told_by_browser and not launch.joins:
            attempt = precedence.without_session_turns(attempt)
    session = SessionState(
        number=attempt.sessions + 1,
        history_length_at_open=attempt.history_length,
        resumes=resumes,
        launch=launch,
        launched_at=launched_at,
        mode=launch.mode,
        credit=launch.credit,
        prior_total_time=prior_total_time,
    )
    fields = launch.content_fields() if session.records else {}
    snapshot = replace(attempt.snapshot, **fields) if fields else attempt.snapshot
    return replace(attempt, sessions=session.number, snapshot=snapshot), session
