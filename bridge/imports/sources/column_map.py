"""Rows of any kind, in CSV or NDJSON, by a column map in TOML that says what their columns mean.

    [columns]
    learner = "user"
    activity = "sco"
    at = "updated"
    [cmi]
    "cmi.core.lesson_status" = "status"
    [constants]
    scorm_version = "1.2"

A row is a commit: CMI data at a time. Rows of one learner, activity, course, attempt and session are its commits, in
the order of their times.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from bridge.commit_model.launch import Launch, LaunchActivity, LaunchCourse, LaunchLearner
from bridge.imports.history import PastAttempt, PastCommit, PastSession, SkippedRows, SourceError
from bridge.imports.sources.values import milliseconds, text_of, tree_of, version_of
from bridge.imports.tables import LINE, SourceTables
from mappings.cmi.tree import Tree, unflatten

REQUIRED = ("learner", "activity", "at")
OPTIONAL = (
    "learner_name", "activity_name", "activity_type", "course", "course_name", "attempt", "session", "opened_at",
    "scorm_version", "terminated", "cmi",
)  # fmt: skip
KEYS = (*REQUIRED, *OPTIONAL)
_SECTIONS = ("columns", "constants", "cmi")


@dataclass(frozen=True)
class ColumnMap:
    """What columns mean: `columns` and `constants` by the keys of `KEYS`, `cmi` the columns of elements."""

    columns: dict[str, str]
    constants: dict[str, str] = field(default_factory=dict)
    cmi: dict[str, str] = field(default_factory=dict)


def parse_column_map(text: str) -> ColumnMap:
    """Parse a column map.

    Raises:
        SourceError: it has faults; all are named.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SourceError(f"The column map is no TOML: {error}.") from None
    faults = [f"{name}: there is no such section; there are {', '.join(_SECTIONS)}" for name in content
              if name not in _SECTIONS]  # fmt: skip
    sections: dict[str, dict[str, str]] = {}
    for name in _SECTIONS:
        section = content.get(name, {})
        if not isinstance(section, dict):
            faults.append(f"{name}: must be a section")
            section = {}
        sections[name] = {key: text_of(value) for key, value in _flat(section)}
    for name in ("columns", "constants"):
        faults += [f"{name}.{key}: is unknown; there are {', '.join(KEYS)}" for key in sections[name]
                   if key not in KEYS]  # fmt: skip
    mapped = sections["columns"].keys() | sections["constants"].keys()
    faults += [f"columns.{key}: is needed" for key in REQUIRED if key not in mapped]
    faults += [f"cmi.{key}: must be an element such as cmi.core.lesson_status" for key in sections["cmi"]
               if not key.startswith(("cmi.", "adl."))]  # fmt: skip
    if not sections["cmi"] and "cmi" not in mapped:
        faults.append("cmi: a column of CMI data, or one of at least one element, is needed")
    if faults:
        raise SourceError("The column map has faults:\n" + "\n".join(f"  {fault}" for fault in faults))
    return ColumnMap(**sections)


