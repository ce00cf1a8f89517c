"""Finding by what people remember: a part of a name, an id, or the beginning of a UUID."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, literal, select, tuple_

from storage.queries.keyset import PAGE_SIZE, CursorError, ResultPage, decode, encode, within_prefix
from storage.search_index import FIELDS, ID, MAX_TERM_LENGTH, MAX_WORDS, progress, terms, words
from storage.search_tables import search_entry, search_term
from storage.states import SearchField, SearchKind
from storage.tables import attempt, document, enrollment, lms, session, statement

CHUNK = 250
"""Terms read at once."""
MAX_READ = 2_000
"""Terms that a page looks at."""
MIN_UUID_DIGITS = 8
"""Digits of a UUID by which something is found."""
MAX_UUIDS = 5
"""Rows of a table that are shown where several UUIDs begin so."""

_HEX = frozenset("0123456789abcdef")
_UUIDS = {
    "statement": statement.c.id,
    "enrollment": enrollment.c.registration,
    "attempt": attempt.c.uuid,
    "session": session.c.session_id,
    "document": document.c.id,
}
_ENTRIES: Select[Any] = select(search_entry.c.subject_id, search_entry.c.name, lms.c.name.label("lms"))


class SearchHit(NamedTuple):
    """A learner, course or activity; the name is empty where it is not known, or may not be seen."""

    kind: str
    lms: str
    subject_id: str
    name: str


class UuidHit(NamedTuple):
    """A row that a UUID identifies, by its table; `attempt` is that of a session."""

    table: str
    uuid: str
    attempt: str = ""


class _Position(NamedTuple):
    """How far a search has come: to which field, and which term of which entry."""

    place: int
    term: str
    entry_id: int


class _Query(NamedTuple):
    """What is looked for. `prefix` is the beginning of its longest word; `places` are the fields to be searched."""

    kind: SearchKind
    text: str
    words: Sequence[str]
    prefix: str
    places: Sequence[int]


def search(
    connection: Connection,
    kind: SearchKind,
    text: str,
    *,
    sees_names: bool,
    after: str | None = None,
    limit: int = PAGE_SIZE,
) -> ResultPage[SearchHit]:
    """Return a page of what has each word of a text in its name, or at the beginning of a word of its id.

    What has exactly this id comes first, then what has a word of the name that begins so, then what has it inside of
    a word, then the other ids. Without `sees_names`, learners are found by their ids alone and have no names.

    Raises:
        CursorError: `after` is no cursor of a search.
    """
    is_hidden = kind == SearchKind.LEARNER and not sees_names
    parts = words(text)[:MAX_WORDS]
    prefix = max(parts, key=len, default="")[:MAX_TERM_LENGTH]
    query = _Query(kind, text.strip(), parts, prefix, [ID] if is_hidden else range(len(FIELDS[kind])))
    position = _Position(0, "", 0) if after is None else _decode(after)
    rows = [] if after is not None else _exact(connection, query)
    rest = _collect(connection, query, position, rows, limit) if parts else None
    hits = [SearchHit(kind.value, row.lms, row.subject_id, "" if is_hidden else row.name) for row in rows]
    return ResultPage(hits, rest)


def find_uuid(connection: Connection, text: str) -> list[UuidHit]:
    """Return what has this UUID, or one that begins with these digits, if there are enough of them."""
    digits = text.strip().lower().replace("-", "")
    if not MIN_UUID_DIGITS <= len(digits) <= 32 or not _HEX.issuperset(digits):
        return []
    first, last = (_hyphenated(digits.ljust(32, filler)) for filler in "0f")
    hits = []
    for table, column in _UUIDS.items():
        within = column.between(literal(first, column.type), literal(last, column.type))
        query = select(column, attempt.c.uuid).join(attempt) if table == "session" else select(column, literal(""))
        rows = connection.execute(query.where(within).order_by(column).limit(MAX_UUIDS))
        hits += [UuidHit(table, str(row[0]), str(row[1])) for row in rows]
    return hits


def is_complete(connection: Connection, created_before: int) -> bool:
    """Return whether all enrollments from before a time are indexed."""
    row = connection.execute(
        select(enrollment.c.created_at).where(enrollment.c.id > progress(connection)).order_by(enrollment.c.id).limit(1)
    ).one_or_none()
    return row is None or row.created_at >= created_before


def _exact(connection: Connection, query: _Query) -> list[Row[Any]]:
    lms_ids = list(connection.execute(select(lms.c.id)).scalars())
    return list(
        connection.execute(
            _ENTRIES.join_from(search_entry, lms)
            .where(
                search_entry.c.kind == query.kind.value,
                search_entry.c.lms_id.in_(lms_ids),  # the index begins with both
                search_entry.c.subject_id == query.text,
            )
            .order_by(search_entry.c.lms_id)
        )
    )


def _collect(
    connection: Connection, query: _Query, position: _Position, rows: list[Row[Any]], limit: int
) -> str | None:
    """Add what follows a position to the rows; return the cursor where there may be more."""
    fields, read = FIELDS[query.kind], 0
    for place in query.places:
        if place < position.place:
            continue
        begin = position if place == position.place else _Position(place, "", 0)
        while True:
            chunk = _chunk(connection, fields[place], query.prefix, begin)
            for row in chunk:
                if _matches(query, row, fields[place]):
                    if len(rows) == limit:
                        return encode(position)
                    rows.append(row)
                position = _Position(place, row.term, row.entry_id)
            read += len(chunk)
            if len(chunk) < CHUNK:
                break
            if read >= MAX_READ:
                return encode(position)
            begin = position
    return None


def _chunk(connection: Connection, field: SearchField, prefix: str, begin: _Position) -> Sequence[Row[Any]]:
    term, entry_id = search_term.c.term, search_term.c.entry_id
    query = (
        _ENTRIES.add_columns(term, entry_id)
        .select_from(search_term.join(search_entry, search_entry.c.id == entry_id).join(lms))
        .where(search_term.c.field == field.value, within_prefix(term, prefix))
        .order_by(term, entry_id)
        .limit(CHUNK)
    )
    if begin.term:
        query = query.where(
            term >= begin.term,
            tuple_(term, entry_id) > tuple_(literal(begin.term, term.type), literal(begin.entry_id, entry_id.type)),
        )
    return connection.execute(query).all()


def _matches(query: _Query, row: Row[Any], field: SearchField) -> bool:
    """Return whether an entry is found by a term, and not by another term before it."""
    if row.subject_id == query.text:
        return False  # it came first
    names = words(row.name) if len(query.places) > 1 else []
    ids = words(row.subject_id)
    for word in query.words:
        if not any(word in name for name in names) and not any(part.startswith(word) for part in ids):
            return False
    its = terms(query.kind, row.name, row.subject_id)
    for place in query.places:
        of_field = FIELDS[query.kind][place]
        field_terms = [term for its_field, term in its if its_field == of_field and term.startswith(query.prefix)]
        if field_terms:
            return bool(of_field == field and row.term == min(field_terms))
    return False


def _decode(cursor: str) -> _Position:
    match decode(cursor):
        case [int(place), str(term), int(entry_id)] if 0 <= place <= ID and 0 <= entry_id < 2**63 and "\0" not in term:
            return _Position(place, term, entry_id)
    raise CursorError("The page's cursor is of another search; start from the first page.")


def _hyphenated(digits: str) -> str:
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
