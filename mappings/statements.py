"""From a commit's changes to the statements that tell them, as the bytes that every LRS will get.

The same changes of the same attempt give the same bytes, ids included: a statement that is made twice is one statement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from mappings.attempt.changes import ABOUT_SESSIONS, Change
from mappings.attempt.state import AttemptState, SessionState
from mappings.cmi.comments import Comment
from mappings.cmi.interactions import Interaction
from mappings.cmi.objectives import Objective, descriptions
from mappings.cmi.scores import Score
from mappings.cmi.snapshot import Number
from mappings.cmi.times import CENTISECONDS, duration
from mappings.document.compiled import CompiledMapping
from mappings.document.facts import Facts, Holes
from mappings.document.model import ResultPart, Rule
from mappings.document.outlines import Outline
from mappings.document.skeletons import DEFINITION, OBJECTIVES
from mappings.timestamps import rfc3339

PROGRESS = "https://w3id.org/xapi/cmi5/result/extensions/progress"
"""The cmi5 progress extension: an integer from 0 to 100."""

_encode = msgspec.json.Encoder().encode
_ITEMS = (Interaction, Objective)

Outcome = Literal["fired", "once", "condition"]


class Statement(msgspec.Struct, frozen=True, gc=False):
    """A statement as it will be sent.

    `position` counts an attempt's statements from 1 in the order they must arrive in; `body` is the frozen JSON;
    `problem` says why it must not be sent, if it must not; `key` is what it is known by within its attempt, the rule
    first and which of its occurrences at the end, a line each.
    """

    id: str
    position: int
    rule: str
    verb: str
    body: str
    problem: str | None = None
    key: str = ""


class Judged(msgspec.Struct, frozen=True, gc=False):
    """What became of a rule at a change that it speaks of.

    `outcome`: it `fired`, or had spoken `once` already, or its `condition` did not hold. `variables` are what a
    condition was asked with.
    """

    rule: Rule
    change: Change
    outcome: Outcome
    variables: dict[str, Any] | None = None
    statement: Statement | None = None


class Made(msgspec.Struct, frozen=True, gc=False):
    """The statements of one commit and the states that remember them."""

    attempt: AttemptState
    session: SessionState
    statements: tuple[Statement, ...] = ()


def make(
    mapping: CompiledMapping,
    facts: Facts,
    attempt: AttemptState,
    session: SessionState,
    changes: Sequence[Change],
    at: int,
    judged: list[Judged] | None = None,
) -> Made:
    """Make the statements of a commit's changes, in the changes' order.

    `attempt` and `session` are the states after the commit; `at` is what the statements are dated, in milliseconds
    since the epoch. A list of what is `judged` is told of every rule and change what became of it.
    """
    due = [(change, rule) for change in changes for rule in mapping.rules.get(change.trigger, ())]
    if not due:
        return Made(attempt, session)
    outline = mapping.outline(facts)
    latest = attempt.timestamp
    fired, once_a_session = dict(attempt.fired), dict.fromkeys(session.fired)
    described = _described(due, attempt)
    made: list[Statement] = []
    for change, rule in due:
        item = change.about if isinstance(change.about, _ITEMS) else None
        name = rule.name if item is None else f"{rule.name}\n{item.id}"
        # a session's end that was taken back or told anew lets the rules about its turns speak again
        again = f"/{session.phase}" if session.phase and change.trigger in ABOUT_SESSIONS else ""
        if (rule.once == "attempt" and name in fired) or (rule.once == "session" and name + again in once_a_session):
            if judged is not None:
                judged.append(Judged(rule, change, "once"))
            continue
        variables = None
        if rule.condition is not None:
            variables = _variables(facts, attempt, session, change)
            if not rule.condition.holds(variables):
                if judged is not None:
                    judged.append(Judged(rule, change, "condition", variables))
                continue
        count = fired[name] = fired.get(name, 0) + 1
        if rule.once == "session":
            once_a_session[name + again] = None
        occurrence = (
            str(count) if rule.once == "change" else facts.session_id + again if rule.once == "session" else "attempt"
        )
        key = f"{name}\n{occurrence}"
        statement_id = outline.statement_id(key)
        result = _result(rule.result, _subject(attempt, session, change), outline)
        holes = outline.holes if item is None else _item_holes(item, outline)
        if rule.objectives is not None and isinstance(item, Interaction) and item.objectives:
            holes[OBJECTIVES] = _objectives(outline, rule.objectives.activity, item.objectives, described)
        form, judged_as = outline.form(
            rule, described=item is None or bool(item.description), with_objectives=OBJECTIVES in holes
        )
        # no statement is dated before the one it follows, nor after the commit
        latest = max(latest, min(change.at or at, at))
        body = form.statement(holes, statement_id, result, rfc3339(latest))
        problem = mapping.gate.problem(body, result, judged_as, item=item is not None)
        position = attempt.statements + len(made) + 1
        verb = mapping.document.verbs[rule.verb].id
        made.append(Statement(statement_id, position, rule.name, verb, body.decode(), problem, key))
        if judged is not None:
            judged.append(Judged(rule, change, "fired", variables, made[-1]))
    if not made:
        return Made(attempt, session)
    return Made(
        replace(attempt, fired=fired, statements=attempt.statements + len(made), timestamp=latest),
        session if len(once_a_session) == len(session.fired) else replace(session, fired=tuple(once_a_session)),
        tuple(made),
    )


class _Subject(msgspec.Struct, frozen=True, gc=False):
    """What a result is about: the attempt, an interaction, an objective or a comment."""

    completion: bool | None = None
    success: bool | None = None
    score: Score | None = None
    duration: int | None = None
    progress: Number | None = None
    response: str | None = None
    cmi: dict[str, str] = {}


def _subject(attempt: AttemptState, session: SessionState, change: Change) -> _Subject:
    about = change.about
    if about is None:
        known = attempt.snapshot
        return _Subject(
            completion=_COMPLETION.get(known.completion_status or ""),
            success=_SUCCESS.get(known.success_status or ""),
            score=_score(attempt, change),
            duration=change.duration if change.trigger in ABOUT_SESSIONS else _time_spent(session),
            progress=known.progress_measure,
        )
    if isinstance(about, Interaction):
        score = None if about.raw is None else Score(raw=about.raw)
        return _Subject(
            success=about.success, score=score, duration=about.duration, response=about.response, cmi=about.cmi
        )
    if isinstance(about, Comment):
        return _Subject(response=about.text, cmi=about.cmi)
    return _Subject(
        completion=_COMPLETION.get(about.completion_status or ""),
        success=_SUCCESS.get(about.success_status or ""),
        score=about.score,
        progress=about.progress_measure,
    )


def _time_spent(session: SessionState) -> int | None:
    return session.spent if session.time_known else None


_COMPLETION = {"completed": True, "incomplete": False}
_SUCCESS = {"passed": True, "failed": False}


def _result(parts: Sequence[ResultPart], subject: _Subject, outline: Outline) -> bytes:
    """Give `result` as JSON, of the parts that are known; empty when none is."""
    result: dict[str, Any] = {}
    extensions: dict[str, Any] = {}
    for part in parts:
        if part == "progress_as_score":
            if subject.progress is not None:
                result["score"] = {"scaled": subject.progress}
        elif part == "score_0_to_1":
            told = _from_zero(subject.score)
            if told is not None:
                result["score"] = told
        elif part == "progress":
            if subject.progress is not None:
                extensions[PROGRESS] = int(subject.progress * 100 + 1e-9)
        elif part == "cmi":
            if subject.cmi:
                extensions[outline.cmi_extension] = subject.cmi
        else:
            value = getattr(subject, part)
            if value is not None:
                result[part] = duration(value) if part == "duration" else value
    if extensions:
        result["extensions"] = extensions
    return _encode(result) if result else b""


def _from_zero(score: Score | None) -> Score | None:
    """Give a score without a scaled part below 0; None where nothing is left of it."""
    if score is None or score.scaled is None or score.scaled >= 0:
        return score
    return None if score.raw is None else replace(score, scaled=None)


def _item_holes(item: Interaction | Objective, outline: Outline) -> Holes:
    holes = Holes({"item.id": item.id, "item.description": item.description}, outline.holes)
    if isinstance(item, Interaction):
        members: dict[str, Any] = {"interactionType": item.type}
        if item.patterns:
            members["correctResponsesPattern"] = item.patterns
        holes[DEFINITION] = _encode(members)[1:-1]
    return holes


def _score(attempt: AttemptState, change: Change) -> Score | None:
    """Give the attempt's score at a change: one that was held back is told as it was, whatever has followed it."""
    return change.after if change.trigger == "score.changed" and change.after is not None else attempt.score


