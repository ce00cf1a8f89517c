"""Erases a learner: everything stored of them here, and, where a target's settings say so, what it has of them.

A run can be killed at any moment: the same command goes on where it was. It works beside live traffic, a short
transaction at a time, each of which holds one enrollment as a commit does.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import OperationalError

from bridge.clock import NewId, Now, format_timestamp
from bridge.operations.audit_context import AuditAction, AuditContext, record
from mappings.xapi.voiding import VOIDED, void_for_erasure
from storage import audit_log, erasing, erasures, lms
from storage.engine import Transact, reading, transactions
from storage.erasing import ErasurePlan
from storage.erasures import Erasure, Later, NewErasure
from storage.queries import learner_data
from storage.queries.learner_data import Learner

BATCH_SIZE = 20
"""Enrollments that are looked up at once."""
MAX_REFUSAL_TRIES = 20
"""Times that the lock for a refusal is asked for, while others read for long."""

Progress = Callable[[int, int], None]
"""Called with the number of enrollments that are done, and of all."""


class ErasureError(RuntimeError):
    """An erasure cannot be done; the text says why and what to do. What was done stays done."""


@dataclass(frozen=True, slots=True)
class ErasureRequest:
    """Whom to erase, what becomes of what comes later, the targets with whether each keeps what it has, and by whom."""

    learner: Learner
    later: Later
    targets: Mapping[str, bool]
    context: AuditContext


@dataclass(frozen=True, slots=True)
class ErasurePreview:
    """What an erasure would do.

    Attributes:
        lms: names of the LMSs that know the learner.
        rows: rows that would be deleted, by kind.
        targets: by target, what waits for it and what it has.
        is_unfinished: an erasure of this learner was interrupted, and would go on.
    """

    lms: list[str]
    rows: dict[str, int]
    targets: dict[str, dict[str, int]]
    is_unfinished: bool


def preview_erasure(engine: Engine, learner: Learner) -> ErasurePreview:
    """Return what erasing a learner would do, and change nothing.

    Raises:
        ErasureError: nothing is held about the learner, or there is no such LMS.
    """
    with reading(engine) as connection:
        lms_id = _lms_id(connection, learner)
        key = erasures.stored_digest_key(connection)
        is_unfinished = (
            key is not None
            and erasures.unfinished(connection, erasures.learner_digest(key, lms_id, learner.id)) is not None
        )
        if not is_unfinished and not learner_data.exists(connection, learner):
            raise _nothing(learner)
        rows = {
            table.name: _count(connection, table.query)
            for table in learner_data.learner_tables(learner)
            if table.name != "tries"
        }
        return ErasurePreview(
            learner_data.lms_names(connection, learner),
            rows,
            learner_data.by_target(connection, learner),
            is_unfinished,
        )


def erase_learner(
    engine: Engine,
    request: ErasureRequest,
    *,
    now: Now,
    new_id: NewId,
    transact: Transact | None = None,
    progress: Progress = lambda _done, _total: None,
) -> Erasure:
    """Erase a learner, and return the receipt: what was deleted here, and what each target still has to remove.

    Raises:
        ErasureError: nothing is held about the learner, there is no such LMS, or the refusal could not be stored.
    """
    learner = request.learner
    transact = transact or transactions(engine)
    erasure_id = _begin(request, transact, now, new_id)
    with reading(engine) as connection:
        began_at = erasures.load(connection, erasure_id).began_at
        total = learner_data.count_enrollments(connection, learner)
    plan = ErasurePlan(
        erasure_id,
        frozenset(name for name, keeps in request.targets.items() if keeps),
        tuple(request.targets),
        lambda statement_id, home_page: void_for_erasure(statement_id, home_page, began_at),
        VOIDED,
    )
    done = 0
    while True:
        with reading(engine) as connection:
            ids = erasing.enrollment_ids(connection, learner_data.whose(learner), BATCH_SIZE)
        if not ids:
            break
        for enrollment_id in ids:
            progress(done, max(total, done + 1))
            while transact(partial(_erase_part, plan, enrollment_id, now)):
                pass
            done += 1
    _redact_audit_log(engine, erasure_id, learner, transact)

    def finish(connection: Connection) -> Erasure:
        erasures.finish(connection, erasure_id, now())
        receipt = erasures.load(connection, erasure_id)
        subject = msgspec.json.encode(receipt_of(receipt)).decode()
        record(connection, request.context, AuditAction.ERASE, subject, count=receipt.counts.get("enrollments", 0))
        return receipt

    receipt = transact(finish)
    erasing.empty_log(engine)
    return receipt


def _erase_part(plan: ErasurePlan, enrollment_id: int, now: Now, connection: Connection) -> bool:
    return erasing.erase_part(connection, plan, enrollment_id, now())


def receipt_of(erasure: Erasure, *, has_answers: bool = False) -> dict[str, Any]:
    """Return an erasure as an object for people and programs; no person is in it.

    That is so because what LRSs answered in their own words is left out, unless it `has_answers`: an LRS can repeat the
    request, and with it the address of a document.
    """
    return {
        "erasure": erasure.uuid,
        "lms": erasure.lms,
        "later": erasure.later.value,
        "began_at": format_timestamp(erasure.began_at),
        "finished_at": format_timestamp(erasure.finished_at),
        "by": erasure.by,
        "reason": erasure.reason,
        "deleted": dict(sorted(erasure.counts.items())),
        "targets": [
            target._asdict() | ({} if has_answers else {"answer": answer_status(target.answer)})
            for target in erasure.targets
        ],
    }


def answer_status(answer: str) -> str:
    """Return what came back to a removal without the LRS's own words: its status, or what the bridge says of it."""
    status, separator, _ = answer.partition(": ")
    return status if separator and status.startswith("the LRS answered ") else answer


