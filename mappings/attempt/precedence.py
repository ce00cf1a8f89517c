"""Whose word counts where a page of the LMS and its server have sessions of one attempt: the server's.

Whoever has the key of a page can forge what it says. From the moment when the LMS's server opens a session of the
attempt, what pages send is kept in the journal alone, and what they had said before is taken out of the attempt. What
was told to an LRS of it is told: the same said by the server is not told again, another value is.
"""

from __future__ import annotations

import hashlib

import msgspec
from msgspec.structs import replace

from mappings.attempt.changes import ABOUT_SESSIONS, Change
from mappings.attempt.launch import BROWSER, SERVER, LaunchData
from mappings.attempt.state import AttemptState, SessionState
from mappings.cmi.comments import Comment

_DIGEST_BYTES = 8
_encode = msgspec.json.Encoder(order="sorted").encode


def leads(launch: LaunchData) -> bool:
    """Return whether a session counts for more than those of pages: the LMS's server opens it, to record something."""
    return launch.source == SERVER and launch.records


def is_led(attempt: AttemptState) -> bool:
    """Return whether an attempt has a session that leads."""
    return attempt.sessions > attempt.other_sessions


def is_superseded(attempt: AttemptState, session: SessionState) -> bool:
    """Return whether a session is a page's, and the LMS's server has one of the attempt."""
    return session.launch.source == BROWSER and is_led(attempt)


def without_browser(attempt: AttemptState) -> AttemptState:
    """Return an attempt as it would be without what pages said; what was told of it stays told, and history counted."""
    base = attempt.browser_base
    if base is None:
        return attempt
    return replace(
        base,
        sessions=attempt.sessions,
        other_sessions=attempt.other_sessions,
        latest_active_session=attempt.latest_active_session,
        commits=attempt.commits,
        idle_ends=attempt.idle_ends,
        best_of_others=attempt.best_of_others,
        statements=attempt.statements,
        timestamp=attempt.timestamp,
        firing_counts=attempt.firing_counts,
        told_by_browser=attempt.told_by_browser,
        browser_base=None,
    )


def without_session_turns(attempt: AttemptState) -> AttemptState:
    """Return an attempt that has forgotten what was told of a page's session as such: another launch has its own."""
    remaining = {
        key: digest for key, digest in attempt.told_by_browser.items() if key.partition("\n")[0] not in ABOUT_SESSIONS
    }
    return attempt if len(remaining) == len(attempt.told_by_browser) else replace(attempt, told_by_browser=remaining)


class ToldByBrowser:
    """What statements of pages' sessions have told, by rule and item, as the statements of a commit are made.

    A rule that speaks of a page's commit is noted with the value that it told. Where the LMS's server brings the same
    value, the rule has spoken already; and either way the server's word is from then on what counts.
    """

    __slots__ = ("_is_browser", "digests")

    def __init__(self, digests: dict[str, str], *, is_browser: bool) -> None:
        self.digests = digests.copy()
        self._is_browser = is_browser

    def has_told(self, name: str, change: Change) -> bool:
        """Return whether a change of the server's was told by a rule, or of an item by it (`name`), for a page."""
        if self._is_browser:
            return False
        return self.digests.pop(_key(name, change), None) == _digest(change)

    def note(self, name: str, change: Change) -> None:
        """Note that a rule has told a change of a page's."""
        if self._is_browser:
            self.digests[_key(name, change)] = _digest(change)


def _key(name: str, change: Change) -> str:
    # of comments, which have no id, each is told
    mark = f"\n{_digest(change)}" if isinstance(change.about, Comment) else ""
    return f"{change.trigger.value}\n{name}{mark}"


def _digest(change: Change) -> str:
    return hashlib.blake2b(_encode(change.after), digest_size=_DIGEST_BYTES).hexdigest()
