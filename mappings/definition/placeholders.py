"""Texts with places to fill in: `{lms.base}/activities/{activity.id}`."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

ATTRIBUTES = "learner.attributes."
"""What the variables of a learner's attributes begin with; the attribute's name follows."""
ATTRIBUTE_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)

VARIABLES: dict[str, str] = {
    "lms.home_page": "the LMS's home page as registered",
    "lms.base": "the same without a slash at its end",
    "lms.name": "the LMS's name",
    "learner.id": "the learner's id at the LMS",
    "learner.name": "the learner's name, if the LMS sent it",
    "learner.language": "the language tag that the learner prefers, if the content or the LMS set one",
    "learner.attributes.NAME": "the learner's attribute of that name, as learner.attributes.department, if given",
    "activity.id": "the activity's id at the LMS",
    "activity.iri": "that id if it is an IRI, otherwise the IRI defined by [iris]",
    "activity.name": "the activity's name, if the LMS sent it",
    "activity.description": "the activity's description, if the LMS sent one",
    "activity.type": "the activity's type IRI, if the LMS sent it",
    "course.id": "the course's id at the LMS; the activity's if the LMS sent no course",
    "course.iri": "that id if it is an IRI, otherwise the IRI defined by [iris]",
    "course.base": "the course's IRI without a slash at its end",
    "course.name": "the course's name, if the LMS sent it",
    "course.description": "the course's description, if the LMS sent one",
    "course.registration": "the UUID of the learner's enrollment in the course, the same for all its activities",
    "registration": "the enrollment's UUID",
    "attempt.id": "the attempt's UUID",
    "attempt.number": "the attempt's number within the enrollment",
    "attempt.query": "?attemptId=<UUID> (&attemptId=… if the activity's IRI already has a query)",
    "session.id": "the session's UUID",
    "session.mode": "the session's mode: normal, review or browse",
    "session.credit": "the session's credit: credit or no-credit",
    "session.part": "-2, -3 and so on if a session is reopened after its end was stated; empty before",
    "location": "the learner's position in the content (cmi.location), if known",
    "mastery_score": "the score from which the activity counts as passed, 0 to 1, if known",
    "item.id": "the id of the interaction or objective that the change is about",
    "item.description": "its description, if the content set one (SCORM 2004)",
}
"""All places a document can use."""

OPTIONAL = frozenset(
    {
        "learner.name",
        "learner.language",
        "activity.name",
        "activity.description",
        "activity.type",
        "course.name",
        "course.description",
        "location",
        "mastery_score",
        "item.description",
    }
)
"""Places that may be empty, as attributes may. A property whose text needs an empty one is left out of statements."""

OF_ITEMS = frozenset({"item.id", "item.description"})
"""Places that only activities of rules about an interaction or objective can have."""

OF_COMMITS = frozenset(
    {"learner.language", "session.mode", "session.credit", "session.part", "location", "mastery_score"}
)
"""Places whose text can change with every commit: they cannot stand in what must stay the same."""

VERBATIM = frozenset(
    {"lms.home_page", "lms.base", "activity.iri", "course.iri", "course.base", "activity.type", "attempt.query"}
)
"""Places that hold IRIs or parts of them; everything else is percent-encoded where it becomes part of an IRI."""

Kind = Literal["number", "boolean"]
KINDS: dict[Kind, str] = {
    "number": "a number, if the text is one",
    "boolean": "true or false, if the text is one of these words",
}
"""What a place with `:number` or `:boolean` behind its name becomes in an extension; else the value is left out."""

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?")
_PLACE = re.compile(r"\{([^{}|]*)(?:\|([^{}]*))?\}")


class Placeholder(msgspec.Struct, frozen=True):
    """One place in a template; `fallback` fills it where the variable is empty, `kind` makes no text of it."""

    variable: str
    fallback: str | None = None
    kind: Kind | None = None

    @property
    def slot(self) -> str:
        """Return the name of what fills it."""
        return self.variable if self.kind is None else f"{self.variable}:{self.kind}"


Template = tuple[str | Placeholder, ...]


def parse(text: str) -> Template:
    """Split a text into literal parts and places.

    Raises:
        ValueError: a place names no variable, a brace stands alone, or a number has text around it.
    """
    parts: list[str | Placeholder] = []
    end = 0
    for match in _PLACE.finditer(text):
        parts.append(_literal(text[end : match.start()]))
        parts.append(_place(match.group(1).strip(), match.group(2)))
        end = match.end()
    parts.append(_literal(text[end:]))
    template = tuple(part for part in parts if part != "")
    if len(template) > 1 and any(isinstance(part, Placeholder) and part.kind is not None for part in template):
        raise ValueError("a place with :number or :boolean must stand alone, without text around it")
    return template


def _place(name: str, fallback: str | None) -> Placeholder:
    variable, colon, kind = name.partition(":")
    attribute = variable.startswith(ATTRIBUTES) and ATTRIBUTE_NAME.fullmatch(variable.removeprefix(ATTRIBUTES))
    if variable not in VARIABLES and not attribute:
        raise ValueError(f"{{{variable}}} is not known; known are " + ", ".join(VARIABLES))
    if not colon:
        return Placeholder(variable, fallback)
    if kind not in KINDS:
        raise ValueError(f"{{{name}}}: {kind!r} is not known; known are " + ", ".join(KINDS))
    if fallback is not None:
        raise ValueError(f"{{{name}}} cannot have a fallback; it is left out where it is not known")
    return Placeholder(variable, None, kind)


def _literal(text: str) -> str:
    if "{" in text or "}" in text:
        raise ValueError("a brace stands alone; write {variable} or leave braces out")
    return text


def placeholders(template: Template) -> frozenset[str]:
    """Return the variables that the template has places for."""
    return frozenset(part.variable for part in template if isinstance(part, Placeholder))


def is_optional(variable: str) -> bool:
    """Return whether a variable may be empty."""
    return variable in OPTIONAL or variable.startswith(ATTRIBUTES)


def needs(template: Template) -> frozenset[str]:
    """Return what must be there for the template to be filled: optional variables, and whatever becomes a number."""
    return frozenset(
        part.slot if not is_optional(part.variable) else part.variable
        for part in template
        if isinstance(part, Placeholder)
        and part.fallback is None
        and (part.kind is not None or is_optional(part.variable))
    )


def is_missing(template: Template, absent: frozenset[str]) -> bool:
    """Return whether a template cannot be filled where these variables are empty, or their texts no numbers."""
    return any(
        isinstance(part, Placeholder) and part.fallback is None and (part.variable in absent or part.slot in absent)
        for part in template
    )


def as_kind(text: str, kind: str) -> str | None:
    """Return the JSON number or boolean that a text is, None where it is none."""
    if kind == "number":
        return text if _NUMBER.fullmatch(text) else None
    word = text.strip().lower()
    return word if word in {"true", "false"} else None
