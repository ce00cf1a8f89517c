"""Who and what an attempt is about, and what that fills into its statements."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from functools import lru_cache

import msgspec
from msgspec.structs import replace

from mappings.definition.placeholders import ATTRIBUTES, VERBATIM, Template, as_kind, placeholders
from mappings.xapi.iris import own_iri, percent_encode, sendable_iri

Values = Mapping[str, str]
"""Variable -> its text."""

OF_ACTIVITY = frozenset(
    {
        "lms.home_page",
        "lms.base",
        "lms.name",
        "activity.id",
        "activity.name",
        "activity.description",
        "activity.type",
        "activity.iri",
        "course.id",
        "course.name",
        "course.description",
        "course.iri",
        "course.base",
    }
)
"""Variables that are the same for all who learn with an activity, unless a document makes IRIs of what is not."""

_encode = msgspec.json.Encoder().encode


class Slots(dict[str, bytes]):
    """What fills slots, by their names: text as JSON without the quotes, made when it is first asked for.

    A variable `x` that becomes part of an IRI is the slot `x%`, one that becomes a number `x:number`. What `values` do
    not tell is asked of `beyond`.

    Raises:
        KeyError: neither tells what a slot asks for.
    """

    def __init__(self, values: Values, beyond: Slots | None = None) -> None:
        super().__init__(beyond or ())  # what is made already need not be asked for
        self._values = values
        self._beyond = beyond

    def __missing__(self, slot: str) -> bytes:
        value = self._values.get(slot)
        if value is not None:
            filled = self[slot] = _encode(value)[1:-1]
            return filled
        variable, _, kind = slot.removesuffix("%").partition(":")
        value = self._values.get(variable)
        if value is None:
            if self._beyond is None:
                raise KeyError(slot)
            return self._beyond[slot]
        filled = self[slot] = (
            (as_kind(value, kind) or "null").encode() if kind else _encode(percent_encode(value))[1:-1]
        )
        return filled

    def tell(self, slot: str) -> bool:
        """Return whether these values, not those beyond them, fill a slot."""
        return slot.removesuffix("%").partition(":")[0] in self._values


class StatementContext(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Who and what an attempt is about. Names that the LMS did not tell are empty.

    `lms` is what the LMS is known by in statement ids, which must never change; ids are the LMS's own.
    `learner_attributes` is a JSON object of texts; `learner_mbox` is `mailto:` with the e-mail address, or the SHA-1 of
    that in hexadecimal. `course_registration` is made of LMS, learner and course where it is empty. The last two tell
    whether any attempt of the enrollment was completed and passed before.
    """

    lms: str
    lms_name: str
    home_page: str
    learner_id: str
    learner_name: str = ""
    learner_attributes: str = ""
    learner_mbox: str = ""
    activity_id: str
    activity_name: str = ""
    activity_description: str = ""
    activity_type: str = ""
    course_id: str = ""
    course_name: str = ""
    course_description: str = ""
    course_registration: str = ""
    registration: str
    attempt_id: str
    attempt_number: int
    session_id: str
    enrollment_completed: bool = False
    enrollment_passed: bool = False


class DocumentAddress(msgspec.Struct, frozen=True, gc=False):
    """Where at an LRS a document is. `parameters` are the request's, as JSON; `id` is the same for the same place."""

    id: str
    resource: str
    parameters: str


def of_activity(
    context: StatementContext,
    activity_iri: Template,
    course_iri: Template,
    activity_in_course_iri: Template | None = None,
) -> dict[str, str]:
    """Return the values of `OF_ACTIVITY`."""
    course_id, course_name, course_description = context.course_id, context.course_name, context.course_description
    if not course_id:
        course_id, course_name, course_description = (
            context.activity_id,
            context.activity_name,
            context.activity_description,
        )
    elif activity_in_course_iri is not None:
        activity_iri = activity_in_course_iri
    values = {
        "lms.home_page": sendable_iri(context.home_page),
        "lms.base": sendable_iri(context.home_page).rstrip("/"),
        "lms.name": context.lms_name,
        "activity.id": context.activity_id,
        "activity.name": context.activity_name,
        "activity.description": context.activity_description,
        "activity.type": sendable_iri(context.activity_type) if context.activity_type else "",
        "course.id": course_id,
        "course.name": course_name,
        "course.description": course_description,
    }
    variables = [("course.iri", course_id, course_iri), ("activity.iri", context.activity_id, activity_iri)]
    if "activity.iri" in placeholders(course_iri):
        variables.reverse()
    for name, own_id, template in variables:
        values[name] = own_iri(own_id) or _make_iri(template, values | _of_learner(context))
        if name == "course.iri":
            values["course.base"] = values[name].rstrip("/")
    return values


