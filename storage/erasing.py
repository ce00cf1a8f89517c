"""Deletes what is stored of a learner, a part at a time: each part is one short transaction that holds the enrollment.

With a statement or a document goes, in the same transaction, what its targets are to remove. So whenever the process
dies, everything of the learner is either still here or on its way to be removed there, and the next run goes on.
Whatever processes have in memory of an enrollment is outdated by its version, which each part counts up.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Table, and_, delete, or_, select, update

from storage import attempts, removals, search_index
from storage.alarm_tables import target_alarm
from storage.engine import BUSY_TIMEOUT
from storage.erasure_tables import STATEMENTS
from storage.erasures import add_counts, add_target_counts
from storage.gradebook_tables import course_activity_list, course_registration
from storage.outbox import ERASED_ANSWER, UNASSIGNED, erase_answers
from storage.prepared import execute
from storage.queries.learner_data import PERSONAL, names_learner
from storage.recording_tables import recording_part
from storage.removals import NewRemoval
from storage.search_index import SearchSubject
from storage.search_tables import search_rename
from storage.states import DeliveryState, SearchKind, TryOutcome
from storage.tables import (
    attempt,
    delivery,
    delivery_try,
    document,
    document_delivery,
    document_try,
    enrollment,
    journal,
    lms,
    refusal,
    session,
    statement,
    target_statement,
    try_,
)
from storage.update_order import keep_numbers_above
from storage.webhook_tables import webhook_delivery

PART_SIZE = 200
"""Rows of one kind that a part deletes, with what hangs on them."""
LOG_TIMEOUT = 500
"""Milliseconds that commits may wait at most while SQLite's log is emptied."""
_NEVER_STORED = {TryOutcome.REFUSED, TryOutcome.TOO_LARGE}
"""Outcomes after which a dead statement is not at the LRS."""


@dataclass(frozen=True, slots=True)
class ErasurePlan:
    """What is to be done for an erasure.

    Attributes:
        keeps: names of targets that keep what they have.
        targets: names of the configured targets.
        void: builds the statement that voids one, as JSON, given its id and its LMS's home page.
        voided: the IRI of the verb of voiding statements, which are not voided.
        tell: called in the transaction in which nothing is left of a learner at an LMS, given its id and theirs.
    """

    erasure_id: int
    keeps: frozenset[str]
    targets: tuple[str, ...]
    void: Callable[[str, str], str]
    voided: str
    tell: Callable[[Connection, int, str], None]


@dataclass(slots=True)
class _Part:
    """What one part deletes: rows by kind, and what becomes of the targets."""

    plan: ErasurePlan
    home_page: str
    now: int
    rows: Counter[str] = field(default_factory=Counter)
    targets: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    removals: list[NewRemoval] = field(default_factory=list)

    def remove(self, target: str, resource: str, body: str) -> None:
        """Let a target remove something, unless it keeps what it has."""
        counts = self.targets[target]
        if target in self.plan.keeps:
            counts["kept"] += 1
        else:
            self.removals.append(NewRemoval(self.plan.erasure_id, target, resource, body))

    def store(self, connection: Connection) -> None:
        removals.add(connection, self.removals, self.now)
        add_counts(connection, self.plan.erasure_id, self.rows)
        for target, counts in sorted(self.targets.items()):
            add_target_counts(connection, self.plan.erasure_id, target, counts)


def erase_part(connection: Connection, plan: ErasurePlan, enrollment_id: int, now: int) -> bool:
    """Delete a part of an enrollment; return whether anything of it is left."""
    if enrollment_id not in attempts.lock(connection, [enrollment_id], []):
        return False
    if connection.dialect.name == "sqlite":
        execute(connection, "PRAGMA secure_delete = ON")  # else the file keeps what is deleted until it is overwritten
    connection.execute(
        update(enrollment).where(enrollment.c.id == enrollment_id).values(version=enrollment.c.version + 1)
    )
    home_page = connection.execute(
        select(lms.c.home_page).join(enrollment).where(enrollment.c.id == enrollment_id)
    ).scalar_one()
    part = _Part(plan, home_page, now)
    is_left = _erase_rows(connection, part, enrollment_id)
    part.store(connection)
    return is_left


