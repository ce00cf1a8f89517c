"""Checks of activities, their definitions and the interaction activities taken over from SCORM.

Source: xAPI Data, section 2.4.4.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mappings.xapi.validation import shape, syntax

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mappings.xapi.validation.shape import Check

COMPONENT_LISTS: Final[dict[str, tuple[str, ...]]] = {
    "true-false": (),
    "choice": ("choices",),
    "fill-in": (),
    "long-fill-in": (),
    "matching": ("source", "target"),
    "performance": ("steps",),
    "sequencing": ("choices",),
    "likert": ("scale",),
    "numeric": (),
    "other": (),
}
"""Each interaction type with the lists of components it supports."""

_LIST_NAMES: Final = tuple(dict.fromkeys(name for names in COMPONENT_LISTS.values() for name in names))


def _check_component(value: object, at: str) -> Iterator[str]:
    properties: dict[str, Check] = {"id": shape.check_string, "description": syntax.check_language_map}
    yield from shape.check_object(value, at, "an interaction component", properties, ("id",))


def _check_components(value: object, at: str) -> Iterator[str]:
    yield from shape.array_of(_check_component)(value, at)
    ids: set[object] = set()
    for index, component in enumerate(value if isinstance(value, list) else ()):
        component_id = shape.as_dict(component).get("id")
        if isinstance(component_id, str) and component_id in ids:
            yield f"{at}[{index}].id: {component_id!r} stands in the list twice"
        ids.add(component_id if isinstance(component_id, str) else None)


_DEFINITION: Final[dict[str, Check]] = {
    "name": syntax.check_language_map,
    "description": syntax.check_language_map,
    "type": syntax.check_iri,
    "moreInfo": syntax.check_iri,
    "extensions": syntax.check_extensions,
    "interactionType": shape.one_of(*COMPONENT_LISTS),
    "correctResponsesPattern": shape.array_of(shape.check_string),
    **dict.fromkeys(_LIST_NAMES, _check_components),
}


def _check_definition(value: object, at: str) -> Iterator[str]:
    yield from shape.check_object(value, at, "an activity definition", _DEFINITION)
    definition = shape.as_dict(value)
    interaction = definition.get("interactionType")
    if interaction is None:
        if any(name in definition for name in ("correctResponsesPattern", *_LIST_NAMES)):
            yield f"{at}.interactionType: is missing, though the definition has properties of an interaction"
    elif isinstance(interaction, str) and interaction in COMPONENT_LISTS:
        for name in _LIST_NAMES:
            if name in definition and name not in COMPONENT_LISTS[interaction]:
                yield f"{at}.{name}: an interaction of type {interaction} has no such list"


_ACTIVITY: Final[dict[str, Check]] = {
    "objectType": shape.one_of("Activity"),
    "id": syntax.check_iri,
    "definition": _check_definition,
}


def check_activity(value: object, at: str) -> Iterator[str]:
    """Validate an activity: its id, and a definition or not."""
    yield from shape.check_object(value, at, "an activity", _ACTIVITY, ("id",))


def check_activities(value: object, at: str) -> Iterator[str]:
    """Validate an array of activities or, as xAPI Data 2.4.6.2 has it, a single one."""
    check = check_activity if isinstance(value, dict) else shape.array_of(check_activity)
    yield from check(value, at)