def _described(due: Sequence[tuple[Change, Rule]], attempt: AttemptState) -> Mapping[str, str]:
    """Return the descriptions of the objectives that interactions may name, by id; empty where none can."""
    names = any(rule.objectives is not None and isinstance(change.about, Interaction) for change, rule in due)
    return descriptions(attempt.snapshot.objectives) if names else {}


def _objectives(outline: Outline, activity: str, named: Sequence[str], described: Mapping[str, str]) -> bytes:
    """Give the objectives that an interaction names as activities in JSON, each once."""
    told: dict[bytes, None] = {}
    for own in named:
        description = described.get(own, "")
        holes = _item_holes(Objective(own, description), outline)
        parts = outline.activity(activity, described=bool(description))
        told[b"".join([part if isinstance(part, bytes) else holes[part] for part in parts])] = None
    return b",".join(told)


def _variables(facts: Facts, attempt: AttemptState, session: SessionState, change: Change) -> dict[str, Any]:
    """Give what a condition can ask for; what is not known is left out, or null where it has no parts."""
    known, about, score = attempt.snapshot, change.about, _score(attempt, change)
    item: dict[str, Any] = {}
    if isinstance(about, Interaction):
        item = {"id": about.id, "type": about.type, "success": about.success, "response": about.response}
    elif isinstance(about, Objective):
        item = {"id": about.id, "success": _SUCCESS.get(about.success_status or "")}
    return {
        "completion": known.completion_status or "unknown",
        "success": known.success_status or "unknown",
        "score": {} if score is None else msgspec.to_builtins(score),
        "progress": known.progress_measure,
        "attempt": {"number": facts.attempt_number, "total_time": attempt.total_time / CENTISECONDS},
        "session": {"time": session.spent / CENTISECONDS},
        "enrollment": {"completed": facts.enrollment_completed, "passed": facts.enrollment_passed},
        "learner": {"id": facts.learner_id},
        "activity": {"id": facts.activity_id},
        "course": {"id": facts.course_id or facts.activity_id},
        "item": item,
        "change": {"before": msgspec.to_builtins(change.before), "after": msgspec.to_builtins(change.after)},
    }
