"""Taking values out of a TOML table one by one, noting every fault instead of stopping at the first."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator
from enum import StrEnum
from typing import Any, TypeVar, cast

from mappings.definition.errors import Fault
from mappings.definition.model import Value
from mappings.definition.placeholders import (
    OF_COMMITS,
    OF_ITEMS,
    VERBATIM,
    Placeholder,
    Template,
    needs,
    parse,
    placeholders,
)
from mappings.xapi.iris import is_iri, is_language, sendable_iri

_Member = TypeVar("_Member", bound=StrEnum)
_Path = tuple[str | int, ...]
_DAY = 86_400
_NONE: frozenset[str] = frozenset()


def _member(word: str, members: type[_Member]) -> _Member:
    return next((member for member in members if member == word), cast("_Member", word))


class FaultCollector:
    """The faults found so far, and the text they are in, to tell lines."""

    def __init__(self, text: str) -> None:
        self.found: list[Fault] = []
        self._places = _index(text.splitlines())

    def add(self, path: _Path, message: str) -> None:
        """Record a fault at a path such as `("rules", 3, "verb")`."""
        place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")
        self.found.append(Fault(place or "file", self._line(path), message))

    def _line(self, path: _Path) -> int:
        """Return the line of a key: its own, or that of the nearest table around it that has one."""
        while path and path not in self._places:
            path = path[:-1]
        return self._places.get(path, 0)


_HEADER = re.compile(r"\s*\[(\[)?([^\[\]]*)\]\]?\s*(?:#.*)?")
_PAIR = re.compile(r"\s*(\"[^\"]*\"|[A-Za-z0-9_-]+)\s*=")
_STEP = re.compile(r"\"([^\"]*)\"|([A-Za-z0-9_-]+)")


def _index(lines: list[str]) -> dict[_Path, int]:
    """Return the line of every table's header and every key."""
    placeholders: dict[_Path, int] = {}
    table: _Path = ()
    counts: dict[_Path, int] = {}
    for at, text in enumerate(lines, 1):
        header, pair = _HEADER.fullmatch(text), _PAIR.match(text)
        if header is not None:
            table = tuple(quoted or bare for quoted, bare in _STEP.findall(header.group(2)))
            for end in range(1, len(table) + 1):
                placeholders.setdefault(table[:end], at)
            if header.group(1):
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            placeholders[table] = at
        elif pair is not None:
            placeholders.setdefault((*table, pair.group(1).strip('"')), at)
    return placeholders


