"""Erasures of learners: what was asked, what became of it here and at each target, and who is refused from then on.

None of it names a person. Learners are known by keyed hashes, so that a learner who comes again can be recognized, and
nobody can be found by trying ids without the key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, case, delete, func, insert, select, text, update

from storage.engine import insert_for
from storage.erasure_tables import STATEMENTS, digest_key, erasure, erasure_target, refused_learner, removal
from storage.queries.keyset import KeysetOrder, ResultPage, ScanLimit

LOCK_TIMEOUT = 300
"""Milliseconds that launches of new learners may wait, on PostgreSQL, while a refusal is stored."""
_ALL = 0
"""What stands for all LMSs in a digest; no LMS has this id."""


class Later(StrEnum):
    """What becomes of what comes later of an erased learner."""

    REFUSE = "refuse"
    """It is refused."""
    ACCEPT = "accept"
    """It is taken, as of somebody new."""


class ErasedTarget(NamedTuple):
    """What became of an erased learner's data at a target.

    Attributes:
        withdrawn: deliveries that waited and are not sent.
        kept: statements and documents that stay, as the settings say.
        permanent: voiding statements that name the learner, which cannot be voided.
        voided: statements that the target has voided, or never had.
        deleted: documents that it has deleted, or never had.
        waiting: statements to void and documents to delete that it has not answered for.
        waiting_documents: the documents among those.
        answer: what it said last about one of those; empty if nothing.
    """

    target: str
    withdrawn: int
    kept: int
    permanent: int
    voided: int
    deleted: int
    waiting: int
    waiting_documents: int
    answer: str


class Erasure(NamedTuple):
    """An erasure; times are milliseconds since the epoch, `finished_at` None while rows are left here.

    `lms` is None for all LMSs, `counts` are the rows that were deleted here, by kind.
    """

    id: int
    uuid: str
    lms: str | None
    later: Later
    began_at: int
    finished_at: int | None
    by: str
    reason: str
    counts: dict[str, int]
    targets: list[ErasedTarget]


class NewErasure(NamedTuple):
    """What an erasure is created from; `lms` is None for all LMSs."""

    uuid: str
    digest: str
    lms: str | None
    later: Later
    began_at: int
    by: str
    reason: str


_NEWEST = KeysetOrder(erasure.c.id)
_COUNTED = ("withdrawn", "kept", "permanent", "voided", "deleted")


def stored_digest_key(connection: Connection) -> bytes | None:
    """Return the key of the hashes of learners, None where no bridge was started yet."""
    stored = connection.execute(select(digest_key.c.key)).scalar_one_or_none()
    return None if stored is None else bytes(stored)


def ensure_digest_key(connection: Connection, new_key: bytes) -> bytes:
    """Return the key of the hashes of learners, which is the new one where there is none."""
    connection.execute(insert_for(connection, digest_key).values(id=1, key=new_key).on_conflict_do_nothing())
    return bytes(connection.execute(select(digest_key.c.key)).scalar_one())


def learner_digest(key: bytes, lms_id: int | None, learner_id: str) -> str:
    """Return what stands for a learner of an LMS, or of all where that is None."""
    who = f"{lms_id or _ALL}\n{learner_id}".encode(errors="replace")
    return hashlib.blake2b(who, digest_size=32, key=key).hexdigest()


def refuse(connection: Connection, digests: Mapping[int, str]) -> None:
    """Refuse what comes later of a learner, known by a digest for each LMS's id.

    When this is committed, whoever was about to enroll them has finished, and nobody else will.

    Raises:
        sqlalchemy.exc.OperationalError: on PostgreSQL, others read for so long that launches would have to wait.
    """
    if connection.dialect.name == "postgresql":
        # enrolling reads this table until its transaction ends; without the lock one of them could miss the refusal
        connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT}"))
        connection.execute(text("LOCK TABLE refused_learner IN ACCESS EXCLUSIVE MODE"))
    rows = [{"lms_id": lms_id, "digest": digest} for lms_id, digest in sorted(digests.items())]
    if rows:
        connection.execute(insert_for(connection, refused_learner).on_conflict_do_nothing(), rows)


def accept(connection: Connection, digests: Collection[str]) -> None:
    """Take what comes later of a learner who was refused."""
    connection.execute(delete(refused_learner).where(refused_learner.c.digest.in_(digests)))


def is_refused(connection: Connection, digests: Collection[str]) -> bool:
    """Return whether any of these learners is refused."""
    query = select(refused_learner.c.digest).where(refused_learner.c.digest.in_(digests)).limit(1)
    return connection.execute(query).first() is not None


def unfinished(connection: Connection, digest: str) -> int | None:
    """Return the id of the erasure of a learner that was interrupted, None where there is none."""
    query = select(erasure.c.id).where(erasure.c.digest == digest, erasure.c.finished_at.is_(None))
    return connection.execute(query.order_by(erasure.c.id.desc()).limit(1)).scalar_one_or_none()


def begin(connection: Connection, new: NewErasure) -> int:
    """Store an erasure and return its id."""
    row = insert(erasure).values(**new._asdict(), counts="{}").returning(erasure.c.id)
    return int(connection.execute(row).scalar_one())


def resume(connection: Connection, erasure_id: int, later: Later) -> None:
    """Resume an erasure; what comes later of the learner is decided anew."""
    connection.execute(update(erasure).where(erasure.c.id == erasure_id).values(later=later))


def finish(connection: Connection, erasure_id: int, now: int) -> None:
    """Note that nothing of the learner is left here."""
    connection.execute(update(erasure).where(erasure.c.id == erasure_id).values(finished_at=now))


def add_counts(connection: Connection, erasure_id: int, counts: Mapping[str, int]) -> None:
    """Add to the rows that an erasure deleted, by kind."""
    query = select(erasure.c.counts).where(erasure.c.id == erasure_id).with_for_update()
    stored = msgspec.json.decode(connection.execute(query).scalar_one(), type=dict[str, int])
    for name, count in counts.items():
        stored[name] = stored.get(name, 0) + count
    encoded = msgspec.json.encode(stored).decode()
    connection.execute(update(erasure).where(erasure.c.id == erasure_id).values(counts=encoded))


def add_target_counts(connection: Connection, erasure_id: int, target: str, counts: Mapping[str, int]) -> None:
    """Add to what became of an erasure at a target; the names are those of `ErasedTarget`."""
    values: dict[str, Any] = {name: counts.get(name, 0) for name in _COUNTED}
    row = insert_for(connection, erasure_target).values(erasure_id=erasure_id, target=target, **values)
    connection.execute(
        row.on_conflict_do_update(
            index_elements=["erasure_id", "target"],
            set_={name: erasure_target.c[name] + row.excluded[name] for name in _COUNTED},
        )
    )


def erased_until(connection: Connection, digests: Collection[str], now: int) -> dict[str, int]:
    """Return digest -> when the last erasure of that learner ended; `now`, in milliseconds, where it has not.

    Learners who were not erased are left out.
    """
    rows = connection.execute(
        select(erasure.c.digest, func.max(func.coalesce(erasure.c.finished_at, now)))
        .where(erasure.c.digest.in_(digests))
        .group_by(erasure.c.digest)
    )
    return {str(row[0]): int(row[1]) for row in rows}


def last_end(connection: Connection, now: int) -> int | None:
    """Return when the last erasure of all ended; `now`, in milliseconds, if one has not, None if there is none."""
    end = connection.execute(select(func.max(func.coalesce(erasure.c.finished_at, now)))).scalar_one()
    return None if end is None else int(end)


def load(connection: Connection, erasure_id: int) -> Erasure:
    """Return an erasure."""
    (erasure,) = _load(connection, [erasure_id])
    return erasure


def by_uuid(connection: Connection, uuid: str) -> Erasure | None:
    """Return an erasure by the id that its receipt has, None where there is none."""
    erasure_id = connection.execute(select(erasure.c.id).where(erasure.c.uuid == uuid)).scalar_one_or_none()
    return None if erasure_id is None else load(connection, erasure_id)


def page(connection: Connection, *, after: str | None = None, limit: int = 50) -> ResultPage[Erasure]:
    """Return erasures, the newest first.

    Raises:
        CursorError: `after` is no cursor of these pages.
    """
    ids = _NEWEST.page(connection, select(erasure.c.id), int, ScanLimit(), after=after or None, limit=limit)
    return ResultPage(_load(connection, ids.rows), ids.after)


def _load(connection: Connection, ids: Sequence[int]) -> list[Erasure]:
    targets: dict[int, list[ErasedTarget]] = {erasure_id: [] for erasure_id in ids}
    is_document = case((removal.c.resource == STATEMENTS, 0), else_=1)
    waiting = {
        (row.erasure_id, row.target): (row[2], row[3], row[4])
        for row in connection.execute(
            select(
                removal.c.erasure_id, removal.c.target, func.count(), func.sum(is_document), func.max(removal.c.answer)
            )
            .where(removal.c.erasure_id.in_(ids))
            .group_by(removal.c.erasure_id, removal.c.target)
        )
    }
    for row in connection.execute(
        select(erasure_target).where(erasure_target.c.erasure_id.in_(ids)).order_by(erasure_target.c.target)
    ):
        of_target = waiting.get((row.erasure_id, row.target), (0, 0, ""))
        counts = (getattr(row, name) for name in _COUNTED)
        targets[row.erasure_id].append(ErasedTarget._make((row.target, *counts, *of_target)))
    columns = ("id", "uuid", "lms", "later", "began_at", "finished_at", "by", "reason", "counts")
    rows = connection.execute(
        select(*(erasure.c[name] for name in columns)).where(erasure.c.id.in_(ids)).order_by(erasure.c.id.desc())
    )
    return [
        Erasure(
            row.id,
            row.uuid,
            row.lms,
            Later(row.later),
            row.began_at,
            row.finished_at,
            row.by,
            row.reason,
            msgspec.json.decode(row.counts),
            targets[row.id],
        )
        for row in rows
    ]
