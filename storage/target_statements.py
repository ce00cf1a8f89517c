"""Statements in the form that a target gets, where that is not the statement's own.

A form is made once, with the statement or when a target takes over what waits for none, and never changes: what is sent
again is the same byte for byte, whatever the settings say by then.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, LargeBinary, Table, case, func, literal_column, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

from storage import frames
from storage.prepared import Write, insert_into
from storage.tables import statement, target_statement


class TargetStatement(NamedTuple):
    """A statement as a target gets it; `form` tells in words what is different in `body`."""

    attempt_id: int
    position: int
    target: str
    form: str
    body: str


_insert = insert_into(target_statement, (*TargetStatement._fields, "dictionary_id", "frame"))


def adding(connection: Connection, rows: Sequence[TargetStatement]) -> Write:
    """Return what adds statements in the forms of targets, in frames."""
    compressed = frames.compress(connection, [(frames.ANY_VERSION, row.body.encode()) for row in rows])
    return Write(
        _insert,
        [
            (*row, *frame) if frame.content is None else (*row._replace(body=""), *frame)
            for row, frame in zip(rows, compressed, strict=True)
        ],
    )


def load(connection: Connection, keys: Collection[tuple[int, int]]) -> dict[tuple[int, int], list[TargetStatement]]:
    """Return the forms of statements by attempt id and position, in the order of targets' names; none where none."""
    table, wanted = target_statement.c, set(keys)
    rows = connection.execute(
        select(*(table[name] for name in TargetStatement._fields), table.frame)
        .where(
            table.attempt_id.in_({attempt_id for attempt_id, _ in wanted}),
            table.position.in_({position for _, position in wanted}),
        )
        .order_by(table.attempt_id, table.position, table.target)
    )
    forms: dict[tuple[int, int], list[TargetStatement]] = {}
    for row in rows:
        if (row.attempt_id, row.position) in wanted:
            form = TargetStatement._make((*row[:-2], frames.text_of(connection, row.body, row.frame)))
            forms.setdefault((row.attempt_id, row.position), []).append(form)
    return forms


def of_statement(connection: Connection, statement_id: str) -> dict[str, TargetStatement]:
    """Return the forms of the statement with an id by the names of their targets."""
    key = connection.execute(
        select(statement.c.attempt_id, statement.c.position).where(statement.c.id == statement_id)
    ).one_or_none()
    if key is None:
        return {}
    forms = load(connection, [(key.attempt_id, key.position)])
    return {form.target: form for target_forms in forms.values() for form in target_forms}


def descriptions(
    connection: Connection, keys: Collection[tuple[int, int]]
) -> dict[tuple[int, int], tuple[tuple[str, str], ...]]:
    """Return (target, what is different) of the forms of statements, by attempt id and position; none where none."""
    table = target_statement.c
    forms: dict[tuple[int, int], tuple[tuple[str, str], ...]] = {}
    for row in connection.execute(
        select(table.attempt_id, table.position, table.target, table.form)
        .where(
            table.attempt_id.in_({attempt_id for attempt_id, _ in keys}),
            table.position.in_({position for _, position in keys}),
        )
        .order_by(table.attempt_id, table.position, table.target)
    ):
        key = row.attempt_id, row.position
        forms[key] = (*forms.get(key, ()), (row.target, row.form))
    return forms


def content_for(target: ColumnElement[str]) -> ColumnElement[bytes]:
    """Return what is stored of a joined statement's body as a target gets it: the frame, or the text's bytes.

    `read_contents` reads them.
    """
    table = target_statement.c
    stored_form = (
        select(_content(target_statement))
        .where(
            table.attempt_id == statement.c.attempt_id,
            table.position == statement.c.position,
            table.target == target,
        )
        # with a limit, PostgreSQL looks it up for each statement in turn; else it may join all with all
        .limit(literal_column("1"))
        .scalar_subquery()
    )
    # looked at once: where there are no forms at all, none is looked up
    first = select(literal_column("1")).select_from(target_statement).limit(literal_column("1")).scalar_subquery()
    own = _content(statement)
    return case((first.is_(None), own), else_=func.coalesce(stored_form, own))


def _content(table: Table) -> ColumnElement[bytes]:
    return func.coalesce(table.c.frame, _Utf8(table.c.body))


class _Utf8(GenericFunction[bytes]):
    """The bytes of a text."""

    type = LargeBinary()
    inherit_cache = True


@compiles(_Utf8, "sqlite")
def _utf8_on_sqlite(element: _Utf8, compiler: SQLCompiler, **options: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **options)} AS BLOB)"


@compiles(_Utf8, "postgresql")
def _utf8_on_postgresql(element: _Utf8, compiler: SQLCompiler, **options: Any) -> str:
    return f"convert_to({compiler.process(element.clauses, **options)}, 'UTF8')"


def content_size(content: bytes) -> int:
    """Return the bytes of a statement, given what is stored of it.

    Raises:
        FrameError: it is damaged.
    """
    return frames.content_size(content) if frames.is_frame(content) else len(content)


def read_contents(connection: Connection, contents: Sequence[bytes]) -> list[bytes]:
    """Return statements, given what is stored of them.

    Raises:
        FrameError: one is damaged.
    """
    read = iter(frames.decompress_all(connection, [content for content in contents if frames.is_frame(content)]))
    return [next(read) if frames.is_frame(content) else content for content in contents]
