"""The check of a whole statement, for each edition of the standard.

Source: xAPI Data, sections 2.3.2 and 2.4; for 2.0.0, IEEE 9274.1.1 as its public conformance tests show it.
"""

from __future__ import annotations

import enum
import re
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from mappings.xapi.validation import activities, actors, shape, syntax

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mappings.xapi.validation.shape import Check

VOIDED: Final = "http://adlnet.gov/expapi/verbs/voided"

_ONE: Final = re.compile(r"1\.0(?:\.[0-9]+)?")
_TWO: Final = re.compile(r"2\.0(?:\.[0-9]+)?")


class Edition(enum.StrEnum):
    """An edition of the standard; its value is the latest patch version, as headers give it."""

    ONE = "1.0.3"
    TWO = "2.0.0"

    @classmethod
    def of(cls, version: str) -> Edition | None:
        """Return the edition a version string belongs to, None for one this LRS does not know.

        1.0 and every 1.0.x belong to the first (xAPI Communication 3.3), 2.0 and every 2.0.x to the second.
        """
        if _ONE.fullmatch(version):
            return cls.ONE
        return cls.TWO if _TWO.fullmatch(version) else None


def check_statement(value: object, at: str, edition: Edition) -> Iterator[str]:
    """Yield every fault of a statement as ``place: what is wrong``; nothing for a valid one.

    Args:
        value: the statement, as decoded from JSON.
        at: how its own place is called, such as ``statements[3]``.
        edition: the edition whose rules hold: contextAgents and contextGroups are properties in 2.0.0 only.
    """
    properties: dict[str, Check] = {
        **_properties(edition, inner=False),
        "id": syntax.check_uuid,
        "stored": syntax.check_timestamp,
        "authority": actors.check_authority,
        "version": partial(_check_version, edition=edition),
    }
    yield from _check_whole(value, at, "a statement", properties, ("actor", "verb", "object"))


def _check_substatement(value: object, at: str, *, edition: Edition) -> Iterator[str]:
    properties = {"objectType": shape.one_of("SubStatement"), **_properties(edition, inner=True)}
    yield from _check_whole(value, at, "a SubStatement", properties, ("actor", "verb", "object"))


def _properties(edition: Edition, *, inner: bool) -> dict[str, Check]:
    return {
        "actor": actors.check_actor,
        "verb": _check_verb,
        "object": partial(_check_target, edition=edition, inner=inner),
        "result": check_result,
        "context": partial(_check_context, edition=edition),
        "timestamp": syntax.check_timestamp,
        "attachments": shape.array_of(_check_attachment),
    }


def _check_whole(
    value: object, at: str, what: str, properties: dict[str, Check], required: tuple[str, ...]
) -> Iterator[str]:
    yield from shape.check_object(value, at, what, properties, required)
    statement = shape.as_dict(value)
    kind = object_type(statement)
    if shape.as_dict(statement.get("verb")).get("id") == VOIDED and kind != "StatementRef":
        yield f"{at}.object: the object of the verb voided must be a StatementRef"
    if kind != "Activity":
        context = shape.as_dict(statement.get("context"))
        for name in ("revision", "platform"):
            if name in context:
                yield f"{at}.context.{name}: is allowed only when the object is an Activity"


def object_type(statement: dict[str, Any]) -> object:
    """Return the objectType of a statement's object, ``Activity`` when it has none."""
    return shape.as_dict(statement.get("object")).get("objectType", "Activity")


def _check_version(value: object, at: str, *, edition: Edition) -> Iterator[str]:
    version = Edition.of(value) if isinstance(value, str) else None
    if version is None or (version is Edition.TWO and edition is Edition.ONE):
        wanted = "1.0.x" if edition is Edition.ONE else "1.0.x or 2.0.x"
        yield shape.must_be(f"a version {wanted}", value, at)


def _check_verb(value: object, at: str) -> Iterator[str]:
    properties: dict[str, Check] = {"id": syntax.check_iri, "display": syntax.check_language_map}
    yield from shape.check_object(value, at, "a verb", properties, ("id",))


def _check_target(value: object, at: str, *, edition: Edition, inner: bool) -> Iterator[str]:
    match shape.as_dict(value).get("objectType", "Activity"):
        case "Activity":
            yield from activities.check_activity(value, at)
        case "Agent" | "Group":
            yield from actors.check_actor(value, at)
        case "StatementRef":
            yield from _check_reference(value, at)
        case "SubStatement" if inner:
            yield f"{at}: a SubStatement cannot hold a SubStatement"
        case "SubStatement":
            yield from _check_substatement(value, at, edition=edition)
        case other:
            wanted = "Activity, Agent, Group, StatementRef or SubStatement"
            yield shape.must_be(wanted, other, f"{at}.objectType")


