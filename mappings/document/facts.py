"""Who and what an attempt is about, and what that fills into its statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mappings.document.templates import OPTIONAL, VERBATIM, Template, places
from mappings.iris import is_own_iri, percent_encode

Holes = Mapping[str, bytes]
"""Hole name -> its text as JSON without the quotes. A variable `x` that becomes part of an IRI is the hole `x%`."""

_encode = msgspec.json.Encoder().encode


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


class DocumentPlace(msgspec.Struct, frozen=True):
    """Where at an LRS a document is. `parameters` are the request's, as JSON; `id` is the same for the same place."""

    id: str
    resource: str
    parameters: str


def fill(facts: Facts, activity_iri: Template, course_iri: Template) -> tuple[Holes, frozenset[str]]:
    """Give what facts fill into statements, and the optional variables that are empty."""
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
    values["attempt.query"] = _attempt_query(values["activity.iri"], facts.attempt_id)
    holes = {name: _encode(value)[1:-1] for name, value in values.items()}
    for name, value in values.items():
        if name not in VERBATIM:
            holes[name + "%"] = percent_encode(value).encode()
    return holes, frozenset(name for name in OPTIONAL if not values.get(name, name))


def of_attempt(holes: Holes, attempt_id: str, number: int) -> Holes:
    """Give the holes with another attempt of the same enrollment in them."""
    query = _attempt_query(holes["activity.iri"].decode(), attempt_id)
    told = {"attempt.id": attempt_id, "attempt.number": str(number), "attempt.query": query}
    # these need no escaping and no encoding
    return {**holes, **{name: text.encode() for own, text in told.items() for name in (own, own + "%")}}


def _attempt_query(activity_iri: str, attempt_id: str) -> str:
    return ("&" if "?" in activity_iri else "?") + "attemptId=" + attempt_id


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