def _erase_rows(connection: Connection, part: _Part, enrollment_id: int) -> bool:
    events = select(webhook_delivery.c.id).where(webhook_delivery.c.enrollment_id == enrollment_id).limit(PART_SIZE)
    of_attempt = select(attempt.c.id).where(attempt.c.enrollment_id == enrollment_id)
    if (
        _delete(connection, part, "webhook_deliveries", webhook_delivery, webhook_delivery.c.id, events) == PART_SIZE
        or _erase_statements(connection, part, statement.c.attempt_id.in_(of_attempt)) == PART_SIZE
    ):
        return True
    if _erase_documents(connection, part, document.c.attempt_id.in_(of_attempt)) == PART_SIZE:
        return True
    of_session = select(session.c.session_id).where(session.c.attempt_id.in_(of_attempt))
    recorded = select(recording_part.c.id).where(recording_part.c.session_id.in_(of_session)).limit(PART_SIZE)
    commits = select(journal.c.id).where(journal.c.session_id.in_(of_session)).limit(PART_SIZE)
    if (
        _delete(connection, part, "recordings", recording_part, recording_part.c.id, recorded) == PART_SIZE
        or _delete(connection, part, "commits", journal, journal.c.id, commits) == PART_SIZE
    ):
        return True
    sessions = connection.execute(of_session.limit(PART_SIZE)).scalars().all()
    _erase_refusals(connection, part, enrollment_id, {str(session_id) for session_id in sessions})
    if _delete(connection, part, "sessions", session, session.c.session_id, sessions) == PART_SIZE:
        return True
    if _delete(connection, part, "attempts", attempt, attempt.c.id, of_attempt.limit(PART_SIZE)) == PART_SIZE:
        return True
    _erase_enrollment(connection, part, enrollment_id)
    return False


def _erase_statements(connection: Connection, part: _Part, its: ColumnElement[bool]) -> int:
    columns = ("attempt_id", "position", "id", "verb", "problem")
    rows = connection.execute(
        select(*(statement.c[name] for name in columns))
        .where(its)
        .order_by(statement.c.attempt_id, statement.c.position)
        .limit(PART_SIZE)
    ).all()
    if not rows:
        return 0
    by_attempt: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        by_attempt[row.attempt_id].append(row.position)

    def chosen(table: Table) -> ColumnElement[bool]:
        return or_(
            *(
                and_(table.c.attempt_id == attempt_id, table.c.position.between(positions[0], positions[-1]))
                for attempt_id, positions in by_attempt.items()
            )
        )

    deliveries = connection.execute(
        select(delivery, try_.c.outcome)
        .select_from(delivery.outerjoin(try_, try_.c.id == delivery.c.settled_by))
        .where(chosen(delivery))
        .order_by(delivery.c.id)
        # forwarders wait until this is done, and find nothing to settle
        .with_for_update(of=delivery)
    ).all()
    by_statement: dict[tuple[int, int], list[Any]] = defaultdict(list)
    for row in deliveries:
        by_statement[row.attempt_id, row.position].append(row)
    for row in rows:
        _plan_removals(part, row, by_statement[row.attempt_id, row.position])
    ids = [row.id for row in deliveries]
    tries = connection.execute(select(delivery_try.c.try_id).where(delivery_try.c.delivery_id.in_(ids))).scalars().all()
    erase_answers(connection, {*tries, *(row.settled_by for row in deliveries if row.settled_by is not None)})
    connection.execute(delete(delivery_try).where(delivery_try.c.delivery_id.in_(ids)))
    connection.execute(delete(delivery).where(delivery.c.id.in_(ids)))
    connection.execute(delete(target_statement).where(chosen(target_statement)))
    connection.execute(delete(statement).where(chosen(statement)))
    part.rows["deliveries"] += len(ids)
    part.rows["statements"] += len(rows)
    return len(rows)


