"""What is remembered of an attempt and of each of its sessions between commits. Stored as JSON beside the attempt."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec.structs import replace

from mappings.attempt.launch import NO_LAUNCH_DATA, RECORDED_MODES, LaunchData
from mappings.cmi.scores import Score
from mappings.cmi.snapshot import EMPTY, Interactions, ScoreFields, Snapshot

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
        broken_off: that session ended for being idle, without a word of its content that it was left.
        total_time: centiseconds: what was carried over, and what was spent in all sessions.
        carried_over_time: centiseconds that an LMS had counted before the bridge knew of the learner; of no session.
        client_total_time: the largest total time that a client told, in centiseconds; None while none did.
        score: the last one that was possible; an impossible one that comes after it takes nothing back.
        passed_score: the score fields of the passed result while commits that say nothing of success change them.
        completion_by_mark: the completion status is not the content's word but follows from the completion threshold.
        success_by_mark: likewise success, from the mastery or passing score.
        for_credit: the session that changed the result last was for credit.
        best_of_others: the best score of the enrollment's other attempts, for the enrollment's summary.
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
    broken_off: bool = False
    total_time: int = 0
    carried_over_time: int = 0
    client_total_time: int | None = None
    score: Score | None = None
    passed_score: ScoreFields | None = None
    completion_by_mark: bool = False
    success_by_mark: bool = False
    for_credit: bool = True
    best_of_others: Score | None = None
    writing: int | None = None
    told: Score | None = None
    answers: Interactions | None = None
    statements: int = 0
    timestamp: int = 0
    fired: dict[str, int] = {}

    @property
    def turns(self) -> int:
        """Return how many commits came, duplicates apart, and sessions were closed: these are its history, in order."""
        return self.commits + self.closed


class SessionState(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """One launch of an attempt.

    Attributes:
        number: counts the attempt's sessions from 1.
        opened: how many turns the attempt had had when this session was opened: commits, duplicates apart, and
            sessions that were closed.
        closed: which of the attempt's turns it was that this session was closed for being idle, each time it was.
        resumes: it continues an attempt that was begun before.
        launch: what the LMS gave when it opened the session.
        launched_at: when the LMS opened it, in milliseconds since the epoch; 0 where its first commit did.
        overlapped: which of those turns in `closed` were because a later session of the learner had begun.
        mode: browse, normal or review: the LMS's word, else the content's; None while neither said.
        credit: credit or no-credit, likewise.
        commits: how many were applied.
        ended: how it ended; None while it is open.
        ended_idle: it was ended for being idle: it goes on when something comes from it.
        phase: how often its end was taken back or told anew: what is told once a session can then be told again.
        exit: `cmi.exit` as it was last said; None while it was not, empty for a normal exit.
        exit_was_set: it was something else than empty once.
        nav_request: `adl.nav.request` as it was last said.
        knows_no_end: its client's format cannot say that a commit is the last one.
        sequence: number of the newest commit in the client's own count, which starts again where its page does.
        highest: the highest number that ever came.
        digest: of the commit applied last.
        applied_at: when that was, in milliseconds since the epoch.
        tells_total_time: that commit carried a total time.
        hid_total_time: some applied commit carried none.
        interactions: most interactions that an applied commit carried.
        begun: indices of the interactions that this session wrote, where the attempt has earlier sessions: their
            numbers are counted anew in each.
        asserted: the fields that this session's commits had values for, as `snapshot.fields_mask` tells them; only kept
            where the attempt has earlier sessions, for clients that echo all they hold.
        last_said: the sequence of the commit that said a field last, by field, for clients that count their deltas.
        said_at_end: the fields that the commit that ended it spoke of, where that was a delta.
        known_total: centiseconds of the enrollment that were known when the session was opened.
        total_base: the client's total time from which this session's is counted, for clients that tell no session time.
        counter: the client's session time as it last told it.
        carried: session time of the client's earlier counters (a page that was loaded again counts from nought).
        spent: centiseconds spent in this session.
        time_known: some time was told, be it nought.
        reported_time: centiseconds that the ends of it told so far have told.
        fired: names of the once-a-session rules that made their statement.
    """

    number: int = 0
    opened: int = 0
    closed: tuple[int, ...] = ()
    resumes: bool = False
    launch: LaunchData = NO_LAUNCH_DATA
    launched_at: int = 0
    overlapped: tuple[int, ...] = ()
    mode: str | None = None
    credit: str | None = None
    commits: int = 0
    ended: Ending | None = None
    ended_idle: bool = False
    phase: int = 0
    exit: str | None = None
    exit_was_set: bool = False
    nav_request: str | None = None
    knows_no_end: bool = False
    sequence: int = 0
    highest: int = 0
    digest: str = ""
    applied_at: int = 0
    tells_total_time: bool = False
    hid_total_time: bool = False
    interactions: int = 0
    begun: tuple[str, ...] = ()
    asserted: int = 0
    last_said: dict[str, int] = {}
    said_at_end: tuple[str, ...] = ()
    known_total: int = 0
    total_base: int | None = None
    counter: int = 0
    carried: int = 0
    spent: int = 0
    time_known: bool = False
    reported_time: int = 0
    fired: tuple[str, ...] = ()

    @property
    def records(self) -> bool:
        """Return whether its commits count."""
        return self.mode in RECORDED_MODES

    @property
    def for_credit(self) -> bool:
        """Return whether what is reached counts for the enrollment (SCORM 1.2 RTE `cmi.core.credit`)."""
        return self.credit != "no-credit"


def open_session(
    attempt: AttemptState, launch: LaunchData, *, launched_at: int = 0, known_total: int = 0
) -> tuple[AttemptState, SessionState]:
    """Return the states after a session was opened on an attempt.

    Args:
        attempt: as it is before.
        launch: what the LMS gave. What it says of the content holds from now on, but where nothing is recorded.
        launched_at: when the LMS opened it, in milliseconds since the epoch; 0 where its first commit does.
        known_total: centiseconds that are known of the enrollment.
    """
    session = SessionState(
        number=attempt.sessions + 1,
        opened=attempt.turns,
        resumes=attempt.commits > 0,
        launch=launch,
        launched_at=launched_at,
        mode=launch.mode,
        credit=launch.credit,
        known_total=known_total,
    )
    given = launch.content_fields() if session.records else {}
    known = replace(attempt.snapshot, **given) if given else attempt.snapshot
    return replace(attempt, sessions=session.number, snapshot=known), session
