"""Sessions of one launch that a page and the LMS's server both open, in whatever order, and what the server takes over.

What one of them says comes to no other attempt than what the other one says; `mappings/attempt/precedence.py` has
whose word counts.
"""

from __future__ import annotations

from collections.abc import Sequence

from bridge.commit_model.launch import Launch
from bridge.commits import summary_columns
from bridge.commits.session_cache import CachedAttempt
from bridge.commits.summary_columns import better
from mappings.attempt.launch import BROWSER, IMPORTED
from mappings.attempt.precedence import is_led, without_browser

SAME_LAUNCH_WINDOW = 15 * 60_000
"""Milliseconds since an attempt's last commit within which a session of another source is of the same launch: some LMSs
post all of a launch at its end, and some pages what they could not send before."""


def joins(attempt: CachedAttempt, launch: Launch, at: int) -> bool:
    """Return whether a session that is opened is of the launch that an attempt has commits of from another source.

    One is a page's, the other the LMS's server's.
    """
    state, row = attempt.state, attempt.row
    if not state.commits or launch.data.source == IMPORTED or not launch.data.records:
        return False
    other_source = is_led(state) if launch.data.source == BROWSER else state.browser_base is not None
    return other_source and at - (row.last_commit_at or row.started_at) <= SAME_LAUNCH_WINDOW


def take_over(attempt: CachedAttempt, attempts: Sequence[CachedAttempt]) -> None:
    """Take what pages said out of an attempt that the LMS's server goes on with, and out of its enrollment's summary.

    `attempts` are the enrollment's.
    """
    before, row = attempt.state, attempt.row
    attempt.state = without_browser(before)
    summary_columns.update_attempt(attempt)
    owner = row.enrollment
    if before.for_credit:
        owner.total_time += attempt.state.total_time - before.total_time
    others = [other for other in attempts if other is not attempt and other.state.commits and other.state.for_credit]
    best = None
    for other in others:
        best = better(best, other.state.score)
    summary_columns.set_statuses(owner, [row, *(other.row for other in others)])
    summary_columns.set_best(owner, better(best, attempt.state.score if attempt.state.for_credit else None))
    owner.changed = True