def _check_reference(value: object, at: str) -> Iterator[str]:
    properties: dict[str, Check] = {"objectType": shape.one_of("StatementRef"), "id": syntax.check_uuid}
    yield from shape.check_object(value, at, "a StatementRef", properties, ("objectType", "id"))


_SCORE: Final[dict[str, Check]] = dict.fromkeys(("scaled", "raw", "min", "max"), shape.check_number)


def _check_score(value: object, at: str) -> Iterator[str]:
    yield from shape.check_object(value, at, "a score", _SCORE)
    numbers = {name: number for name, number in shape.as_dict(value).items() if shape.is_number(number)}
    scaled, raw = numbers.get("scaled"), numbers.get("raw")
    low, high = numbers.get("min"), numbers.get("max")
    if scaled is not None and not -1 <= scaled <= 1:
        yield f"{at}.scaled: must lie between -1 and 1, not at {scaled}"
    if low is not None and high is not None and low >= high:
        yield f"{at}.min: must be less than max, but {low} is not less than {high}"
    if raw is not None and low is not None and raw < low:
        yield f"{at}.raw: must not be less than min, but {raw} is less than {low}"
    if raw is not None and high is not None and raw > high:
        yield f"{at}.raw: must not be greater than max, but {raw} is greater than {high}"


_RESULT: Final[dict[str, Check]] = {
    "score": _check_score,
    "success": shape.check_boolean,
    "completion": shape.check_boolean,
    "response": shape.check_string,
    "duration": syntax.check_duration,
    "extensions": syntax.check_extensions,
}


def check_result(value: object, at: str) -> Iterator[str]:
    """Yield what is wrong with a result, each with its place."""
    yield from shape.check_object(value, at, "a result", _RESULT)


_CONTEXT_ACTIVITIES: Final[dict[str, Check]] = dict.fromkeys(
    ("parent", "grouping", "category", "other"), activities.check_activities
)


def _check_context_activities(value: object, at: str) -> Iterator[str]:
    yield from shape.check_object(value, at, "contextActivities", _CONTEXT_ACTIVITIES)


def _check_related(value: object, at: str, *, kind: str, whom: str, check: Check) -> Iterator[str]:
    properties: dict[str, Check] = {
        "objectType": shape.one_of(kind),
        whom: check,
        "relevantTypes": shape.array_of(syntax.check_iri, at_least=1),
    }
    yield from shape.check_object(value, at, f"a {kind}", properties, ("objectType", whom))


_CONTEXT: Final[dict[str, Check]] = {
    "registration": syntax.check_uuid,
    "instructor": actors.check_actor,
    "team": actors.check_group,
    "contextActivities": _check_context_activities,
    "revision": shape.check_string,
    "platform": shape.check_string,
    "language": syntax.check_language_tag,
    "statement": _check_reference,
    "extensions": syntax.check_extensions,
}
_CONTEXT_OF_TWO: Final[dict[str, Check]] = {
    **_CONTEXT,
    "contextAgents": shape.array_of(
        partial(_check_related, kind="contextAgent", whom="agent", check=actors.check_agent)
    ),
    "contextGroups": shape.array_of(
        partial(_check_related, kind="contextGroup", whom="group", check=actors.check_group)
    ),
}


def _check_context(value: object, at: str, *, edition: Edition) -> Iterator[str]:
    properties = _CONTEXT if edition is Edition.ONE else _CONTEXT_OF_TWO
    yield from shape.check_object(value, at, f"a context in xAPI {edition}", properties)


def _check_length(value: object, at: str) -> Iterator[str]:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        yield shape.must_be("a number of bytes", value, at)


_ATTACHMENT: Final[dict[str, Check]] = {
    "usageType": syntax.check_iri,
    "display": syntax.check_language_map,
    "description": syntax.check_language_map,
    "contentType": shape.check_string,
    "length": _check_length,
    "sha2": syntax.check_sha2,
    "fileUrl": syntax.check_iri,
}
# fileUrl is demanded because this LRS takes statements as application/json only, where no attachment can travel along.
_ATTACHMENT_REQUIRED: Final = ("usageType", "display", "contentType", "length", "sha2", "fileUrl")


def _check_attachment(value: object, at: str) -> Iterator[str]:
    yield from shape.check_object(value, at, "an attachment", _ATTACHMENT, _ATTACHMENT_REQUIRED)