def _flat(section: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in section.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


class MappedRows:
    """The rows of a file, by a column map. `name` is that of the source, `csv` or `ndjson`."""

    def __init__(self, tables: SourceTables, column_map: ColumnMap, name: str) -> None:
        files = tables.names()
        if len(files) != 1:
            raise SourceError("Rows are read from one file.")
        self.name = name
        self._map = column_map
        self._tables = tables
        wanted = [*column_map.columns.values(), *column_map.cmi.values()]
        self._table = tables.require(files[0], *wanted)

    def count(self) -> int | None:
        """Return how many rows there are."""
        return int(self._tables.one(f"SELECT COUNT(*) FROM {self._table}"))  # noqa: S608 -- a table's name

    def read(self, lms_id: int) -> Iterator[PastAttempt | SkippedRows]:
        """Yield attempts, each of the rows of its own."""
        columns = self._map.columns
        keys = [key for key in ("learner", "course", "activity", "attempt") if key in columns]
        order = ", ".join([*(_quoted(columns[key]) for key in ("learner", "course", "activity") if key in columns),
                           *([f"CAST({_quoted(columns['attempt'])} AS INTEGER)"] if "attempt" in columns else []),
                           *([_quoted(columns["at"])] if "at" in columns else []), LINE])  # fmt: skip
        names = [*dict.fromkeys((*columns.values(), *self._map.cmi.values())), LINE]
        selected = ", ".join(map(_quoted, names))
        rows = self._tables.query(f"SELECT {selected} FROM {self._table} ORDER BY {order}")  # noqa: S608 -- quoted
        values = (dict(zip(names, row, strict=True)) for row in rows)
        for key, its in groupby(values, key=lambda row: tuple(text_of(self._value(row, name)) for name in keys)):
            yield from self._attempt(lms_id, dict(zip(keys, key, strict=True)), list(its))

    def _attempt(
        self, lms_id: int, key: dict[str, str], rows: list[dict[str, Any]]
    ) -> Iterator[PastAttempt | SkippedRows]:
        name = "/".join(key.values())
        commits: list[tuple[str, int, PastCommit]] = []
        for row in rows:
            at, tree = milliseconds(self._value(row, "at")), self._tree(row)
            if at is None or tree is None:
                reason = "its time cannot be read" if at is None else "it has no CMI data"
                yield SkippedRows(f"line {row[LINE]}", reason)
                continue
            opened_at = milliseconds(self._value(row, "opened_at")) or at
            commits.append(
                (text_of(self._value(row, "session")), min(opened_at, at), PastCommit(at, tree, self._ended(row)))
            )
        if not commits:
            return
        commits.sort(key=lambda commit: commit[2].at)
        number = text_of(key.get("attempt"))
        if number and not (number.isascii() and number.isdigit() and int(number) > 0):
            yield SkippedRows(name, "its attempt is no number from 1", len(rows))
            return
        first = rows[0]
        launch = Launch(
            lms_id=lms_id,
            learner=LaunchLearner(id=self._text(first, "learner"), name=self._text(first, "learner_name")),
            activity=LaunchActivity(
                id=self._text(first, "activity"),
                name=self._text(first, "activity_name"),
                type=self._text(first, "activity_type"),
            ),
            course=LaunchCourse(id=self._text(first, "course"), name=self._text(first, "course_name")),
            scorm_version=version_of(self._value(first, "scorm_version")),
            attempt_number=int(number) if number else 1,
        )
        sessions: dict[str, list[tuple[int, PastCommit]]] = {}
        for session, opened_at, commit in commits:
            sessions.setdefault(session, []).append((opened_at, commit))
        yield PastAttempt(
            name,
            launch,
            tuple(
                PastSession(f"{name}/{session}", min(at for at, _ in its), tuple(commit for _, commit in its), session)
                for session, its in sessions.items()
            ),
            len(commits),
        )

    def _value(self, row: dict[str, Any], key: str) -> Any:
        column = self._map.columns.get(key)
        return self._map.constants.get(key) if column is None else row[column]

    def _text(self, row: dict[str, Any], key: str) -> str:
        return text_of(self._value(row, key))

    def _ended(self, row: dict[str, Any]) -> bool | None:
        word = self._text(row, "terminated").lower()
        return word in {"1", "true", "t", "yes", "y"} if word else None

    def _tree(self, row: dict[str, Any]) -> Tree | None:
        tree = tree_of(self._value(row, "cmi"))
        elements = {name: row[column] for name, column in self._map.cmi.items() if row[column] not in (None, "")}
        if elements:
            tree = _merged(tree or {}, unflatten(elements))
        return tree if tree and isinstance(tree.get("cmi"), dict) else None


def _merged(tree: Tree, more: Tree) -> Tree:
    return {
        name: _merged(tree[name], value) if isinstance(value, dict) and isinstance(tree.get(name), dict) else value
        for name, value in {**tree, **more}.items()
        if name in more
    } | {name: value for name, value in tree.items() if name not in more}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
