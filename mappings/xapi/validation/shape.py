"""Checks of JSON's own shapes: objects with known properties, arrays, maps and plain values.

A check is a function of a decoded JSON value and the place where it stands. It yields one line per fault found,
each of the form ``place: what is wrong``, and nothing for a good value; so checks compose with ``yield from`` and
all faults of a statement are found in one pass. Source: xAPI Data, section 2.2 (Formatting Requirements).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

Check: TypeAlias = Callable[[object, str], Iterator[str]]

_EXCERPT: Final = 80


def describe(value: object) -> str:
    """Return a JSON value in words: its kind, and a string or number itself, cut to 80 characters."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {value}"
        case str():
            return repr(value if len(value) <= _EXCERPT else value[:_EXCERPT] + "…")
        case list():
            return "an array"
        case _:
            return "an object"


def must_be(what: str, value: object, at: str) -> str:
    """Return the line for a value that is not ``what``."""
    return f"{at}: must be {what}, not {describe(value)}"


def check_string(value: object, at: str) -> Iterator[str]:
    """Validate a string."""
    if not isinstance(value, str):
        yield must_be("a string", value, at)


def check_boolean(value: object, at: str) -> Iterator[str]:
    """Validate true and false; the strings ``"true"`` and ``"false"`` are refused."""
    if not isinstance(value, bool):
        yield must_be("true or false", value, at)


def check_number(value: object, at: str) -> Iterator[str]:
    """Validate a number; a string of digits is refused."""
    if not is_number(value):
        yield must_be("a number", value, at)


def is_number(value: object) -> bool:
    """Return whether a value is a JSON number (Python counts booleans as integers, JSON does not)."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def one_of(*allowed: str) -> Check:
    """Build a check that accepts exactly the given strings, case and all."""
    wanted = f"one of {', '.join(allowed)}" if len(allowed) > 1 else repr(allowed[0])

    def check(value: object, at: str) -> Iterator[str]:
        if value not in allowed:
            yield must_be(wanted, value, at)

    return check


def array_of(check: Check, *, at_least: int = 0) -> Check:
    """Build a check for an array whose every item passes ``check``, with at least so many items."""

    def check_array(value: object, at: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield must_be("an array", value, at)
            return
        if len(value) < at_least:
            yield f"{at}: must have at least {at_least} item"
        for index, item in enumerate(value):
            yield from check(item, f"{at}[{index}]")

    return check_array


def map_of(check_key: Check, check_value: Check | None) -> Check:
    """Build a check for an object with free keys; without ``check_value`` any value is good, null included."""

    def check_map(value: object, at: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield must_be("an object", value, at)
            return
        for key, item in value.items():
            place = f"{at}[{key!r}]"
            yield from check_key(key, place)
            if check_value is not None:
                yield from check_value(item, place)

    return check_map


def check_object(
    value: object, at: str, what: str, properties: Mapping[str, Check], required: Iterable[str] = ()
) -> Iterator[str]:
    """Check an object of which every property is known.

    Args:
        value: the decoded JSON value.
        at: its place, for the lines yielded.
        what: what the object is called, as in "is not a property of an agent".
        properties: the check of each property that may stand in it.
        required: the properties that must stand in it.
    """
    if not isinstance(value, dict):
        yield must_be("an object", value, at)
        return
    for name in required:
        if name not in value:
            yield f"{at}.{name}: is missing"
    for name, item in value.items():
        if name in properties:
            yield from properties[name](item, f"{at}.{name}")
        else:
            yield f"{at}.{name}: is not a property of {what}{spelling_hint(name, properties)}"


def spelling_hint(name: str, allowed: Iterable[str]) -> str:
    """Return which known name was meant when only the case differs; empty otherwise."""
    for right in allowed:
        if right.lower() == name.lower():
            return f" (case matters: it is spelled {right!r})"
    return ""


def as_dict(value: object) -> dict[str, Any]:
    """Return the value if it is an object, else an empty one: for rules across properties, after their own checks."""
    return value if isinstance(value, dict) else {}