def _plan_removals(part: _Part, row: Any, deliveries: Sequence[Any]) -> None:
    """Let each target void a statement that it has, or may have: nobody knows what a killed process had on its way."""
    if row.problem is not None:
        return
    receivers = []
    for sent in deliveries:
        if sent.target == UNASSIGNED:
            continue
        if sent.state == DeliveryState.WAITING:
            part.targets[sent.target]["withdrawn"] += 1
        if not (sent.state == DeliveryState.DEAD and sent.outcome in _NEVER_STORED):
            receivers.append(sent.target)
    if not deliveries:
        receivers = list(part.plan.targets)  # their deliveries are not stored any more
    if row.verb == part.plan.voided:
        for target in receivers:
            part.targets[target]["permanent"] += 1
        return
    body = part.plan.void(row.id, part.home_page)
    for target in receivers:
        part.remove(target, STATEMENTS, body)


def _erase_documents(connection: Connection, part: _Part, its: ColumnElement[bool]) -> int:
    _hand_over_profiles(connection, its)
    rows = connection.execute(
        select(document.c.id, document.c.resource, document.c.parameters).where(its, PERSONAL).limit(PART_SIZE)
    ).all()
    if not rows:
        return 0
    ids = [row.id for row in rows]
    # in the order in which a forwarder takes them: the delivery, then the document
    deliveries = connection.execute(
        select(document_delivery.c.document_id, document_delivery.c.target, document_delivery.c.state)
        .where(document_delivery.c.document_id.in_(ids))
        .order_by(document_delivery.c.document_id, document_delivery.c.target)
        .with_for_update()
    ).all()
    connection.execute(select(document.c.id).where(document.c.id.in_(ids)).order_by(document.c.id).with_for_update())
    places = {row.id: row for row in rows}
    for sent in deliveries:
        if sent.target != UNASSIGNED:
            place = places[sent.document_id]
            if sent.state == DeliveryState.WAITING:
                part.targets[sent.target]["withdrawn"] += 1
            part.remove(sent.target, place.resource, place.parameters)
    tries = connection.execute(select(document_try.c.try_id).where(document_try.c.document_id.in_(ids))).scalars()
    erase_answers(connection, set(tries))
    for table in (document_try, document_delivery):
        connection.execute(delete(table).where(table.c.document_id.in_(ids)))
    connection.execute(delete(document).where(document.c.id.in_(ids)))
    part.rows["documents"] += len(rows)
    return len(rows)


def _hand_over_profiles(connection: Connection, its: ColumnElement[bool]) -> None:
    """Let profiles of activities, which are about nobody, come of another learner's commit from now on.

    Where nobody else has one of the activity, they are forgotten: the next learner's commit makes them again.
    """
    rows = connection.execute(
        select(document.c.id, enrollment.c.id.label("enrollment_id"), enrollment.c.activity_id, enrollment.c.lms_id)
        .select_from(document.join(attempt, attempt.c.id == document.c.attempt_id).join(enrollment))
        .where(its, ~PERSONAL)
        .limit(PART_SIZE)
    ).all()
    for row in rows:
        other = connection.execute(
            select(attempt.c.id, journal.c.session_id, journal.c.number)
            .select_from(journal.join(session).join(attempt, attempt.c.id == session.c.attempt_id).join(enrollment))
            .where(
                enrollment.c.activity_id == row.activity_id,
                enrollment.c.lms_id == row.lms_id,
                enrollment.c.id != row.enrollment_id,
            )
            .limit(1)
        ).one_or_none()
        if other is not None:
            values = {"attempt_id": other[0], "session_id": other[1], "commit_number": other[2]}
            connection.execute(update(document).where(document.c.id == row.id).values(values))
            continue
        for table in (document_try, document_delivery):
            connection.execute(delete(table).where(table.c.document_id == row.id))
        connection.execute(delete(document).where(document.c.id == row.id))


