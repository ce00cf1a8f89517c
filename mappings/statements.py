"""From a commit's changes to the statements that tell them, as the bytes that every LRS will get.

The same changes of the same attempt give the same bytes, ids included: a statement that is made twice is one statement.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from mappings.attempt.changes import Change
from mappings.attempt.state import AttemptState, SessionState
from mappings.cmi.times import duration
from mappings.document.model import ResultPart, Rule
from mappings.document.skeletons import CompiledMapping
from mappings.document.templates import OPTIONAL, VERBATIM, places
from mappings.iris import is_own_iri, percent_encode
from mappings.timestamps import rfc3339

PROGRESS = "https://w3id.org/xapi/cmi5/result/extensions/progress"
"""The cmi5 progress extension: an integer from 0 to 100."""

_encode = msgspec.json.Encoder().encode


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Who and what an attempt is about. Names that the LMS did not tell are empty.

    `lms` is what the LMS is known by in statement ids, which must never change; ids are the LMS's own.
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


class Statement(msgspec.Struct, frozen=True):
    """A statement as it will be sent.

    `position` counts an attempt's statements from 1 in the order they must arrive in; `body` is the frozen JSON.
    """

    id: str
    position: int
    rule: str
    verb: str
    body: str


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
    due = [rule for change in changes for rule in mapping.rules.get(change.trigger, ()) if _may(rule, attempt, session)]
    if not due:
        return Made(attempt, session)
    document = mapping.document
    holes, absent = _holes(mapping, facts)
    timestamp = rfc3339(at)
    namespace = uuid.UUID(facts.attempt_id)
    fired = dict(attempt.fired)
    made: list[Statement] = []
    for position, rule in enumerate(due, attempt.statements + 1):
        fired[rule.name] = count = fired.get(rule.name, 0) + 1
        occurrence = {"attempt": "attempt", "session": facts.session_id, "change": str(count)}[rule.once]
        statement_id = str(uuid.uuid5(namespace, f"{facts.lms}\n{rule.name}\n{occurrence}"))
        result = _result(rule.result, attempt, session)
        body = mapping.skeleton(rule, absent).fill(holes, statement_id, result, timestamp)
        made.append(Statement(statement_id, position, rule.name, document.verbs[rule.verb].id, body.decode()))
    once_a_session = tuple(rule.name for rule in due if rule.once == "session")
    return Made(
        replace(attempt, fired=fired, statements=attempt.statements + len(made), timestamp=at),
        replace(session, fired=session.fired + once_a_session) if once_a_session else session,
        tuple(made),
    )


def _may(rule: Rule, attempt: AttemptState, session: SessionState) -> bool:
    if rule.once == "attempt":
        return rule.name not in attempt.fired
    return rule.once == "change" or rule.name not in session.fired


def _holes(mapping: CompiledMapping, facts: Facts) -> tuple[dict[str, bytes], frozenset[str]]:
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
    document = mapping.document
    own = [("course.iri", course_id, document.course_iri), ("activity.iri", facts.activity_id, document.activity_iri)]
    if "activity.iri" in places(document.course_iri):
        own.reverse()
    for name, own_id, template in own:
        values[name] = _iri(own_id, template, values)
    values["attempt.query"] = ("&" if "?" in values["activity.iri"] else "?") + "attemptId=" + facts.attempt_id
    holes = {name: _encode(value)[1:-1] for name, value in values.items()}
    for name, value in values.items():
        if name not in VERBATIM:
            holes[name + "%"] = percent_encode(value).encode()
    return holes, frozenset(name for name in OPTIONAL if not values[name])


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


def _result(parts: Sequence[ResultPart], attempt: AttemptState, session: SessionState) -> bytes:
    """Give `result` as JSON, of the parts that are known; empty when none is."""
    result: dict[str, Any] = {}
    known = attempt.snapshot
    for part in parts:
        if part == "score":
            if attempt.score is not None:
                result["score"] = attempt.score
        elif part == "success":
            if known.success_status in {"passed", "failed"}:
                result["success"] = known.success_status == "passed"
        elif part == "completion":
            if known.completion_status in {"completed", "incomplete"}:
                result["completion"] = known.completion_status == "completed"
        elif part == "duration":
            result["duration"] = duration(session.spent)
        elif known.progress_measure is not None:
            if part == "progress_as_score":
                result["score"] = {"scaled": known.progress_measure}
            else:
                result["extensions"] = {PROGRESS: int(known.progress_measure * 100 + 1e-9)}
    return _encode(result) if result else b""
