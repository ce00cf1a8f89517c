"""The result of an attempt: success and the score that belongs to it, one pair.

A status carries the score that its content had reported by then. What of several results is the attempt's is for the
mapping document to say (`StatusPolicy.result`).
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec.structs import replace

from mappings.attempt.policy import StatusPolicy
from mappings.attempt.state import SessionState
from mappings.cmi.snapshot import SCORE_FIELDS, ScoreFields, Snapshot, Success, in_mask

SuccessWord = Literal["passed", "failed", "unknown"]
"""What a commit says of success; None where it says nothing."""

_NO_SCORE = dict.fromkeys(SCORE_FIELDS)
_NO_RESULT: dict[str, Any] = {**_NO_SCORE, "success_status": None, "lesson_status": None}


def success_word(session: SessionState, incoming: Snapshot, known: Snapshot, *, echoes: bool) -> SuccessWord | None:
    """Return what a commit says of success.

    A SCORM 1.2 status without a part on success (`incomplete`, `completed`) is a word on it only where another score
    comes with it: that score is not the one of what was said before. A client that echoes all it holds says `unknown`
    where it was merely not loaded with what was reached before: likewise, but where this session had said more.
    """
    if incoming.success_status in {"passed", "failed"}:
        return incoming.success_status
    if incoming.success_status is None and incoming.lesson_status is None:
        return None
    if known.success_status not in {"passed", "failed"}:
        return "unknown"
    if incoming.success_status is not None and not (
        echoes and session.number > 1 and not in_mask("success_status", session.asserted_fields)
    ):
        return "unknown"
    scored = incoming.score_raw is not None or incoming.score_scaled is not None
    return "unknown" if scored and score_fields(known) != score_fields(incoming) else None


def keeps_passed(known: Snapshot, word: SuccessWord | None, policy: StatusPolicy) -> bool:
    """Return whether a passed result stays as it is, whatever the commit says of success and score."""
    return policy.result == "best" and known.success_status == "passed" and word in {"failed", "unknown"}


def without_result(incoming: Snapshot) -> Snapshot:
    """Return what a commit says but for success, status and score."""
    return replace(incoming, **_NO_RESULT)


def score_fields(known: Snapshot) -> ScoreFields:
    """Return the score as it was said."""
    return known.score_raw, known.score_min, known.score_max, known.score_scaled


def with_score(known: Snapshot, fields: ScoreFields) -> Snapshot:
    """Return a snapshot with another score."""
    return replace(known, **dict(zip(SCORE_FIELDS, fields, strict=True)))


def raised_by(known: Snapshot, incoming: Snapshot, overruled: frozenset[str]) -> Success | None:
    """Return the success status that an older commit raises the attempt to, None where it raises nothing.

    What newer words overruled still stands where they came with the same score: they said nothing of it then.
    """
    if incoming.success_status in overruled and score_fields(incoming) != score_fields(known):
        return None
    if incoming.success_status == "passed" and known.success_status != "passed":
        return "passed"
    if incoming.success_status == "failed" and known.success_status not in {"passed", "failed"}:
        return "failed"
    return None


_LOW = {None: -1, "not attempted": 0, "browsed": 1, "incomplete": 2}


def with_lesson_status(before: Snapshot, known: Snapshot, incoming: Snapshot) -> Snapshot:
    """Return a snapshot whose SCORM 1.2 status agrees with what it says of completion and success."""
    if known.lesson_status is None and incoming.lesson_status is None:
        return known
    status: str | None
    if known.success_status in {"passed", "failed"}:
        status = known.success_status
    elif known.completion_status == "completed":
        status = "completed"
    else:
        status = max((before.lesson_status, incoming.lesson_status), key=lambda word: _LOW.get(word, -1))
        if status not in _LOW:
            status = "incomplete"
    return known if status == known.lesson_status else replace(known, lesson_status=status)
