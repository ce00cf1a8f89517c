"""From a commit's changes to the statements that tell them, as the bytes that every LRS will get.

The same changes of the same attempt give the same bytes, ids included: a statement that is made twice is one statement.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec
from msgspec.structs import replace

from mappings.attempt.changes import Change
from mappings.attempt.state import AttemptState, SessionState
from mappings.cmi.comments import Comment
from mappings.cmi.interactions import Interaction
from mappings.cmi.objectives import Objective, descriptions
from mappings.cmi.scores import Score
from mappings.cmi.snapshot import Number
from mappings.cmi.times import CENTISECONDS, duration
from mappings.document.model import Document, ResultPart
from mappings.document.skeletons import DEFINITION, OBJECTIVES, CompiledMapping, Holes
from mappings.document.templates import OPTIONAL, VERBATIM, Template, places
from mappings.iris import is_own_iri, percent_encode
from mappings.timestamps import rfc3339

PROGRESS = "https://w3id.org/xapi/cmi5/result/extensions/progress"
"""The cmi5 progress extension: an integer from 0 to 100."""

_encode = msgspec.json.Encoder().encode
_ITEMS = (Interaction, Objective)
_ATTEMPTS_REMEMBERED = 1_000  # what their facts fill into statements is kept


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Who and what an attempt is about. Names that the LMS did not tell are empty.

    `lms` is what the LMS is known by in statement ids, which must never change; ids are the LMS's own. The last two
    tell whether any attempt of the enrollment was completed and passed before.
    """

    lms: str
    lms_name: str
    home_page: str
    learner_id: str
    learner_name: str = ""
    activity_id: str
    activity_name: str = ""
    activity_type: str = ""
    course_id: str = ""
    course_name: str = ""
    registration: str
    attempt_id: str
    attempt_number: int
    session_id: str
    enrollment_completed: bool = False
    enrollment_passed: bool = False


class Statement(msgspec.Struct, frozen=True):
    """A statement as it will be sent.

    `position` counts an attempt's statements from 1 in the order they must arrive in; `body` is the frozen JSON;
    `problem` says why it must not be sent, if it must not.
    """

    id: str
    position: int
    rule: str
    verb: str
    body: str
    problem: str | None = None


class Made(msgspec.Struct, frozen=True):
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
) -> Made:
    """Make the statements of a commit's changes, in the changes' order.

    `attempt` and `session` are the states after the commit; `at` is what the statements are dated, in milliseconds
    since the epoch.
    """
    due = [(change, rule) for change in changes for rule in mapping.rules.get(change.trigger, ())]
    if not due:
        return Made(attempt, session)
    document = mapping.document
    filled = fill_facts(facts, document.activity_iri, document.course_iri)
    timestamp = rfc3339(at)
    namespace = uuid.UUID(facts.attempt_id)
    fired, once_a_session = dict(attempt.fired), session.fired
    made: list[Statement] = []
    for change, rule in due:
        about = change.about
        name = f"{rule.name}\n{about.id}" if isinstance(about, _ITEMS) else rule.name
        if (rule.once == "attempt" and name in fired) or (rule.once == "session" and name in once_a_session):
            continue
        if rule.condition is not None and not rule.condition.holds(_variables(facts, attempt, session, change)):
            continue
        count = fired[name] = fired.get(name, 0) + 1
        if rule.once == "session":
            once_a_session += (name,)
        occurrence = {"attempt": "attempt", "session": facts.session_id, "change": str(count)}[rule.once]
        statement_id = str(uuid.uuid5(namespace, f"{facts.lms}\n{name}\n{occurrence}"))
        holes, without, item = filled.holes, filled.absent, isinstance(about, _ITEMS)
        if isinstance(about, _ITEMS):
            holes = {**holes, **_item_holes(about)}
            without = without if about.description else without | {"item.description"}
            if rule.objectives is not None and isinstance(about, Interaction):
                told = _objectives(mapping, rule.objectives.activity, about.objectives, attempt, filled)
                holes, without = (holes | {OBJECTIVES: told}, without) if told else (holes, without | {OBJECTIVES})
        result = _result(rule.result, _subject(attempt, session, change), holes, document)
        body = mapping.skeleton(rule, without).fill(holes, statement_id, result, timestamp)
        problem = mapping.gate.problem(body, result, (rule.name, without, filled.constant), item=item)
        position = attempt.statements + len(made) + 1
        made.append(Statement(statement_id, position, rule.name, document.verbs[rule.verb].id, body.decode(), problem))
    if not made:
        return Made(attempt, session)
    return Made(
        replace(attempt, fired=fired, statements=attempt.statements + len(made), timestamp=at),
        session if once_a_session == session.fired else replace(session, fired=once_a_session),
        tuple(made),
    )


class Filled(msgspec.Struct, frozen=True):
    """What an attempt's facts fill into statements.

    `absent` are the optional variables that are empty; `constant` stands for all of it where statements are compared.
    """

    holes: Holes
    absent: frozenset[str]
    constant: tuple[bytes, ...]


