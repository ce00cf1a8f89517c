"""Statements in the form that a target gets, where that is not the statement's own.

A form is made once, with the statement or when a target takes over what waits for none, and never changes: what is sent
again is the same byte for byte, whatever the settings say by then.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, case, func, literal_column, select

from storage.prepared import Write, insert_into
from storage.tables import statement, target_statement


class TargetStatement(NamedTuple):
    """A statement as a target gets it; `form` tells in words what is different in `body`."""

    attempt_id: int
    position: int
    target: str
    form: str
    body: str


_insert = insert_into(target_statement, TargetStatement._fields)


def adding(rows: Sequence[TargetStatement]) -> Write:
    """Return what adds statements in the forms of targets."""
    return Write(_insert, rows)


def load(connection: Connection, keys: Collection[tuple[int, int]]) -> dict[tuple[int, int], list[TargetStatement]]:
    """Return the forms of statements by attempt id and position, in the order of targets' names; none where none."""
    table, wanted = target_statement.c, set(keys)
    rows = connection.execute(
        select(*(table[name] for name in TargetStatement._fields))
        .where(
            table.attempt_id.in_({attempt_id for attempt_id, _ in wanted}),
            table.position.in_({position for _, position in wanted}),
        )
        .order_by(table.attempt_id, table.position, table.target)
    )
    forms: dict[tuple[int, int], list[TargetStatement]] = {}
    for row in rows:
        if (row.attempt_id, row.position) in wanted:
            forms.setdefault((row.attempt_id, row.position), []).append(TargetStatement._make(row))
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


def body_for(target: ColumnElement[str]) -> ColumnElement[str]:
    """Return the body of a joined statement as a target gets it."""
    table = target_statement.c
    stored_form = (
        select(table.body)
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
    return case((first.is_(None), statement.c.body), else_=func.coalesce(stored_form, statement.c.body))
