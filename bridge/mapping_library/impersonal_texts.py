"""Texts like those that are stored, which tell of nobody: what dictionaries are trained with that outlive learners.

What so many learners have in the same place stays, be it a value, the beginning of one, or an object with all that is
in it; the rest becomes characters in no order. Objects that fewer have are put together anew, each member from another
text: no two things stand side by side in them because they belong to the same learner.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from random import Random
from typing import Any, NamedTuple

import msgspec

from storage.frame_samples import StoredText

MIN_LEARNERS = 20
"""Who have something before it stays."""
MAX_SIZE = 16 * 1024
"""Bytes of a text that is looked at."""
MAX_DEPTH = 16
"""Of objects and arrays in each other; what is deeper is left out."""
MAX_FILLER = 24
"""Characters in place of a value, however long it was."""
MAX_ITEMS = 8
"""Of an array that is put together anew."""
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_BOUNDARY = re.compile(r"[/?=&#:;,@ -]")
"""Behind which a beginning may end."""
_MAX_BOUNDARIES = 12
_Path = tuple[str, ...]
_ITEM = "[]"
"""In a path: any item of an array."""


class _Unlike(NamedTuple):
    """In place of a value that few have: how it begins, and how many characters are missing."""

    beginning: str
    length: int
    is_number: bool = False


class _Document(NamedTuple):
    """A part of a text that is JSON; `is_spaced`: with spaces behind commas and colons."""

    text: int
    learner: Hashable
    root: _Path
    value: Any
    is_spaced: bool


def impersonal_texts(texts: Sequence[StoredText], random: Random) -> list[bytes]:
    """Return texts in the form of others, as many at most: parts of them that are not JSON are left out."""
    documents = [document for number, text in enumerate(texts) for document in _documents(number, text)]
    shared = _Shared()
    for document in documents:
        shared.add(document)
    composer = _Composer(random)
    masked = [document._replace(value=shared.masked(document.value, document.root)) for document in documents]
    for document in masked:
        composer.add(document)
    parts: defaultdict[int, list[bytes]] = defaultdict(list)
    for document in masked:
        parts[document.text].append(_encode(composer.compose(document), document))
    return [b"\n".join(parts[number]) for number in sorted(parts)]


def _documents(number: int, text: StoredText) -> Iterator[_Document]:
    """Yield the parts of a text: a statement, or a response and a body with a line break between them."""
    if len(text.content) > MAX_SIZE:
        return
    first, line_break, second = text.content.partition(b"\n")
    parts = {"response": first, "body": second} if line_break else {"statement": first}
    for kind, part in parts.items():
        try:
            value = msgspec.json.decode(part)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        if isinstance(value, dict):
            yield _Document(number, text.learner, (kind,), value, b'": ' in part)


class _Learners:
    """How many learners have something, counted as far as it matters."""

    def __init__(self) -> None:
        self._learners: defaultdict[Hashable, set[Hashable]] = defaultdict(set)

    def add(self, thing: Hashable, learner: Hashable) -> None:
        learners = self._learners[thing]
        if len(learners) < MIN_LEARNERS:
            learners.add(learner)

    def has_enough(self, thing: Hashable) -> bool:
        return len(self._learners.get(thing, ())) >= MIN_LEARNERS


class _Shared:
    """The keys, values and beginnings of values that enough learners have, by their path."""

    def __init__(self) -> None:
        self._learners = _Learners()

    def add(self, document: _Document) -> None:
        self._add(document.value, document.root, document.learner)

    def _add(self, value: Any, path: _Path, learner: Hashable) -> None:
        if len(path) > MAX_DEPTH:
            return
        if isinstance(value, dict):
            for key, member in value.items():
                self._learners.add((*path, key), learner)
                self._add(member, (*path, key), learner)
        elif isinstance(value, list):
            for item in value:
                self._add(item, (*path, _ITEM), learner)
        elif isinstance(value, str):
            for beginning in _beginnings(value):
                self._learners.add((path, beginning), learner)
        else:
            self._learners.add((path, value, type(value)), learner)

    def masked(self, value: Any, path: _Path) -> Any:
        """Return a value in which something else stands for what is not shared, and keys that are not are missing."""
        if len(path) > MAX_DEPTH:
            return None
        if isinstance(value, dict):
            return {
                key: self.masked(member, (*path, key))
                for key, member in value.items()
                if self._learners.has_enough((*path, key))
            }
        if isinstance(value, list):
            return [self.masked(item, (*path, _ITEM)) for item in value]
        if isinstance(value, str):
            return self._masked_text(value, path)
        if value is None or isinstance(value, bool) or self._learners.has_enough((path, value, type(value))):
            return value
        return _Unlike("", min(len(str(value)), MAX_FILLER), is_number=True)

    def _masked_text(self, value: str, path: _Path) -> str | _Unlike:
        shared = ""
        for beginning in _beginnings(value):
            if not self._learners.has_enough((path, beginning)):
                break
            shared = beginning
        return value if shared == value else _Unlike(shared, min(len(value) - len(shared), MAX_FILLER))


class _Composer:
    """Puts masked values together anew, where fewer than enough learners have them as they are."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._learners = _Learners()
        self._values: defaultdict[_Path, list[Any]] = defaultdict(list)

    def add(self, document: _Document) -> None:
        self._add(document.value, document.root, document.learner)

    def _add(self, value: Any, path: _Path, learner: Hashable) -> str:
        """Note a value and all in it; return what tells it apart, which the length of what is missing does not."""
        self._values[path].append(value)
        if isinstance(value, dict):
            members = (f"{key!r}:{self._add(member, (*path, key), learner)}" for key, member in value.items())
            identity = f"{{{','.join(members)}}}"
        elif isinstance(value, list):
            identity = f"[{','.join(self._add(item, (*path, _ITEM), learner) for item in value)}]"
        else:
            return _identity(value)
        self._learners.add((path, identity), learner)
        return identity

    def compose(self, document: _Document) -> Any:
        return self._compose(document.value, document.root)[0]

    def _compose(self, value: Any, path: _Path) -> tuple[Any, str]:
        """Return what is written in place of a value, and what tells the value apart."""
        if isinstance(value, dict):
            members = {key: self._compose(member, (*path, key)) for key, member in value.items()}
            identity = f"{{{','.join(f'{key!r}:{inner}' for key, (_, inner) in members.items())}}}"
            if self._learners.has_enough((path, identity)):
                return {key: written for key, (written, _) in members.items()}, identity
            return {key: self._other((*path, key)) for key in value}, identity
        if isinstance(value, list):
            items = [self._compose(item, (*path, _ITEM)) for item in value]
            identity = f"[{','.join(inner for _, inner in items)}]"
            if self._learners.has_enough((path, identity)):
                return [written for written, _ in items], identity
            return [self._other((*path, _ITEM)) for _ in value[:MAX_ITEMS]], identity
        return self._written(value), _identity(value)

    def _other(self, path: _Path) -> Any:
        """Return what any text has there."""
        return self._compose(self._random.choice(self._values[path]), path)[0]

    def _written(self, value: Any) -> Any:
        if not isinstance(value, _Unlike):
            return value
        if value.is_number:
            return self._random.randrange(10 ** (value.length - 1), 10**value.length)
        return value.beginning + "".join(self._random.choices(_ALPHABET, k=value.length))


def _beginnings(value: str) -> Iterator[str]:
    """Yield how a text begins, up to each boundary, and the whole."""
    for number, boundary in enumerate(_BOUNDARY.finditer(value)):
        if number == _MAX_BOUNDARIES:
            break
        if boundary.end() < len(value):
            yield value[: boundary.end()]
    yield value


def _identity(value: Any) -> str:
    return f"?{value.beginning!r}" if isinstance(value, _Unlike) else repr(value)


def _encode(value: Any, document: _Document) -> bytes:
    separators = None if document.is_spaced else (",", ":")
    return json.dumps(value, ensure_ascii=False, separators=separators).encode(errors="replace")
