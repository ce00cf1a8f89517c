"""Texts with places to fill in: `{lms.base}/activities/{activity.id}`."""

from __future__ import annotations

import re

import msgspec

VARIABLES: dict[str, str] = {
    "lms.home_page": "the LMS's home page as registered",
    "lms.base": "the same without a slash at its end",
    "lms.name": "the LMS's name",
    "learner.id": "the learner's id at the LMS",
    "learner.name": "the learner's name, if the LMS told it",
    "activity.id": "the activity's id at the LMS",
    "activity.iri": "that id if it is an IRI, else what [iris] makes of it",
    "activity.name": "the activity's name, if the LMS told it",
    "activity.type": "the activity's type IRI, if the LMS told it",
    "course.id": "the course's id at the LMS; the activity's where the LMS told no course",
    "course.iri": "that id if it is an IRI, else what [iris] makes of it",
    "course.name": "the course's name, if the LMS told it",
    "registration": "the enrollment's UUID",
    "attempt.id": "the attempt's UUID",
    "attempt.number": "the attempt's number within the enrollment",
    "attempt.query": "?attemptId=<UUID> (&attemptId=… where the activity's IRI has a query already)",
    "session.id": "the session's UUID",
    "item.id": "the id of the interaction or objective that a rule speaks of",
    "item.description": "its description, if the content gave one (SCORM 2004)",
}
"""All places a document can use."""

OPTIONAL = frozenset({"learner.name", "activity.name", "activity.type", "course.name", "item.description"})
"""Places an LMS may leave empty. A property whose text needs an empty one is left out of the statement."""

OF_ITEMS = frozenset({"item.id", "item.description"})
"""Places that only activities of rules about an interaction or objective can have."""

VERBATIM = frozenset({"lms.home_page", "lms.base", "activity.iri", "course.iri", "activity.type", "attempt.query"})
"""Places that hold IRIs or parts of them; everything else is percent-encoded where it becomes part of an IRI."""

_PLACE = re.compile(r"\{([^{}|]*)(?:\|([^{}]*))?\}")


class Place(msgspec.Struct, frozen=True):
    """One place in a template; `fallback` fills it where the variable is empty."""

    variable: str
    fallback: str | None = None


Template = tuple[str | Place, ...]


def parse(text: str) -> Template:
    """Split a text into literal parts and places.

    Raises:
        ValueError: a place names no variable, or a brace stands alone.
    """
    parts: list[str | Place] = []
    end = 0
    for match in _PLACE.finditer(text):
        parts.append(_literal(text[end : match.start()]))
        name, fallback = match.group(1).strip(), match.group(2)
        if name not in VARIABLES:
            raise ValueError(f"{{{name}}} is not known; known are " + ", ".join(VARIABLES))
        parts.append(Place(name, fallback))
        end = match.end()
    parts.append(_literal(text[end:]))
    return tuple(part for part in parts if part != "")


def _literal(text: str) -> str:
    if "{" in text or "}" in text:
        raise ValueError("a brace stands alone; write {variable} or leave braces out")
    return text


def places(template: Template) -> frozenset[str]:
    """Give the variables that the template has places for."""
    return frozenset(part.variable for part in template if isinstance(part, Place))


def needs(template: Template) -> frozenset[str]:
    """Give the optional variables without which the template cannot be filled."""
    return frozenset(
        part.variable
        for part in template
        if isinstance(part, Place) and part.fallback is None and part.variable in OPTIONAL
    )