def of_session(context: StatementContext, shared: Values) -> dict[str, str]:
    """Return the values of all variables but an item's; `shared` are those of `OF_ACTIVITY`."""
    values = _of_learner(context)
    values["attempt.query"] = _attempt_query(shared["activity.iri"], context.attempt_id)
    values.update(shared)
    return values


def of_attempt(values: Values, attempt_id: str, number: int) -> dict[str, str]:
    """Return the values with another attempt of the same enrollment in them."""
    query = _attempt_query(values["activity.iri"], attempt_id)
    return {**values, "attempt.id": attempt_id, "attempt.number": str(number), "attempt.query": query}


_decode_attributes = msgspec.json.Decoder(dict[str, str]).decode


def attributes(context: StatementContext) -> dict[str, str]:
    """Return what the LMS says of the learner, by name."""
    return _decode_attributes(context.learner_attributes) if context.learner_attributes else {}


_COURSES = uuid.UUID("0e9c7d1c-6c3f-5a0e-8f3a-0d1c8a6f4b27")
"""The namespace of registrations in courses: any that never changes."""


def course_registration(context: StatementContext) -> str:
    """Build the UUID (version 5) of a learner's enrollment in a course of an LMS."""
    return registration_in(context.lms, context.learner_id, context.course_id or context.activity_id)


@lru_cache(maxsize=4_096)
def registration_in(lms: str, learner_id: str, course_id: str) -> str:
    """Build the UUID (version 5) of a learner's enrollment in a course, from ids that have no line breaks."""
    return str(uuid.uuid5(_COURSES, f"{lms}\n{learner_id}\n{course_id}"))


def context_for_session(context: StatementContext, session_id: str, registration: str | None) -> StatementContext:
    """Return the facts of a session, with the registration that the LMS gave for it, if it gave one."""
    if registration is None:
        return replace(context, session_id=session_id)
    return replace(context, session_id=session_id, registration=registration, course_registration=registration)


def mbox(context: StatementContext) -> str:
    """Return the learner's e-mail address as `mailto:` IRI, empty where it is not known."""
    return context.learner_mbox if context.learner_mbox.startswith("mailto:") else ""


def mbox_sha1sum(context: StatementContext) -> str:
    """Return the SHA-1 of that IRI in hexadecimal, as xAPI's `mbox_sha1sum`; empty where it is not known."""
    address = mbox(context)
    return hashlib.sha1(address.encode(), usedforsecurity=False).hexdigest() if address else context.learner_mbox


def _of_learner(context: StatementContext) -> dict[str, str]:
    return {
        **{ATTRIBUTES + name: value for name, value in attributes(context).items()},
        "learner.id": context.learner_id,
        "learner.name": context.learner_name,
        "course.registration": context.course_registration or course_registration(context),
        "registration": context.registration,
        "attempt.id": context.attempt_id,
        "attempt.number": str(context.attempt_number),
        "session.id": context.session_id,
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
    return "".join(
        part if isinstance(part, str) else values.get(part.variable) or part.fallback or "" for part in template
    )


def fill_iri(template: Template, values: Values) -> str:
    """Fill a template that makes an IRI."""
    filled = []
    for part in template:
        if isinstance(part, str):
            filled.append(part)
        else:
            value = values.get(part.variable, "")
            filled.append((value if part.variable in VERBATIM else percent_encode(value)) or part.fallback or "")
    return "".join(filled)
