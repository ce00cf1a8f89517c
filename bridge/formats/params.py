"""scorm-again's `params`: `cmi.a=b&cmi.c=d` that looks like a form and is none, as nothing in it is encoded.

Values have `&`, `=`, `%` and `+` as the learner typed them, so the text is split only where a new element begins. What
a learner types can look like that too: the format loses something by its nature, and `json` is better.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from bridge.forms import parse_urlencoded
from mappings.cmi.tree import Tree, unflatten

ELEMENTS = ("cmi.", "adl.")
_NEXT_ELEMENT = re.compile(r"&(?=(?:cmi|adl|nav)\.[A-Za-z_])")
_MARK = re.compile(r"commitSequence=(\d{1,18})|([A-Za-z_][A-Za-z0-9_-]*)=true", re.ASCII)
_MAX_MARKS = 4
_ENCODED = re.compile(r"[A-Za-z0-9\-_.!~*'()%&=+]*", re.ASCII)
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}", re.ASCII)


class Params(msgspec.Struct, frozen=True, gc=False):
    """What such a text holds. `marked` says that it ends in a field that marks the last commit."""

    tree: Tree
    sequence: int | None = None
    marked: bool = False


def split(text: str) -> Params:
    """Parse a text. One that is a form in truth, every character of it encoded that must be, is decoded."""
    text, sequence, marked = _cut_marks(text)
    if _ENCODED.fullmatch(text) and _ESCAPE.search(text):
        pairs = parse_urlencoded(text, max_fields=len(text))
        return Params(tree_of(pairs), sequence, marked)
    return Params(tree_of(_pair(part) for part in _parts(text)), sequence, marked)


def tree_of_texts(parts: Iterable[Any]) -> Tree:
    """Return the tree of a list of such texts, one element in each, as `runtimeData` is with common fields."""
    return tree_of(_pair(part) for part in parts if isinstance(part, str))


def tree_of(pairs: Iterable[tuple[str, Any]]) -> Tree:
    """Return the tree of names and values; names that are no element's are left out."""
    return unflatten((name, value) for name, value in pairs if name.startswith(ELEMENTS))


def _parts(text: str) -> Iterator[str]:
    """Yield the parts that each begin with an element; step by step, so that other threads may run in between."""
    begin = 0
    for joint in _NEXT_ELEMENT.finditer(text):
        yield text[begin : joint.start()]
        begin = joint.end()
    yield text[begin:]


def _pair(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    return name, value


def _cut_marks(text: str) -> tuple[str, int | None, bool]:
    """Take off what scorm-again appends: its count, and the field that an LMS developer chose for the last commit."""
    sequence, marked = None, False
    for _ in range(_MAX_MARKS):
        before, ampersand, last = text.rpartition("&")
        mark = _MARK.fullmatch(last) if ampersand else None
        if mark is None:
            break
        if mark.group(1):
            sequence = int(mark.group(1))
        else:
            marked = True
        text = before
    return text, sequence, marked
