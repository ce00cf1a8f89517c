"""One attempt whole: its sessions, its commits with the statements they made, deliveries with tries, and documents."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, Subquery, and_, case, func, or_, select

from storage import frames
from storage.deliveries import TryLine
from storage.journal import BODY_SIZE, content_of
from storage.queries import attempts, lookups
from storage.queries.attempts import AttemptRow
from storage.queries.keyset import among, decode, encode
from storage.queries.lookups import DocumentLine
from storage.tables import attempt, delivery, delivery_try, journal, mapping_version, session, statement, try_

COMMITS = 500
"""Commits of a page."""

TRIES = 20
"""Tries of a delivery that are shown, the last ones."""

STATEMENTS = 300
"""Statements of a page: where its commits made more, each is told with some of its own."""

ALL_TRIES = 600
"""Tries of a page: where there are very many deliveries, each is told with its last ones."""

MAX_BODY_LENGTH = 32_768
"""Characters of a statement that is told with the others of a page; of a longer one, that it is there."""

CONTENT = 20_000
"""Bytes of a document that are told on the page of an attempt: its beginning."""

SESSIONS = 50
"""Sessions of a page."""


class TimelineSession(NamedTuple):
    """A session of the attempt. `ended` is None while it is open; `place` counts the attempt's sessions from 1."""

    session_id: str
    entry: str
    commits: int
    started_at: int
    last_commit_at: int | None
    ended_at: int | None
    ended: str | None
    source: str
    place: int


class TimelineDelivery(NamedTuple):
    """A delivery. `tried` are its last tries in their order, at most `TRIES`; `tries` tells how many there were."""

    id: int
    target: str
    state: str
    tries: int
    not_before: int
    settled_at: int | None
    tried: tuple[TryLine, ...]


class TimelineStatement(NamedTuple):
    """A statement that a commit made, by which rule of which version of a mapping.

    `body` is its JSON, empty where it is longer than `MAX_BODY_LENGTH`.
    """

    id: str
    position: int
    rule: str
    verb: str
    created_at: int
    problem: str | None
    body: str
    mapping: str
    mapping_hash: str
    deliveries: tuple[TimelineDelivery, ...]


