"""What is remembered of an attempt and of each of its sessions between commits. Stored as JSON beside the attempt."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from mappings.attempt.launch import NO_LAUNCH_DATA, RECORDED_MODES, LaunchData
from mappings.cmi.scores import Score
from mappings.cmi.snapshot import EMPTY, Interactions, ScoreFields, Snapshot


class Ending(StrEnum):
    """How a session ends."""

    SUSPENDED = "suspended"
    """Its content was left to be resumed."""
    TERMINATED = "terminated"
    """Its content was finished or left for good."""
    ABANDONED = "abandoned"
    """Its content never said that it was left."""


class AttemptState(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """One attempt.

    Attributes:
        snapshot: all its commits merged.
        sessions: how many were opened.
        latest_active_session: the highest number of a session that had a commit applied.
        commits: how many came, duplicates apart.
        idle_ends: how often one of its sessions was ended as nothing came from it any more.
        ended: how its latest session ended; None while that is open.
        broken_off: that session ended for being idle, without a word of its content that it was left.
        total_time: centiseconds: what was carried over, and what was spent in all sessions.
        carried_over_time: centiseconds that an LMS had counted before the bridge knew of the learner; of no session.
        client_total_time: the largest total time that a client told, in centiseconds; None while none did.
        score: the last one that was possible; an impossible one that comes after it takes nothing back.
        passed_score: the score fields of the passed result while commits that say nothing of success change them.
        completion_by_threshold: the completion status is not the content's word but follows from its threshold.
        success_by_passing_score: likewise success, from the mastery or passing score.
        for_credit: the session that changed the result last was for credit.
        best_of_others: the best score of the enrollment's other attempts, for the enrollment's summary.
        score_pending_session: the number of the session that may still be writing the score, which no statement has
            until then.
        last_emitted_score: the last score that a statement had, while another one is being written.
        emitted_interactions: the interactions as far as statements had them; None where that is all of the snapshot's.
        statements: how many were made, which is also the position of the last one.
        timestamp: of the last statement, in milliseconds since the epoch; none is ever dated before it.
        firing_counts: rule name -> how often it made a statement; for an interaction or objective, its id stands
            behind the name, after a line break.
        other_sessions: those of them that the LMS's server did not open to record something (`precedence.leads`).
        browser_base: the attempt as it was before pages added to it; None where none did, or the server leads.
        told_by_browser: what statements of pages' sessions told: trigger, rule and the id of an item, a line each -> a
            digest of the value. The server's word for the same is not told again.
    """

    snapshot: Snapshot = EMPTY
    sessions: int = 0
    latest_active_session: int = 0
    commits: int = 0
    idle_ends: int = 0
    ended: Ending | None = None
    broken_off: bool = False
    total_time: int = 0
    carried_over_time: int = 0
    client_total_time: int | None = None
    score: Score | None = None
    passed_score: ScoreFields | None = None
    completion_by_threshold: bool = False
    success_by_passing_score: bool = False
    for_credit: bool = True
    best_of_others: Score | None = None
    score_pending_session: int | None = None
    last_emitted_score: Score | None = None
    emitted_interactions: Interactions | None = None
    statements: int = 0
    timestamp: int = 0
    firing_counts: dict[str, int] = {}
    other_sessions: int = 0
    browser_base: AttemptState | None = None
    told_by_browser: dict[str, str] = {}

    @property
    def history_length(self) -> int:
        """Return how many commits came, duplicates apart, and sessions ended idle: these are its history, in order."""
        return self.commits + self.idle_ends


class SessionState(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """One launch of an attempt.

    Attributes:
        number: counts the attempt's sessions from 1.
        history_length_at_open: the attempt's when this session was opened.
        idle_end_positions: where in the attempt's history this session was ended for being idle, each time it was.
        resumes: it continues an attempt that was begun before.
        launch: what the LMS gave when it opened the session.
        launched_at: when the LMS opened it, in milliseconds since the epoch; 0 where its first commit did.
        overlap_positions: those of them where it was ended because a later session of the learner had begun.
        mode: browse, normal or review: the LMS's word, else the content's; None while neither said.
        credit: credit or no-credit, likewise.
        commits: how many were applied.
        ended: how it ended; None while it is open.
        ended_idle: it was ended for being idle: it goes on when something comes from it.
        end_revision: how often its end was taken back or emitted anew: once-a-session rules can then fire again.
        exit: `cmi.exit` as it was last said; None while it was not, empty for a normal exit.
        exit_was_set: it was something else than empty once.
        nav_request: `adl.nav.request` as it was last said.
        cannot_signal_end: its client's format cannot say that a commit is the last one.
        sequence: number of the newest commit in the client's own count, which starts again where its page does.
        highest_sequence: the highest number that ever came.
        digest: of the commit applied last.
        applied_at: when that was, in milliseconds since the epoch.
        reports_total_time: that commit carried a total time.
        seen_without_total_time: some applied commit carried none.
        max_interactions: the most interactions that an applied commit carried.
        own_interactions: indices of the interactions that this session wrote, where the attempt has earlier sessions:
            their numbers are counted anew in each.
        asserted_fields: the fields that this session's commits had values for, as `snapshot.fields_mask` has them; only
            kept where the attempt has earlier sessions, for clients that echo all they hold.
        last_sequence_by_field: the sequence of the commit that had a field last, for clients that count their deltas.
        end_commit_fields: the fields that the commit that ended it spoke of, where that was a delta.
        prior_total_time: centiseconds of the enrollment that were known when the session was opened.
        total_time_baseline: the client's total time from which this session's is counted, for clients that send no
            session time.
        client_session_time: the client's session time as it last sent it.
        earlier_client_time: session time of the client's earlier counters (a page that was loaded again counts from
            nought).
        time_spent: centiseconds spent in this session.
        time_known: some time was told, be it nought.
        emitted_time: centiseconds that the statements about its ends have so far.
        fired_rules: names of the once-a-session rules that made their statement.
        course_completion_position: where in the attempt's history it completed the learner's course; 0 if it did not.
    """

    number: int = 0
    history_length_at_open: int = 0
    idle_end_positions: tuple[int, ...] = ()
    resumes: bool = False
    launch: LaunchData = NO_LAUNCH_DATA
    launched_at: int = 0
    overlap_positions: tuple[int, ...] = ()
    mode: str | None = None
    credit: str | None = None
    commits: int = 0
    ended: Ending | None = None
    ended_idle: bool = False
    end_revision: int = 0
    exit: str | None = None
    exit_was_set: bool = False
    nav_request: str | None = None
    cannot_signal_end: bool = False
    sequence: int = 0
    highest_sequence: int = 0
    digest: str = ""
    applied_at: int = 0
    reports_total_time: bool = False
    seen_without_total_time: bool = False
    max_interactions: int = 0
    own_interactions: tuple[str, ...] = ()
    asserted_fields: int = 0
    last_sequence_by_field: dict[str, int] = {}
    end_commit_fields: tuple[str, ...] = ()
    prior_total_time: int = 0
    total_time_baseline: int | None = None
    client_session_time: int = 0
    earlier_client_time: int = 0
    time_spent: int = 0
    time_known: bool = False
    emitted_time: int = 0
    fired_rules: tuple[str, ...] = ()
    course_completion_position: int = 0

    @property
    def records(self) -> bool:
        """Return whether its commits count."""
        return self.mode in RECORDED_MODES

    @property
    def for_credit(self) -> bool:
        """Return whether what is reached counts for the enrollment (SCORM 1.2 RTE `cmi.core.credit`)."""
        return self.credit != "no-credit"
