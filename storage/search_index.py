"""The search index: what people find learners, courses and activities by, written after the commits that name them.

A name is found by any part of any of its words, so each word is there from each of its letters on: a range of an index
has all that begin with what somebody types. Ids are found by the beginnings of their words. Commits write nothing for
it but which enrollment got another name; new enrollments are found by their ids, which only rise.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, select, update

from storage.engine import insert_for
from storage.search_tables import search_entry, search_progress, search_rename, search_term
from storage.states import SearchField, SearchKind
from storage.tables import enrollment

MAX_TERM_LENGTH = 24
"""Characters of a term."""
MAX_TERMS = 64
"""Terms of a name, or of an id."""
MAX_WORDS = 16
"""Words of a name or id that are looked at."""
READ_SIZE = 500
"""Enrollments looked at together."""
BATCH_SIZE = 100
"""Entries written in one transaction: a few milliseconds."""

_WORD = re.compile(r"[^\W_]+")
_LOCK = 0x5C0_24A_3  # any number that nobody else takes

NAME, INSIDE, ID = 0, 1, 2
FIELDS: Mapping[SearchKind, tuple[SearchField, SearchField, SearchField]] = {
    SearchKind.LEARNER: (SearchField.LEARNER_NAME, SearchField.LEARNER_INSIDE, SearchField.LEARNER_ID),
    SearchKind.COURSE: (SearchField.COURSE_NAME, SearchField.COURSE_INSIDE, SearchField.COURSE_ID),
    SearchKind.ACTIVITY: (SearchField.ACTIVITY_NAME, SearchField.ACTIVITY_INSIDE, SearchField.ACTIVITY_ID),
}
"""The fields of each kind: beginnings of the name's words, what is inside of these, and the id's words."""


class SearchSubject(NamedTuple):
    """What an entry is about, by the id that its LMS gave it."""

    kind: str
    lms_id: int
    subject_id: str


class Indexed(NamedTuple):
    """A subject's name, and the id of its entry, where it has one."""

    name: str
    entry_id: int | None = None


class IndexBatch(NamedTuple):
    """What is to be written. `reached` is the last enrollment looked at; `has_more` where there may be others."""

    entries: Mapping[SearchSubject, Indexed]
    renames: Sequence[int]
    reached: int
    has_more: bool