class TimelineCommit(NamedTuple):
    """A commit as it was received, without its body, and statements it made: the first ones of `made`.

    `size` is the body's in bytes, None where it is that of `duplicate_of`; `response` is JSON, None for a
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
    response: str | None
    statements: tuple[TimelineStatement, ...] = ()
    made: int = 0


class Timeline(NamedTuple):
    """An attempt with some of its sessions in the order they began, and of its commits in the order they were received.

    `all_sessions` tells how many sessions there are, `places` the number of each that the commits are of, and `sources`
    where they come from. Documents have the first bytes of their content. `before` is the answer to the commit before
    the first of these, None where there is none; `after` is the cursor of the commits that follow, None where there are
    none.
    """

    attempt: AttemptRow
    sessions: list[TimelineSession]
    all_sessions: int
    places: dict[str, int]
    sources: dict[str, str]
    commits: list[TimelineCommit]
    documents: list[DocumentLine]
    before: str | None
    after: str | None


class JournaledCommit(NamedTuple):
    """One commit with its body as it was received, None where that was removed as it had become old.

    `attempt` is the one it belongs to, `source` where its session comes from; `before` is the answer to that one's
    commit before it, None where there is none; `at` is the cursor of the page of the timeline that begins with it.
    """

    attempt: AttemptRow
    commit: TimelineCommit
    body: bytes | None
    before: str | None
    at: str
    source: str


_COMMIT: Select[Any] = select(
    *(journal.c[name] for name in TimelineCommit._fields[:10]), BODY_SIZE, journal.c.response, journal.c.frame
)


def timeline(
    connection: Connection, attempt_id: str, *, after: str | None = None, limit: int = COMMITS, first_session: int = 1
) -> Timeline | None:
    """Return an attempt by its UUID with at most `limit` commits, None where there is none.

    Of its sessions, at most `SESSIONS` from number `first_session` on.

    Raises:
        ValueError: `after` is no cursor of a timeline.
    """
    begins = 0 if after is None else _place(after)
    shown = attempts.find(connection, attempt_id)
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
        .limit(limit + 1)
    ).all()
    commits = [_commit(connection, row) for row in rows[:limit]]
    sessions = _sessions(connection, key, first_session)
    return Timeline(
        shown,
        sessions,
        connection.execute(select(func.count()).where(session.c.attempt_id == key)).scalar_one(),
        _places(connection, key, {commit.session_id for commit in commits}),
        _sources(connection, {commit.session_id for commit in commits}),
        _with_statements(connection, key, commits),
        lookups.documents(connection, key, most_bytes=CONTENT),
        _answer_before(connection, key, begins + 1),
        encode([rows[limit - 1][-1]]) if len(rows) > limit else None,
    )


def _numbered(key: int) -> Subquery:
    place = func.row_number().over(order_by=(session.c.started_at, session.c.session_id))
    return select(session.c.session_id, place.label("place")).where(session.c.attempt_id == key).subquery()


def _sessions(connection: Connection, key: int, first: int) -> list[TimelineSession]:
    numbered = _numbered(key)
    rows = connection.execute(
        select(*(session.c[name] for name in TimelineSession._fields[:-1]), numbered.c.place)
        .join(numbered, numbered.c.session_id == session.c.session_id)
        .where(numbered.c.place.between(first, first + SESSIONS - 1))
        .order_by(numbered.c.place)
    )
    return [TimelineSession._make(row) for row in rows]


def _places(connection: Connection, key: int, session_ids: Collection[str]) -> dict[str, int]:
    numbered = _numbered(key)
    rows = connection.execute(
        select(numbered.c.session_id, numbered.c.place).where(numbered.c.session_id.in_(session_ids))
    )
    return {row.session_id: row.place for row in rows}


def _sources(connection: Connection, session_ids: Collection[str]) -> dict[str, str]:
    query = select(session.c.session_id, session.c.source).where(session.c.session_id.in_(session_ids))
    return {row.session_id: row.source for row in connection.execute(query)}


def received(
    connection: Connection, session_id: str, number: int, *, first_statement: int = 1
) -> JournaledCommit | None:
    """Return one commit of a session with its body and what it made, None where there is none of this number.

    Of its statements, at most `STATEMENTS` from the one with the number `first_statement` on.
    """
    this = journal.c.session_id == session_id
    row = connection.execute(
        _COMMIT.add_columns(journal.c.body, journal.c.id).where(this, journal.c.number == number)
    ).one_or_none()
    if row is None:
        return None
    line, place = _commit(connection, row), row.id
    body = content_of(connection, None, row.body, row.frame).body
    if body is None and line.duplicate_of is not None:
        first = connection.execute(
            select(journal.c.body, journal.c.frame).where(this, journal.c.number == line.duplicate_of)
        ).one()
        body = content_of(connection, None, *first).body
    key, source = connection.execute(
        select(session.c.attempt_id, session.c.source).where(session.c.session_id == session_id)
    ).one()
    (line,) = _with_statements(connection, key, [line], first_statement)
    owner = AttemptRow(*connection.execute(attempts.ROWS.where(attempt.c.id == key)).one())
    return JournaledCommit(
        owner,
        line,
        body,
        _answer_before(connection, key, place),
        encode([place - 1]),
        source,
    )


def _commit(connection: Connection, row: Any) -> TimelineCommit:
    response = content_of(connection, row.response, None, row.frame).response
    return TimelineCommit._make((*row[:11], response, (), 0))


def _answer_before(connection: Connection, key: int, place: int) -> str | None:
    """Return the answer to the last of an attempt's commits below a place in the journal; duplicates have none."""
    newest = journal.c.id + 0
    has_frame = and_(journal.c.frame.is_not(None), journal.c.duplicate_of.is_(None))
    row = connection.execute(
        select(journal.c.response, journal.c.body, journal.c.frame)
        .where(journal.c.session_id.in_(select(session.c.session_id).where(session.c.attempt_id == key)))
        .where(newest < place, or_(journal.c.response.is_not(None), has_frame))
        .order_by(newest.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else content_of(connection, *row).response


def enrollment_journal(connection: Connection, session_id: str) -> tuple[int, int]:
    """Return how many commits the enrollment of a session has had, and the bytes of their bodies; 0 and 0 of none."""
    owner = (
        select(attempt.c.enrollment_id)
        .join(session, session.c.attempt_id == attempt.c.id)
        .where(session.c.session_id == session_id)
    )
    its = select(session.c.session_id).join(attempt, attempt.c.id == session.c.attempt_id)
    row = connection.execute(
        select(func.count(), func.coalesce(func.sum(BODY_SIZE), 0)).where(
            journal.c.session_id.in_(its.where(attempt.c.enrollment_id.in_(owner)))
        )
    ).one()
    return int(row[0]), int(row[1])


def _place(cursor: str) -> int:
    match decode(cursor):
        case [int(place)] if 0 <= place < 2**63:
            return place
    raise ValueError("The page's cursor is of another search; start from the first page.")


def _with_statements(
    connection: Connection, key: int, commits: Sequence[TimelineCommit], first: int = 1
) -> list[TimelineCommit]:
    if not commits:
        return []
    of = statement.c.attempt_id == key, _of_commits(commits)
    # the places alone, so that no body is read that is not told
    place = func.row_number().over(
        partition_by=(statement.c.session_id, statement.c.commit_number), order_by=statement.c.position
    )
    placed = select(statement.c.position, place.label("place")).where(*of).subquery()
    numbers = select(statement.c.session_id, statement.c.commit_number, func.count()).where(*of)
    counts = {
        (row[0], row[1]): int(row[2])
        for row in connection.execute(numbers.group_by(statement.c.session_id, statement.c.commit_number))
    }
    limit = STATEMENTS if sum(counts.values()) <= STATEMENTS else max(1, STATEMENTS // len(commits))
    short = case((func.length(statement.c.body) <= MAX_BODY_LENGTH, statement.c.body), else_="")
    rows = connection.execute(
        select(
            statement.c.session_id,
            statement.c.commit_number,
            *(statement.c[name] for name in TimelineStatement._fields[:6]),
            short.label("body"),
            mapping_version.c.name,
            mapping_version.c.content_hash,
            statement.c.frame,
        )
        .join(placed, and_(statement.c.attempt_id == key, placed.c.position == statement.c.position))
        .join(mapping_version, mapping_version.c.id == statement.c.mapping_version_id)
        .where(placed.c.place.between(first, first + limit - 1))
        .order_by(statement.c.position)
    ).all()
    ways = _deliveries(connection, key, [row.position for row in rows])
    by_commit: dict[tuple[str, int], list[TimelineStatement]] = defaultdict(list)
    for row in rows:
        body = frames.text_of(connection, row.body, row.frame)
        shown = TimelineStatement._make((*row[2:-1], tuple(ways[row.position])))
        by_commit[row.session_id, row.commit_number].append(
            shown._replace(body=body if len(body) <= MAX_BODY_LENGTH else "")
        )
    return [
        commit._replace(
            statements=tuple(by_commit.get((commit.session_id, commit.number), ())),
            made=counts.get((commit.session_id, commit.number), 0),
        )
        for commit in commits
    ]


def _of_commits(commits: Sequence[TimelineCommit]) -> ColumnElement[bool]:
    """Return the condition of being of these commits of sessions, by the first and last number of each session's."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for commit in commits:
        numbers[commit.session_id].append(commit.number)
    return or_(
        *(
            and_(statement.c.session_id == session_id, statement.c.commit_number.between(min(its), max(its)))
            for session_id, its in numbers.items()
        )
    )


def _deliveries(connection: Connection, key: int, positions: Sequence[int]) -> dict[int, list[TimelineDelivery]]:
    by_position: dict[int, list[TimelineDelivery]] = defaultdict(list)
    if not positions:
        return by_position
    within = and_(delivery.c.attempt_id == key, among(connection, delivery.c.position, positions))
    number = connection.execute(select(func.count()).select_from(delivery).where(within)).scalar_one()
    limit = max(1, min(TRIES, ALL_TRIES // max(1, number)))
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
        .where(last.c.back <= limit)
        .order_by(last.c.try_id)
    ):
        tried[row.delivery_id].append(TryLine(*row[1:]))
    names = TimelineDelivery._fields[:-1]
    for row in connection.execute(
        select(delivery.c.position, *(delivery.c[name] for name in names)).where(within).order_by(delivery.c.id)
    ):
        by_position[row.position].append(TimelineDelivery._make((*row[1:], tuple(tried.get(row.id, ())))))
    return by_position