class TomlTable:
    """One TOML table, read key by key. What is missing or wrong is noted, and a harmless value given instead."""

    def __init__(self, data: dict[str, Any], path: _Path | str, faults: FaultCollector) -> None:
        self._data = data
        self._path: _Path = tuple(path)
        self._faults = faults
        self._seen: set[str] = set()

    def fault(self, key: str, message: str) -> None:
        """Record a fault at a key of this table, or at the table itself for an empty key."""
        self._faults.add((*self._path, key) if key else self._path, message)

    def has(self, key: str) -> bool:
        """Return whether the key is there."""
        self._seen.add(key)
        return key in self._data

    def keys(self) -> list[str]:
        """Return all keys, in the file's order."""
        return list(self._data)

    def end(self) -> None:
        """Record each key that was never asked for."""
        for key in self._data:
            if key not in self._seen:
                self.fault(key, "is not known here; known are " + ", ".join(sorted(self._seen)))

    def section(self, key: str) -> TomlTable:
        """Return a table."""
        value = self._take(key, dict, "a table")
        return TomlTable(value if value is not None else {}, (*self._path, key), self._faults)

    def sections(self) -> Iterator[tuple[str, TomlTable]]:
        """Return all keys as tables."""
        for key in self._data:
            yield key, self.section(key)

    def tables(self, key: str) -> list[TomlTable]:
        """Return an array of tables, at least one."""
        value = self._take(key, list, "an array of tables")
        if value is None:
            return []
        if not value:
            self.fault(key, "needs at least one table")
        tables = []
        for index, table in enumerate(value):
            if isinstance(table, dict):
                tables.append(TomlTable(table, (*self._path, key, index), self._faults))
            else:
                self._faults.add((*self._path, key, index), "must be a table")
        return tables

    def text(self, key: str, pattern: re.Pattern[str] | None = None, otherwise: str = "") -> str:
        """Return a text that is not empty."""
        value = self._take(key, str, "text")
        if value is None:
            return ""
        if not value.strip():
            self.fault(key, "must not be empty")
        elif pattern is not None and pattern.fullmatch(value) is None:
            self.fault(key, otherwise)
        return str(value)

    def word(self, key: str, allowed: Collection[str], kind: str) -> Any:
        """Return one word of a closed list."""
        value = self.text(key)
        if value and value not in allowed:
            self._unknown(key, value, allowed, kind)
        return value

    def words(self, key: str, allowed: Collection[str], kind: str, *, some: bool = False) -> tuple[Any, ...]:
        """Return a list of words of a closed list, none of them twice; with `some`, at least one."""
        value = self._take(key, list, "a list of text")
        if some and value == []:
            self.fault(key, f"needs at least one; there are: {', '.join(allowed)}")
        for word in value or ():
            if not isinstance(word, str):
                self.fault(key, f"must hold text only, not {word!r}")
            elif word not in allowed:
                self._unknown(key, word, allowed, kind)
        strings = tuple(word for word in value or () if isinstance(word, str))
        if len(set(strings)) < len(strings):
            self.fault(key, "names one of its words twice")
        return strings

    def choice(self, key: str, members: type[_Member], kind: str) -> _Member:
        """Return a member of an enum; another text, which is recorded as a fault, as it is."""
        return _member(self.word(key, tuple(members), kind), members)

    def choices(self, key: str, members: type[_Member], kind: str) -> tuple[_Member, ...]:
        """Return members of an enum, none of them twice; other texts as `choice` does."""
        return tuple(_member(word, members) for word in self.words(key, tuple(members), kind))

    def language(self, key: str) -> str:
        """Return a language tag."""
        value = self.text(key)
        if value:
            self.check_language(value, key)
        return value

    def check_language(self, tag: str, key: str | None = None) -> None:
        """Record a tag that is none."""
        if not is_language(tag):
            self.fault(tag if key is None else key, f"{tag!r} is not a language tag such as en-US (RFC 5646)")

    def flag(self, key: str) -> bool:
        """Return true or false."""
        self._seen.add(key)
        if key not in self._data:
            self.fault(key, "is missing: true or false is needed")
        elif not isinstance(self._data[key], bool):
            self.fault(key, f"must be true or false, not {self._data[key]!r}")
        return self._data.get(key) is True

    def seconds(self, key: str) -> int:
        """Return a whole number of seconds, 0 or more."""
        value = self._take(key, int, "a number of seconds")
        if value is not None and not 0 <= value <= _DAY:
            self.fault(key, f"must be 0 to {_DAY} seconds, not {value}")
        return int(value or 0)

    def fixed_iri(self, key: str) -> str:
        """Return an IRI that has nothing to fill in."""
        value = self.text(key)
        if value and not is_iri(value):
            self.fault(key, f"must be a full IRI such as http://adlnet.gov/expapi/verbs/completed, not {value!r}")
        return value

    def template(self, key: str, *, also: frozenset[str] = _NONE) -> Template:
        """Return a text with places that are always known; `also`: those it may have that stand in few texts only."""
        template = self._template(key, self.text(key), also)
        missing = ", ".join(sorted(needs(template)))
        if missing:
            self.fault(key, f"cannot do without {missing}, which an LMS may leave out; give a fallback: {{…|fallback}}")
        return template

    def optional_template(self, key: str, *, also: frozenset[str] = _NONE) -> Template | None:
        """Return a text with any places, or nothing."""
        return self._template(key, self.text(key), also) if self.has(key) else None

    def iri(self, key: str, *, also: frozenset[str] = _NONE) -> Template:
        """Return an IRI with places that are always known."""
        template = self.template(key, also=also)
        if template:
            self._check_iri(key, template)
        return template

    def value(self, key: str) -> Value:
        """Return what an extension holds: a text with any places, or a number or boolean."""
        self._seen.add(key)
        value = self._data.get(key)
        if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
            return value
        if not isinstance(value, str):
            self.fault(key, f"must be text, a number, or true or false, not {value!r}")
            return ()
        return self._template(key, self.text(key), OF_COMMITS, kinds=True)

    def is_table(self, key: str) -> bool:
        """Return whether a key holds a table."""
        return isinstance(self._data.get(key), dict)

    def key_as_iri(self, key: str) -> Template:
        """Return a key itself as an IRI with places."""
        template = self._template(key, key, _NONE)
        if template:
            self._check_iri(key, template)
        return template

    def _check_iri(self, key: str, template: Template) -> None:
        for filled in ("".join(_sample(part) for part in template), "".join(_fallback(part) for part in template)):
            if not is_iri(sendable_iri(filled)):
                self.fault(key, f"does not become a full IRI (scheme:…, no spaces): {filled!r}")
                return

    def _template(self, key: str, text: str, also: frozenset[str], *, kinds: bool = False) -> Template:
        try:
            template = parse(text)
        except ValueError as error:
            self.fault(key, str(error))
            return ()
        used = placeholders(template) - also
        if used & OF_ITEMS:
            names = ", ".join(sorted(used & OF_ITEMS))
            self.fault(key, f"cannot hold {names}: only activities can be made of an item")
        if used & OF_COMMITS:
            names = ", ".join(sorted(used & OF_COMMITS))
            self.fault(key, f"cannot hold {names}: it must stay the same from commit to commit")
        if not kinds and any(isinstance(part, Placeholder) and part.kind is not None for part in template):
            self.fault(key, "cannot be a number or boolean: only values of extensions can")
            return ()
        return template

    def _unknown(self, key: str, value: str, allowed: Collection[str], kind: str) -> None:
        self.fault(key, f"{value!r} is not {kind}; there are: {', '.join(allowed) or 'none'}")

    def _take(self, key: str, kind: type, words: str) -> Any:
        self._seen.add(key)
        if key not in self._data:
            self.fault(key, f"is missing: {words} is needed")
            return None
        value = self._data[key]
        if not isinstance(value, kind) or isinstance(value, bool):
            self.fault(key, f"must be {words}, not {value!r}")
            return None
        return value


def _sample(part: str | Placeholder) -> str:
    """Return what stands for a place when a template is checked: an IRI where it holds one."""
    if isinstance(part, str):
        return part
    if part.variable == "attempt.query":
        return "?a=b"
    return "https://lms.example.org/x" if part.variable in VERBATIM else "x"


def _fallback(part: str | Placeholder) -> str:
    return _sample(part) if isinstance(part, str) or part.fallback is None else part.fallback
