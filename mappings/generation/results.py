"""`result` of statements: of what a change is about, those parts that its rule asks for and that are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from mappings.attempt.changes import ABOUT_SESSIONS, Change, Trigger
from mappings.attempt.state import AttemptState, SessionState
from mappings.cmi.comments import Comment
from mappings.cmi.interactions import Interaction
from mappings.cmi.scores import Score
from mappings.cmi.snapshot import CompletionStatus, Number, SuccessStatus
from mappings.cmi.times import duration
from mappings.definition.bound_templates import BoundTemplates
from mappings.definition.compiled import CompiledMapping
from mappings.definition.model import ResultPart, ScaledScore

PROGRESS = "https://w3id.org/xapi/cmi5/result/extensions/progress"
"""The cmi5 progress extension: an integer from 0 to 100."""

_encode = msgspec.json.Encoder().encode


class Subject(msgspec.Struct, frozen=True, gc=False):
    """What a result is about: the attempt, an interaction, an objective or a comment."""

    completion: bool | None = None
    success: bool | None = None
    score: Score | None = None
    duration: int | None = None
    progress: Number | None = None
    response: str | None = None
    cmi: dict[str, str] = {}


def subject_of(mapping: CompiledMapping, attempt: AttemptState, session: SessionState, change: Change) -> Subject:
    """Return what a change is about, as the attempt knows it."""
    about = change.about
    if about is None:
        snapshot = attempt.snapshot
        return Subject(
            completion=_COMPLETION.get(snapshot.completion_status),
            success=SUCCESS.get(snapshot.success_status),
            score=score_at(mapping, attempt, change),
            duration=change.duration if change.trigger in ABOUT_SESSIONS else _time_spent(session),
            progress=snapshot.progress_measure,
        )
    if isinstance(about, Interaction):
        score = None if about.raw is None else Score(raw=about.raw)
        return Subject(
            success=about.success, score=score, duration=about.duration, response=about.response, cmi=about.cmi
        )
    if isinstance(about, Comment):
        return Subject(response=about.text, cmi=about.cmi)
    return Subject(
        completion=_COMPLETION.get(about.completion_status),
        success=SUCCESS.get(about.success_status),
        score=scaled(mapping, attempt, about.score),
        progress=about.progress_measure,
    )


def _time_spent(session: SessionState) -> int | None:
    return session.time_spent if session.time_known else None


_COMPLETION: dict[CompletionStatus | None, bool] = {
    CompletionStatus.COMPLETED: True,
    CompletionStatus.INCOMPLETE: False,
}
SUCCESS: dict[SuccessStatus | None, bool] = {SuccessStatus.PASSED: True, SuccessStatus.FAILED: False}


def result_of(parts: Sequence[ResultPart], subject: Subject, bound_templates: BoundTemplates) -> bytes:
    """Return `result` as JSON, of the parts that are known; empty when none is."""
    result: dict[str, Any] = {}
    extensions: dict[str, Any] = {}
    for part in parts:
        if part == _PROGRESS:
            if subject.progress is not None:
                extensions[PROGRESS] = int(subject.progress * 100 + 1e-9)
        elif part == _CMI:
            if subject.cmi:
                extensions[bound_templates.cmi_extension] = subject.cmi
        elif (name := _PLAIN.get(part)) is not None:
            if (value := getattr(subject, name)) is not None:
                result[name] = value
        elif (value := _derived(part, subject)) is not None:
            result[_DERIVED[part]] = value
    if extensions:
        result["extensions"] = extensions
    return _encode(result) if result else b""


def _derived(part: ResultPart, subject: Subject) -> Any:
    if part == _DURATION:
        return None if subject.duration is None else duration(subject.duration)
    if part == _PROGRESS_AS_SCORE:
        return None if subject.progress is None else {"scaled": subject.progress}
    return _as_cmi5(subject.score)


_PROGRESS, _CMI, _DURATION = ResultPart.PROGRESS, ResultPart.CMI, ResultPart.DURATION
_PROGRESS_AS_SCORE = ResultPart.PROGRESS_AS_SCORE
_PLAIN = {
    ResultPart.COMPLETION: "completion",
    ResultPart.SUCCESS: "success",
    ResultPart.SCORE: "score",
    ResultPart.RESPONSE: "response",
}
"""Parts that stand in a result as the subject has them -> their name in both."""
_DERIVED = {_DURATION: "duration", _PROGRESS_AS_SCORE: "score", ResultPart.SCORE_0_TO_1: "score"}
"""Parts that are derived of the subject -> their name in a result."""
_SCORE_CHANGED, _RANGE = Trigger.SCORE_CHANGED, ScaledScore.RANGE


def _as_cmi5(score: Score | None) -> Score | None:
    """Return a score as cmi5 has it (9.5.1), None where nothing is left of it.

    `scaled` is 0 to 1; `raw`, `min` and `max` come together, as whole numbers.
    """
    if score is None:
        return None
    scaled = score.scaled if score.scaled is not None and score.scaled >= 0 else None
    raw, low, high = score.raw, score.min, score.max
    if raw is None or low is None or high is None or any(value % 1 for value in (raw, low, high)):
        return None if scaled is None else Score(scaled=scaled)
    return Score(scaled, int(raw), int(low), int(high))


def score_at(mapping: CompiledMapping, attempt: AttemptState, change: Change) -> Score | None:
    """Return the attempt's score at a change: one that was held back is told as it was, whatever has followed it."""
    is_change = change.trigger == _SCORE_CHANGED and change.after is not None
    return scaled(mapping, attempt, change.after if is_change else attempt.score)


def scaled(mapping: CompiledMapping, attempt: AttemptState, score: Score | None) -> Score | None:
    """Return a score scaled as the document says. SCORM 1.2 content never gives `scaled` itself."""
    if score is None or score.raw is None or mapping.definition.scaled_score == _RANGE:
        return score
    if attempt.snapshot.scorm_version != "1.2" or (score.min in {None, 0} and score.max in {None, 100}):
        return score
    if not 0 <= score.raw <= 100:
        return score  # no score that SCORM 1.2 knows: its own range tells more
    share = round(score.raw / 100, 6)
    return replace(score, scaled=int(share) if share in {0, 1} else share)