def _erase_refusals(connection: Connection, part: _Part, enrollment_id: int, session_ids: set[str]) -> None:
    """Delete the refused requests that name the learner, or one of these sessions."""
    owner = connection.execute(
        select(enrollment.c.lms_id, enrollment.c.learner_id).where(enrollment.c.id == enrollment_id)
    ).one()
    rows = connection.execute(
        select(refusal.c.id, refusal.c.path, refusal.c.detail).where(refusal.c.lms_id == owner.lms_id)
    )
    ids = [row.id for row in rows if names_learner(owner.learner_id, session_ids, row.path, row.detail)]
    if ids:
        part.rows["refusals"] += connection.execute(delete(refusal).where(refusal.c.id.in_(ids))).rowcount


def _erase_alarms(connection: Connection, words: Collection[str]) -> None:
    """Forget the reasons of alarms that have any of these words: LRSs repeat what they refuse."""
    for alarm in connection.execute(select(target_alarm)).all():
        if any(word in alarm.reason for word in words):
            its = target_alarm.c.target == alarm.target, target_alarm.c.request_kind == alarm.request_kind
            connection.execute(update(target_alarm).where(*its).values(reason=ERASED_ANSWER))


def _erase_enrollment(connection: Connection, part: _Part, enrollment_id: int) -> None:
    columns = ("lms_id", "learner_id", "learner_name", "learner_mbox")
    owner = connection.execute(
        select(*(enrollment.c[name] for name in columns)).where(enrollment.c.id == enrollment_id)
    ).one()
    mbox = (owner.learner_mbox or "").removeprefix("mailto:")
    _erase_alarms(connection, [word for word in (owner.learner_id, owner.learner_name, mbox) if word])
    connection.execute(delete(search_rename).where(search_rename.c.enrollment_id == enrollment_id))
    keep_numbers_above(connection, enrollment_id)
    connection.execute(delete(enrollment).where(enrollment.c.id == enrollment_id))
    part.rows["enrollments"] += 1
    its = enrollment.c.lms_id == owner.lms_id, enrollment.c.learner_id == owner.learner_id
    if connection.execute(select(enrollment.c.id).where(*its).limit(1)).first() is not None:
        return
    search_index.forget(connection, SearchSubject(SearchKind.LEARNER.value, owner.lms_id, owner.learner_id))
    for table in (course_registration, course_activity_list):
        connection.execute(delete(table).where(table.c.lms_id == owner.lms_id, table.c.learner_id == owner.learner_id))
    part.plan.tell(connection, owner.lms_id, owner.learner_id)


def _delete(connection: Connection, part: _Part, name: str, table: Table, key: ColumnElement[Any], chosen: Any) -> int:
    count = connection.execute(delete(table).where(key.in_(chosen))).rowcount
    part.rows[name] += count
    return count


def enrollment_ids(connection: Connection, learner_conditions: Sequence[ColumnElement[bool]], limit: int) -> list[int]:
    """Return the ids of enrollments that meet conditions, at most so many."""
    query = select(enrollment.c.id).where(*learner_conditions).order_by(enrollment.c.id).limit(limit)
    return list(connection.execute(query).scalars())


def empty_log(engine: Engine) -> bool:
    """Write SQLite's log into the file and empty it, so that nothing deleted is left there; return whether that worked.

    While others read, it does not; then the log is overwritten as they go on. PostgreSQL cleans up by itself.
    """
    if engine.dialect.name != "sqlite":
        return True
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        driver = connection.connection.driver_connection
        assert driver is not None  # noqa: S101 -- it was opened just now
        driver.execute(f"PRAGMA busy_timeout = {LOG_TIMEOUT}")
        (is_busy, _, _) = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        driver.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}")
        return not is_busy