def words(text: str) -> list[str]:
    """Return the words of a text in lower case and without accents."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return _WORD.findall("".join(letter for letter in plain if unicodedata.category(letter) != "Mn").casefold())


def terms(kind: str, name: str, subject_id: str) -> set[tuple[SearchField, str]]:
    """Return the terms that an entry has: field and term."""
    fields = FIELDS[SearchKind(kind)]
    terms_of_learner = dict.fromkeys((fields[NAME], word[:MAX_TERM_LENGTH]) for word in words(name)[:MAX_WORDS])
    inside = [
        (fields[INSIDE], word[at : at + MAX_TERM_LENGTH])
        for word in words(name)[:MAX_WORDS]
        for at in range(1, min(len(word), MAX_TERMS))
    ]
    terms_of_learner |= dict.fromkeys(inside[:MAX_TERMS])
    terms_of_learner |= dict.fromkeys((fields[ID], word[:MAX_TERM_LENGTH]) for word in words(subject_id)[:MAX_WORDS])
    return set(terms_of_learner)


def progress(connection: Connection) -> int:
    """Return the last enrollment up to which all are indexed, 0 where none is."""
    return connection.execute(select(search_progress.c.enrollment_id)).scalar_one_or_none() or 0


def load_renames(connection: Connection) -> IndexBatch:
    """Return what is to be written for enrollments that got other names."""
    rows = connection.execute(
        select(search_rename.c.id, search_rename.c.enrollment_id).order_by(search_rename.c.id).limit(BATCH_SIZE // 4)
    ).all()
    # read after the renames: they are of these names, or of older ones
    owners = _enrollments(connection, [row.enrollment_id for row in rows])
    return IndexBatch(_missing(connection, owners, renames=True), [row.id for row in rows], 0, bool(rows))


def load_enrollments(
    connection: Connection, after: int, *, created_before: int | None = None, renames: bool = True
) -> IndexBatch:
    """Return what is to be written for the enrollments after one, in the order of their ids.

    With `created_before`, only for those before the first that is younger: the ids of transactions that are under way
    can be lower than those that are there. Without `renames`, entries that are there keep their names.
    """
    rows = connection.execute(
        select(enrollment.c.id, enrollment.c.created_at)
        .where(enrollment.c.id > after)
        .order_by(enrollment.c.id)
        .limit(READ_SIZE)
    ).all()
    ids = []
    for row in rows:
        if created_before is not None and row.created_at >= created_before:
            break
        ids.append(row.id)
    entries: dict[SearchSubject, Indexed] = {}
    reached = after
    missing = _missing(connection, owners := _enrollments(connection, ids), renames=renames)
    for enrollment_id in ids:
        if len(entries) >= BATCH_SIZE:
            break
        entries |= {subject: missing[subject] for subject in owners[enrollment_id] if subject in missing}
        reached = enrollment_id
    return IndexBatch(entries, (), reached, reached < ids[-1] or len(ids) == READ_SIZE if ids else False)


def store(connection: Connection, batch: IndexBatch, progress_to: int | None = None) -> bool:
    """Write a batch, and that all up to an enrollment is indexed; return False where another process is writing."""
    if (
        connection.dialect.name == "postgresql"
        and not connection.execute(select(func.pg_try_advisory_xact_lock(_LOCK))).scalar_one()
    ):
        return False
    removed = _without_enrollment(
        connection, [subject for subject, entry in batch.entries.items() if not entry.entry_id]
    )
    rows: list[tuple[int, set[tuple[SearchField, str]]]] = []
    for subject, indexed in batch.entries.items():
        if subject in removed:
            continue
        wanted = terms(subject.kind, indexed.name, subject.subject_id)
        if indexed.entry_id is None:
            new = insert_for(connection, search_entry).values(subject._asdict() | {"name": indexed.name})
            key = connection.execute(new.on_conflict_do_nothing().returning(search_entry.c.id)).scalar_one_or_none()
            if key is not None:  # else another process was first
                rows.append((key, wanted))
            continue
        key = indexed.entry_id
        old_name = connection.execute(select(search_entry.c.name).where(search_entry.c.id == key)).scalar_one_or_none()
        if old_name is None:
            continue
        had = terms(subject.kind, old_name, subject.subject_id)
        connection.execute(update(search_entry).where(search_entry.c.id == key).values(name=indexed.name))
        _remove(connection, key, had - wanted)
        rows.append((key, wanted - had))
    values = [{"field": field.value, "term": term, "entry_id": key} for key, pairs in rows for field, term in pairs]
    if values:
        connection.execute(insert_for(connection, search_term).on_conflict_do_nothing(), values)
    if batch.renames:
        connection.execute(delete(search_rename).where(search_rename.c.id.in_(batch.renames)))
    if progress_to is not None:
        row = insert_for(connection, search_progress).values(id=1, enrollment_id=progress_to)
        connection.execute(row.on_conflict_do_update(index_elements=["id"], set_={"enrollment_id": progress_to}))
    return True


def forget(connection: Connection, subject: SearchSubject) -> bool:
    """Remove a subject from the index, with or after its enrollments; return whether it was there.

    On PostgreSQL what is being indexed is waited for: what was read before the enrollments went is not written after.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    its = [getattr(search_entry.c, name) == part for name, part in subject._asdict().items()]
    row = connection.execute(delete(search_entry).where(*its).returning(search_entry.c.id, search_entry.c.name)).first()
    if row is None:
        return False
    _remove(connection, row.id, terms(subject.kind, row.name, subject.subject_id))
    return True