@lru_cache(maxsize=_ATTEMPTS_REMEMBERED)
def fill_facts(facts: Facts, activity_iri: Template, course_iri: Template) -> Filled:
    """Give what an attempt's facts fill into holes; the templates make IRIs of ids that are none."""
    course_id, course_name = facts.course_id, facts.course_name
    if not course_id:
        course_id, course_name = facts.activity_id, facts.activity_name
    values = {
        "lms.home_page": facts.home_page,
        "lms.base": facts.home_page.rstrip("/"),
        "lms.name": facts.lms_name,
        "learner.id": facts.learner_id,
        "learner.name": facts.learner_name,
        "activity.id": facts.activity_id,
        "activity.name": facts.activity_name,
        "activity.type": facts.activity_type,
        "course.id": course_id,
        "course.name": course_name,
        "registration": facts.registration,
        "attempt.id": facts.attempt_id,
        "attempt.number": str(facts.attempt_number),
        "session.id": facts.session_id,
    }
    own = [("course.iri", course_id, course_iri), ("activity.iri", facts.activity_id, activity_iri)]
    if "activity.iri" in places(course_iri):
        own.reverse()
    for name, own_id, template in own:
        values[name] = _iri(own_id, template, values)
    values["attempt.query"] = ("&" if "?" in values["activity.iri"] else "?") + "attemptId=" + facts.attempt_id
    holes = {name: _encode(value)[1:-1] for name, value in values.items()}
    for name, value in values.items():
        if name not in VERBATIM:
            holes[name + "%"] = percent_encode(value).encode()
    absent = frozenset(name for name in OPTIONAL if not values.get(name, name))
    return Filled(holes, absent, tuple(holes.values()))


def _iri(own_id: str, template: Sequence[Any], values: dict[str, str]) -> str:
    if is_own_iri(own_id):
        return own_id
    parts = []
    for part in template:
        if isinstance(part, str):
            parts.append(part)
        else:
            value = values.get(part.variable) or part.fallback or ""
            parts.append(value if part.variable in VERBATIM else percent_encode(value))
    return "".join(parts)


class _Subject(msgspec.Struct, frozen=True):
    """What a result is about: the attempt, an interaction, an objective or a comment."""

    completion: bool | None = None
    success: bool | None = None
    score: Score | None = None
    duration: int | None = None
    progress: Number | None = None
    response: str | None = None
    cmi: dict[str, str] = {}


def _subject(attempt: AttemptState, session: SessionState, change: Change) -> _Subject:
    about, known = change.about, attempt.snapshot
    if isinstance(about, Interaction):
        score = None if about.raw is None else Score(raw=about.raw)
        return _Subject(
            success=about.success, score=score, duration=about.duration, response=about.response, cmi=about.cmi
        )
    if isinstance(about, Comment):
        return _Subject(response=about.text, cmi=about.cmi)
    if isinstance(about, Objective):
        return _Subject(
            completion=_COMPLETION.get(about.completion_status or ""),
            success=_SUCCESS.get(about.success_status or ""),
            score=about.score,
            progress=about.progress_measure,
        )
    return _Subject(
        completion=_COMPLETION.get(known.completion_status or ""),
        success=_SUCCESS.get(known.success_status or ""),
        score=_score(attempt, change),
        duration=session.spent,
        progress=known.progress_measure,
    )


def _score(attempt: AttemptState, change: Change) -> Score | None:
    """Give the attempt's score at a change: one that was held back is told as it was, whatever has followed it."""
    return change.after if change.trigger == "score.changed" and change.after is not None else attempt.score


_COMPLETION = {"completed": True, "incomplete": False}
_SUCCESS = {"passed": True, "failed": False}


def _result(parts: Sequence[ResultPart], subject: _Subject, holes: Holes, document: Document) -> bytes:
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
                extensions[fill_iri(document.cmi_extension, holes)] = subject.cmi
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


def fill_iri(template: Template, holes: Holes) -> str:
    """Fill a template that makes an IRI."""
    filled = []
    for part in template:
        if isinstance(part, str):
            filled.append(part)
        else:
            hole = part.variable if part.variable in VERBATIM else f"{part.variable}%"
            filled.append(holes[hole].decode() or part.fallback or "")
    return "".join(filled)


def _item_holes(item: Interaction | Objective) -> dict[str, bytes]:
    holes = {
        "item.id": _encode(item.id)[1:-1],
        "item.id%": percent_encode(item.id).encode(),
        "item.description": _encode(item.description)[1:-1],
        "item.description%": percent_encode(item.description).encode(),
    }
    if isinstance(item, Interaction):
        members: dict[str, Any] = {"interactionType": item.type}
        if item.patterns:
            members["correctResponsesPattern"] = item.patterns
        holes[DEFINITION] = _encode(members)[1:-1]
    return holes


def _objectives(
    mapping: CompiledMapping, activity: str, named: Sequence[str], attempt: AttemptState, filled: Filled
) -> bytes:
    """Give the objectives that an interaction names as activities in JSON, each once; empty where it names none."""
    if not named:
        return b""
    described = descriptions(attempt.snapshot.objectives)
    told: dict[bytes, None] = {}
    for own in named:
        description = described.get(own, "")
        holes = {**filled.holes, **_item_holes(Objective(own, description))}
        parts = mapping.activity(activity, filled.absent if description else filled.absent | {"item.description"})
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
