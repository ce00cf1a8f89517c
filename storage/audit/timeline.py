"""One attempt whole: its sessions, its commits with the statements they made, deliveries with tries, and documents."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select

from storage import lookups
from storage.audit import attempts
from storage.audit.attempts import AttemptRow
from storage.audit.pages import decode, encode
from storage.deliveries import TryLine
from storage.lookups import DocumentLine
from storage.tables import attempt, delivery, delivery_try, journal, mapping_version, session, statement, try_

COMMITS = 500
"""Commits of a page."""

TRIES = 20
"""Tries of a delivery that are shown, the last ones."""


class SessionLine(NamedTuple):
    """A session of the attempt. `ended` is None while it is open."""

    session_id: str
    entry: str
    commits: int
    started_at: int
    last_commit_at: int | None
    ended_at: int | None
    ended: str | None


class DeliveryLine(NamedTuple):
    """A delivery. `tried` are its last tries in their order, at most `TRIES`; `tries` tells how many there were."""

    id: int
    target: str
    state: str
    tries: int
    not_before: int
    settled_at: int | None
    tried: tuple[TryLine, ...]


class StatementLine(NamedTuple):
    """A statement that a commit made, by which rule of which version of a mapping; `body` is its JSON."""

    id: str
    position: int
    rule: str
    verb: str
    made_at: int
    problem: str | None
    body: str
    mapping: str
    mapping_hash: str
    deliveries: tuple[DeliveryLine, ...]


class CommitLine(NamedTuple):
    """A commit as it was received, without its body, and the statements it made.

    `size` is the body's in bytes, None where it is that of `duplicate_of`; `reply` is the answer as JSON, None for a
    duplicate, which got the first one's once more.
    """

    session_id: str
    number: int
    received_at: int
    wire_format: str
    content_type: str
    disposition: str
    duplicate_of: int | None
    digest: str
    sequence: int | None
    idempotency_key: str | None
    size: int | None
    reply: str | None
    statements: tuple[StatementLine, ...] = ()


class Timeline(NamedTuple):
    """An attempt with its sessions in the order they began, and its commits in the order they were received.

    `before` is the answer to the commit before the first of these, None where there is none; `after` is the cursor of
    the commits that follow, None where there are none.
    """

    attempt: AttemptRow
    sessions: list[SessionLine]
    commits: list[CommitLine]
    documents: list[DocumentLine]
    before: str | None
    after: str | None


class Received(NamedTuple):
    """One commit with its body as it was received.

    `attempt` is the one it belongs to; `before` is the answer to that one's commit before it, None where there is none;
    `at` is the cursor of the page of the timeline that begins with it.
    """

    attempt: AttemptRow
    commit: CommitLine
    body: bytes
    before: str | None
    at: str


_COMMIT: Select[Any] = select(
    *(journal.c[name] for name in CommitLine._fields[:10]), func.length(journal.c.body), journal.c.reply
)


def timeline(
    connection: Connection, attempt_id: str, *, after: str | None = None, most: int = COMMITS
) -> Timeline | None:
    """Give an attempt by its UUID with at most `most` commits, None where there is none.

    Raises:
        ValueError: `after` is no cursor of a timeline.
    """
    begins = 0 if after is None else _place(after)
    shown = attempts.one(connection, attempt_id)
    if shown is None:
        return None
    key = connection.execute(select(attempt.c.id).where(attempt.c.uuid == attempt_id)).scalar_one()
    # of one attempt, by the index on its sessions, however long the journal is
    place = journal.c.id + 0
    rows = connection.execute(
        _COMMIT.add_columns(journal.c.id)
        .where(journal.c.session_id.in_(select(session.c.session_id).where(session.c.attempt_id == key)))
        .where(place > begins)
        .order_by(place)
        .limit(most + 1)
    ).all()
    commits = [CommitLine(*row[:-1]) for row in rows[:most]]
    return Timeline(
        shown,
        [
            SessionLine(*row)
            for row in connection.execute(
                select(*(session.c[name] for name in SessionLine._fields))
                .where(session.c.attempt_id == key)
                .order_by(session.c.started_at, session.c.session_id)
            )
        ],
        _with_statements(connection, key, commits),
        lookups.documents(connection, key),
        _answer_before(connection, key, begins + 1),
        encode([rows[most - 1][-1]]) if len(rows) > most else None,
    )


def received(connection: Connection, session_id: str, number: int) -> Received | None:
    """Give one commit of a session with its body and what it made, None where there is none of this number."""
    this = journal.c.session_id == session_id
    row = connection.execute(
        _COMMIT.add_columns(journal.c.body, journal.c.id).where(this, journal.c.number == number)
    ).one_or_none()
    if row is None:
        return None
    *told, body, place = row
    line = CommitLine(*told)
    if body is None:
        body = connection.execute(
            select(journal.c.body).where(this, journal.c.number == line.duplicate_of)
        ).scalar_one()
    key = connection.execute(select(session.c.attempt_id).where(session.c.session_id == session_id)).scalar_one()
    (line,) = _with_statements(connection, key, [line])
    owner = AttemptRow(*connection.execute(attempts.ROWS.where(attempt.c.id == key)).one())
    return Received(owner, line, bytes(body), _answer_before(connection, key, place), encode([place - 1]))


def _answer_before(connection: Connection, key: int, place: int) -> str | None:
    """Give the answer to the last of an attempt's commits below a place in the journal; duplicates have none."""
    newest = journal.c.id + 0
    found: str | None = connection.execute(
        select(journal.c.reply)
        .where(journal.c.session_id.in_(select(session.c.session_id).where(session.c.attempt_id == key)))
        .where(newest < place, journal.c.reply.is_not(None))
        .order_by(newest.desc())
        .limit(1)
    ).scalar_one_or_none()
    return found