def _begin(request: ErasureRequest, transact: Transact, now: Now, new_id: NewId) -> int:
    """Begin an erasure or go on with one, refuse what comes later where that is asked, and return the erasure's id."""
    learner, context = request.learner, request.context

    def begin(connection: Connection) -> int:
        key = erasures.ensure_digest_key(connection, secrets.token_bytes(32))
        lms_id = _lms_id(connection, learner)
        digest = erasures.learner_digest(key, lms_id, learner.id)
        digests = {
            each: erasures.learner_digest(key, each, learner.id)
            for each in ([lms_id] if lms_id is not None else lms.ids(connection))
        }
        erasure_id = erasures.unfinished(connection, digest)
        was_refused = erasures.is_refused(connection, digests.values())
        if erasure_id is None and not was_refused and not learner_data.exists(connection, learner):
            raise _nothing(learner)
        if request.later is Later.REFUSE:
            erasures.refuse(connection, digests)
        else:
            erasures.accept(connection, digests.values())
        if erasure_id is not None:
            erasures.resume(connection, erasure_id, request.later)
            return erasure_id
        new = NewErasure(new_id(), digest, learner.lms, request.later, now(), context.by, context.reason)
        return erasures.begin(connection, new)

    for _ in range(MAX_REFUSAL_TRIES):
        try:
            return transact(begin)
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) != "55P03":  # lock_not_available
                raise
    raise ErasureError(
        "Another transaction reads the whole database for long, such as pg_dump, and what comes later of the learner"
        " cannot be refused safely meanwhile. Nothing was erased; run the command again when it has ended."
    )


def _redact_audit_log(engine: Engine, erasure_id: int, learner: Learner, transact: Transact) -> None:
    """Replace the learner's id in the subjects of the audit log."""
    while True:
        with reading(engine) as connection:
            ids = audit_log.naming(connection, learner_data.learner_mark(learner.id), learner.lms, BATCH_SIZE)
        if not ids:
            return

        def redact(connection: Connection, its: list[int] = ids) -> None:
            audit_log.redact(connection, its, learner_data.learner_mark(learner.id))
            erasures.add_counts(connection, erasure_id, {"audit_log_names": len(its)})

        transact(redact)


def _lms_id(connection: Connection, learner: Learner) -> int | None:
    if learner.lms is None:
        return None
    stored = lms.by_name(connection, learner.lms)
    if stored is None:
        raise ErasureError(f"There is no LMS {learner.lms!r}; `scorm-bridge tokens list` shows those there are.")
    return stored.id


def _nothing(learner: Learner) -> ErasureError:
    at = "" if learner.lms is None else f" at LMS {learner.lms!r}"
    return ErasureError(f"Nothing is held about learner {learner.id!r}{at}.")


def _count(connection: Connection, query: Any) -> int:
    return int(connection.execute(select(func.count()).select_from(query.order_by(None).subquery())).scalar_one())
