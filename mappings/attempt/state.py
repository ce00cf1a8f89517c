"""What is remembered of an attempt and of each of its sessions between commits. Stored as JSON beside the attempt."""

from __future__ import annotations

from typing import Literal

import msgspec

from mappings.cmi.scores import Score
from mappings.cmi.snapshot import EMPTY, Interactions, Snapshot

Ending = Literal["suspended", "terminated", "abandoned"]


class AttemptState(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """One attempt.

    Attributes:
        snapshot: all its commits merged.
        sessions: how many were opened.
        spoke: the highest number of a session that had a commit applied.
        commits: how many came, duplicates apart.
        closed: how many of its sessions were ended as nothing came from them any more.
        ended: how its latest session ended; None while that is open.
        total_time: centiseconds spent in all sessions.
        score: the last one that was possible; an impossible one that comes after it takes nothing back.
        writing: the number of the session that may still be writing the score, which is not told until then.
        told: the last score that was told, while another one is being written.
        answers: the interactions as far as they were told; None where that is all the snapshot has.
        statements: how many were made, which is also the position of the last one.
        timestamp: of the last statement, in milliseconds since the epoch; none is ever dated before it.
        fired: rule name -> how often it made a statement; for an interaction or objective, its id stands behind the
            name, after a line break.
    """

    snapshot: Snapshot = EMPTY
    sessions: int = 0
    spoke: int = 0
    commits: int = 0
    closed: int = 0
    ended: Ending | None = None
    total_time: int = 0
    score: Score | None = None
    writing: int | None = None
    told: Score | None = None
    answers: Interactions | None = None
    statements: int = 0
    timestamp: int = 0
    fired: dict[str, int] = {}

    @property
    def turns(self) -> int:
        """Tell how many commits came, duplicates apart, and sessions were closed: these are its history, in order."""
        return self.commits + self.closed


class SessionState(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """One launch of an attempt.

    Attributes:
        number: counts the attempt's sessions from 1.
        opened: how many turns the attempt had had when this session was opened: commits, duplicates apart, and
            sessions that were closed.
        closed: which of the attempt's turns it was that this session was closed; 0 where its own commits ended it.
        resumes: it continues an attempt that was begun before.
        commits: how many were applied.
        ended: how it ended; None while it is open.
        sequence: number of the newest commit in the client's own count, which starts again where its page does.
        highest: the highest number that ever came.
        digest: of the commit applied last.
        applied_at: when that was, in milliseconds since the epoch.
        tells_total_time: that commit carried a total time.
        hid_total_time: some applied commit carried none.
        interactions: most interactions that an applied commit carried.
        begun: indices of the interactions that this session wrote, where the attempt has earlier sessions: their
            numbers are counted anew in each.
        base_time: centiseconds that the attempt had when the session began.
        counter: the client's session time as it last told it.
        carried: session time of the client's earlier counters (a page that was loaded again counts from nought).
        spent: centiseconds spent in this session.
        fired: names of the once-a-session rules that made their statement.
        overlapped: it was closed because a later session of the learner began.
        mode: normal, review or browse, where the LMS or the content said one.
        credit: credit or no-credit, where the LMS or the content said one.
    """

    number: int = 0
    opened: int = 0
    closed: int = 0
    resumes: bool = False
    commits: int = 0
    ended: Ending | None = None
    sequence: int = 0
    highest: int = 0
    digest: str = ""
    applied_at: int = 0
    tells_total_time: bool = False
    hid_total_time: bool = False
    interactions: int = 0
    begun: tuple[str, ...] = ()
    base_time: int = 0
    counter: int = 0
    carried: int = 0
    spent: int = 0
    fired: tuple[str, ...] = ()
    overlapped: bool = False
    mode: str | None = None
    credit: str | None = None