def enrollment_commits(connection: Connection, session_id: str) -> int:
    """Tell how many commits the enrollment of a session has had, 0 where there is no such session."""
    owner = (
        select(attempt.c.enrollment_id)
        .join(session, session.c.attempt_id == attempt.c.id)
        .where(session.c.session_id == session_id)
    )
    its = select(attempt.c.id).where(attempt.c.enrollment_id.in_(owner))
    return int(
        connection.execute(
            select(func.coalesce(func.sum(session.c.commits), 0)).where(session.c.attempt_id.in_(its))
        ).scalar_one()
    )


def _place(cursor: str) -> int:
    match decode(cursor):
        case [int(place)] if 0 <= place < 2**63:
            return place
    raise ValueError("The page's cursor is of another search; start from the first page.")


def _with_statements(connection: Connection, key: int, commits: Sequence[CommitLine]) -> list[CommitLine]:
    if not commits:
        return []
    rows = connection.execute(
        select(
            statement.c.session_id,
            statement.c.commit_number,
            *(statement.c[name] for name in StatementLine._fields[:7]),
            mapping_version.c.name,
            mapping_version.c.content_hash,
        )
        .join(mapping_version)
        .where(statement.c.attempt_id == key, _of_commits(commits))
        .order_by(statement.c.position)
    ).all()
    ways = _deliveries(connection, key, [row.position for row in rows])
    made: dict[tuple[str, int], list[StatementLine]] = defaultdict(list)
    for row in rows:
        made[row.session_id, row.commit_number].append(StatementLine(*row[2:], tuple(ways[row.position])))
    return [one._replace(statements=tuple(made.get((one.session_id, one.number), ()))) for one in commits]


def _of_commits(commits: Sequence[CommitLine]) -> ColumnElement[bool]:
    """Meet a session's commits by their first and last number: there are none between that are not asked for."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for one in commits:
        numbers[one.session_id].append(one.number)
    return or_(
        *(
            and_(statement.c.session_id == session_id, statement.c.commit_number.between(min(its), max(its)))
            for session_id, its in numbers.items()
        )
    )


def _deliveries(connection: Connection, key: int, positions: Sequence[int]) -> dict[int, list[DeliveryLine]]:
    found: dict[int, list[DeliveryLine]] = defaultdict(list)
    if not positions:
        return found
    within = and_(delivery.c.attempt_id == key, delivery.c.position.between(positions[0], positions[-1]))
    without = select(delivery_try.c.delivery_id, delivery_try.c.try_id).where(
        delivery_try.c.delivery_id.in_(select(delivery.c.id).where(within))
    )
    settling = select(delivery.c.id, delivery.c.settled_by).where(within, delivery.c.settled_by.is_not(None))
    each = without.union_all(settling).subquery()
    back = func.row_number().over(partition_by=each.c.delivery_id, order_by=each.c.try_id.desc())
    last = select(each.c.delivery_id, each.c.try_id, back.label("back")).subquery()
    tried: dict[int, list[TryLine]] = defaultdict(list)
    for row in connection.execute(
        select(last.c.delivery_id, *(try_.c[name] for name in TryLine._fields))
        .join(try_, try_.c.id == last.c.try_id)
        .where(last.c.back <= TRIES)
        .order_by(last.c.try_id)
    ):
        tried[row.delivery_id].append(TryLine(*row[1:]))
    names = DeliveryLine._fields[:-1]
    for row in connection.execute(
        select(delivery.c.position, *(delivery.c[name] for name in names)).where(within).order_by(delivery.c.id)
    ):
        found[row.position].append(DeliveryLine._make((*row[1:], tuple(tried.get(row.id, ())))))
    return found
