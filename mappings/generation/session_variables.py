"""What conditions and templates can ask of a session as of a commit, beside what its snapshot and facts say.

Documents that ask how a session's end was told have that remembered among the session's `fired_rules`, under names that
no rule can have.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec.structs import replace

from mappings.attempt.changes import Change, Trigger
from mappings.attempt.state import AttemptState, Ending, SessionState
from mappings.cmi.snapshot import Snapshot, SuccessStatus
from mappings.definition.conditions import SettledValues
from mappings.definition.statement_context import StatementContext

_ENDED, _SUCCESS, _PART = "ended:", "success:", "part:"
_ENDINGS: dict[Trigger, str] = {
    Trigger.SESSION_SUSPENDED: Ending.SUSPENDED,
    Trigger.SESSION_TERMINATED: Ending.TERMINATED,
    Trigger.SESSION_ABANDONED: Ending.ABANDONED,
}
_OUTCOMES: dict[Trigger, str] = {
    Trigger.SUCCESS_PASSED: SuccessStatus.PASSED,
    Trigger.SUCCESS_FAILED: SuccessStatus.FAILED,
}
_UNKNOWN = str(SuccessStatus.UNKNOWN)
_RESUMED = Trigger.SESSION_RESUMED
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*", re.ASCII)
"""Language tags that begin with a code of ISO 639; SCORM 1.2 content may also say `English`."""


def settled_values(context: StatementContext, session: SessionState, *, tracked: bool) -> SettledValues:
    """Return what conditions ask for that has few values, as of a commit.

    How the session ended and what success it had is looked for where the document has it `tracked`.
    """
    return (
        session.mode or "normal",
        session.credit or "credit",
        _marker(session, _ENDED) if tracked else "",
        (_marker(session, _SUCCESS) if tracked else "") or _UNKNOWN,
        session.launch.source,
        context.enrollment_completed,
        context.enrollment_passed,
    )


def commit_values(attempt: AttemptState, session: SessionState, part: str) -> dict[str, str]:
    """Return the values of the variables that can change with every commit; what is not known is empty.

    `part` is what `session_part` returns.
    """
    snapshot = attempt.snapshot
    language = snapshot.language or ""
    return {
        "learner.language": language if _LANGUAGE.fullmatch(language) else "",
        "session.mode": session.mode or "normal",
        "session.credit": session.credit or "credit",
        "session.part": part,
        "location": snapshot.location or "",
        "mastery_score": _mastery_score(snapshot),
    }


def session_part(session: SessionState) -> str:
    """Return what tells the parts of a session apart that went on after its end was told: empty for the first."""
    part = _marker(session, _PART)
    return f"-{part}" if part else ""


def begin_tracking(session: SessionState, changes: Sequence[Change]) -> SessionState:
    """Record what success a commit's changes mean for its session.

    A session that goes on after its end was told is a new one to its rules: those that speak once a session may do so
    again.
    """
    for change in changes:
        if change.trigger == _RESUMED and _marker(session, _ENDED):
            part = int(_marker(session, _PART) or "1") + 1
            session = replace(session, fired_rules=(f"{_PART}{part}",))
        elif change.trigger in _OUTCOMES:
            session = _marked(session, _SUCCESS, _OUTCOMES[change.trigger])
    return session


def end_tracking(session: SessionState, changes: Sequence[Change]) -> SessionState:
    """Record how the session's end was told, if it was."""
    for change in changes:
        if change.trigger in _ENDINGS and not _marker(session, _ENDED):
            session = _marked(session, _ENDED, _ENDINGS[change.trigger])
    return session


def _marker(session: SessionState, kind: str) -> str:
    return next((name.removeprefix(kind) for name in session.fired_rules if name.startswith(kind)), "")


def _marked(session: SessionState, kind: str, value: str) -> SessionState:
    other_rules = tuple(name for name in session.fired_rules if not name.startswith(kind))
    return replace(session, fired_rules=(*other_rules, kind + value))


def _mastery_score(snapshot: Snapshot) -> str:
    """Return the score to pass from 0 to 1, with at most four decimals as cmi5 has it; empty where none is known."""
    score = snapshot.scaled_passing_score
    if score is None and snapshot.mastery_score is not None:
        score = snapshot.mastery_score / 100
    if score is None or not 0 <= score <= 1:
        return ""
    return f"{score:.4f}".rstrip("0").rstrip(".")