def _without_enrollment(connection: Connection, subjects: Iterable[SearchSubject]) -> set[SearchSubject]:
    """Return the learners whose enrollments are gone since they were read."""
    by_lms: dict[int, list[str]] = {}
    for subject in subjects:
        if subject.kind == SearchKind.LEARNER:
            by_lms.setdefault(subject.lms_id, []).append(subject.subject_id)
    removed: set[SearchSubject] = set()
    for lms_id, ids in by_lms.items():
        rows = connection.execute(
            select(enrollment.c.learner_id)
            .where(enrollment.c.lms_id == lms_id, enrollment.c.learner_id.in_(ids))
            .distinct()
        )
        removed |= {
            SearchSubject(SearchKind.LEARNER.value, lms_id, subject_id) for subject_id in {*ids} - {*rows.scalars()}
        }
    return removed


def _remove(connection: Connection, entry_id: int, pairs: Iterable[tuple[SearchField, str]]) -> None:
    rows = [{"its_field": field.value, "its_term": term} for field, term in pairs]
    if rows:
        connection.execute(
            delete(search_term).where(
                search_term.c.entry_id == entry_id,
                search_term.c.field == bindparam("its_field"),
                search_term.c.term == bindparam("its_term"),
            ),
            rows,
        )


def _enrollments(connection: Connection, ids: Sequence[int]) -> dict[int, dict[SearchSubject, str]]:
    """Return enrollment -> its subjects and their names, in the order of the ids."""
    columns = (
        "id", "lms_id", "learner_id", "learner_name", "course_id", "course_name", "activity_id", "activity_name"
    )  # fmt: skip
    query = select(*(enrollment.c[name] for name in columns)).where(enrollment.c.id.in_(ids)).order_by(enrollment.c.id)
    owners: dict[int, dict[SearchSubject, str]] = {}
    for row in connection.execute(query) if ids else ():
        owners[row.id] = {
            SearchSubject(kind.value, row.lms_id, subject_id): name
            for kind, subject_id, name in (
                (SearchKind.LEARNER, row.learner_id, row.learner_name),
                (SearchKind.COURSE, row.course_id, row.course_name),
                (SearchKind.ACTIVITY, row.activity_id, row.activity_name),
            )
            if subject_id
        }
    return owners


def _missing(
    connection: Connection, owners: Mapping[int, Mapping[SearchSubject, str]], *, renames: bool
) -> dict[SearchSubject, Indexed]:
    """Return those of the subjects that have no entry, or one of another name."""
    names: dict[SearchSubject, str] = {}
    for subjects in owners.values():
        for subject, name in subjects.items():
            if name or subject not in names:
                names[subject] = name
    stored = _stored(connection, names)
    missing = {}
    for subject, name in names.items():
        entry = stored.get(subject)
        if entry is None:
            missing[subject] = Indexed(name)
        elif renames and name and name != entry.name:
            missing[subject] = Indexed(name, entry.entry_id)
    return missing


def _stored(connection: Connection, subjects: Iterable[SearchSubject]) -> dict[SearchSubject, Indexed]:
    by_owner: dict[tuple[str, int], list[str]] = {}
    for subject in subjects:
        by_owner.setdefault((subject.kind, subject.lms_id), []).append(subject.subject_id)
    stored: dict[SearchSubject, Indexed] = {}
    for (kind, lms_id), ids in by_owner.items():
        rows = connection.execute(
            select(search_entry.c.id, search_entry.c.subject_id, search_entry.c.name).where(
                search_entry.c.kind == kind, search_entry.c.lms_id == lms_id, search_entry.c.subject_id.in_(ids)
            )
        )
        stored |= {SearchSubject(kind, lms_id, row.subject_id): Indexed(row.name, row.id) for row in rows}
    return stored
