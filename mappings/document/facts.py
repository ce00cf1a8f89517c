"""Who and what an attempt is about, and what that fills into its statements."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from functools import lru_cache

import msgspec
from msgspec.structs import replace

from mappings.document.templates import VERBATIM, Template, places
from mappings.iris import own_iri, percent_encode, sendable_iri

Values = Mapping[str, str]
"""Variable -> its text."""

OF_ACTIVITY = frozenset(
    {
        "lms.home_page",
        "lms.base",
        "lms.name",
        "activity.id",
        "activity.name",
        "activity.type",
        "activity.iri",
        "course.id",
        "course.name",
        "course.iri",
    }
)
"""Variables that are the same for all who learn with an activity, unless a document makes IRIs of what is not."""

_encode = msgspec.json.Encoder().encode


class Holes(dict[str, bytes]):
    """What fills holes, by their names: text as JSON without the quotes, made when it is first asked for.

    A variable `x` that becomes part of an IRI is the hole `x%`. What `values` do not tell is asked of `beyond`.

    Raises:
        KeyError: neither tells what a hole asks for.
    """

    def __init__(self, values: Values, beyond: Holes | None = None) -> None:
        super().__init__(beyond or ())  # what is made already need not be asked for
        self._values = values
        self._beyond = beyond

    def __missing__(self, hole: str) -> bytes:
        value = self._values.get(hole.removesuffix("%"))
        if value is None:
            if self._beyond is None:
                raise KeyError(hole)
            return self._beyond[hole]
        made = self[hole] = _encode(percent_encode(value) if hole[-1] == "%" else value)[1:-1]
        return made

    def tell(self, hole: str) -> bool:
        """Tell whether these values, not those beyond them, fill a hole."""
        return hole.removesuffix("%") in self._values


class Facts(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Who and what an attempt is about. Names that the LMS did not tell are empty.

    `lms` is what the LMS is known by in statement ids, which must never change; ids are the LMS's own.
    `course_registration` is made of LMS, learner and course where it is empty. The last two tell whether any attempt of
    the enrollment was completed and passed before.
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
    course_registration: str = ""
    registration: str
    attempt_id: str
    attempt_number: int
    session_id: str
    enrollment_completed: bool = False
    enrollment_passed: bool = False


class DocumentPlace(msgspec.Struct, frozen=True, gc=False):
    """Where at an LRS a document is. `parameters` are the request's, as JSON; `id` is the same for the same place."""

    id: str
    resource: str
    parameters: str


def of_activity(facts: Facts, activity_iri: Template, course_iri: Template) -> dict[str, str]:
    """Give the values of `OF_ACTIVITY`."""
    course_id, course_name = facts.course_id, facts.course_name
    if not course_id:
        course_id, course_name = facts.activity_id, facts.activity_name
    values = {
        "lms.home_page": sendable_iri(facts.home_page),
        "lms.base": sendable_iri(facts.home_page).rstrip("/"),
        "lms.name": facts.lms_name,
        "activity.id": facts.activity_id,
        "activity.name": facts.activity_name,
        "activity.type": sendable_iri(facts.activity_type) if facts.activity_type else "",
        "course.id": course_id,
        "course.name": course_name,
    }
    own = [("course.iri", course_id, course_iri), ("activity.iri", facts.activity_id, activity_iri)]
    if "activity.iri" in places(course_iri):
        own.reverse()
    for name, own_id, template in own:
        values[name] = own_iri(own_id) or _make_iri(template, values | _of_learner(facts))
    return values


def of_session(facts: Facts, shared: Values) -> dict[str, str]:
    """Give the values of all variables but an item's; `shared` are those of `OF_ACTIVITY`."""
    values = _of_learner(facts)
    values["attempt.query"] = _attempt_query(shared["activity.iri"], facts.attempt_id)
    values.update(shared)
    return values


def of_attempt(values: Values, attempt_id: str, number: int) -> dict[str, str]:
    """Give the values with another attempt of the same enrollment in them."""
    query = _attempt_query(values["activity.iri"], attempt_id)
    return {**values, "attempt.id": attempt_id, "attempt.number": str(number), "attempt.query": query}


_COURSES = uuid.UUID("0e9c7d1c-6c3f-5a0e-8f3a-0d1c8a6f4b27")
"""The namespace of registrations in courses: any that never changes."""


def course_registration(facts: Facts) -> str:
    """Make the UUID (version 5) of a learner's enrollment in a course of an LMS."""
    return registration_in(facts.lms, facts.learner_id, facts.course_id or facts.activity_id)


@lru_cache(maxsize=4_096)
def registration_in(lms: str, learner_id: str, course_id: str) -> str:
    """Make the UUID (version 5) of a learner's enrollment in a course, from ids that have no line breaks."""
    return str(uuid.uuid5(_COURSES, f"{lms}\n{learner_id}\n{course_id}"))


def with_registration(facts: Facts, session_id: str, registration: str | None) -> Facts:
    """Return the facts of a session, with the registration that the LMS gave for it, if it gave one."""
    if registration is None:
        return replace(facts, session_id=session_id)
    return replace(facts, session_id=session_id, registration=registration, course_registration=registration)


def _of_learner(facts: Facts) -> dict[str, str]:
    return {
        "learner.id": facts.learner_id,
        "learner.name": facts.learner_name,
        "registration": facts.registration,
        "attempt.id": facts.attempt_id,
        "attempt.number": str(facts.attempt_number),
        "session.id": facts.session_id,
    }


def _attempt_query(activity_iri: str, attempt_id: str) -> str:
    return ("&" if "?" in activity_iri else "?") + "attemptId=" + attempt_id


def _make_iri(template: Template, values: Values) -> str:
    parts = []
    for part in template:
        if isinstance(part, str):
            parts.append(part)
        else:
            value = values.get(part.variable) or part.fallback or ""
            parts.append(value if part.variable in VERBATIM else percent_encode(value))
    return "".join(parts)


def fill_text(template: Template, values: Values) -> str:
    """Fill a template that makes a text."""
    return "".join(part if isinstance(part, str) else values[part.variable] or part.fallback or "" for part in template)


def fill_iri(template: Template, values: Values) -> str:
    """Fill a template that makes an IRI."""
    filled = []
    for part in template:
        if isinstance(part, str):
            filled.append(part)
        else:
            value = values[part.variable]
            filled.append((value if part.variable in VERBATIM else percent_encode(value)) or part.fallback or "")
    return "".join(filled)
