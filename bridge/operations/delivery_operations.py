"""Retrying, discarding and re-issuing deliveries, few or very many."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, Engine

from bridge.clock import Now
from bridge.operations import delivery_reissue
from bridge.operations.audit_context import AuditAction, AuditContext, record
from storage import deliveries
from storage.deliveries import DeliveryFilter
from storage.engine import Transact, reading, transactions
from storage.states import DeliveryState, TryOutcome

BATCH_SIZE = 100
"""Deliveries changed in one transaction: a few milliseconds, as commits wait for it."""

AFFECTED_STATES: dict[AuditAction, tuple[str, ...]] = {
    AuditAction.RETRY: deliveries.RETRIED,
    AuditAction.DISCARD: deliveries.DISCARDED,
    AuditAction.REISSUE: (DeliveryState.DEAD,),
}
"""The delivery states that each action ends."""


class InvalidSelectionError(ValueError):
    """A filter that selects everything there is, or states that the action does not apply to; the text says which."""


@dataclass(frozen=True, slots=True)
class OperationProgress:
    """The result of one transaction: deliveries it examined, and those of them that it changed."""

    examined: int
    changed: int


@dataclass(frozen=True, slots=True)
class DeliveryOperation:
    """An action (retry, discard or reissue) on the deliveries that `filters` select; they are those of `build_filters`.

    Each transaction is recorded with its own time, and who and why of `context`.
    """

    action: AuditAction
    filters: Sequence[DeliveryFilter]
    context: AuditContext


def build_filters(action: AuditAction, selection: DeliveryFilter) -> list[DeliveryFilter]:
    """Return a filter for each of the states that the action ends, as far as the selection includes it.

    Raises:
        InvalidSelectionError: the selection is empty, or of a state that the action does not end.
    """
    if selection == DeliveryFilter():
        raise InvalidSelectionError("Select deliveries first: by target, statement, rule or the like.")
    if action is AuditAction.REISSUE:
        if selection.outcome not in {None, TryOutcome.DIVERGED}:
            raise InvalidSelectionError(
                f"Only deliveries with the outcome {TryOutcome.DIVERGED} can be reissued, not {selection.outcome}."
            )
        selection = msgspec.structs.replace(selection, outcome=TryOutcome.DIVERGED)
    if selection.state is not None and selection.state not in AFFECTED_STATES[action]:
        raise InvalidSelectionError(f"Deliveries that are {selection.state} cannot be selected for {action}.")
    states = {selection.state} if selection.state is not None else {*AFFECTED_STATES[action]}
    if action is AuditAction.RETRY and selection.state is None and selection.statement is None:
        # a single statement is also sent earlier; of many, only the dead: very many wait that were never tried
        states = {DeliveryState.DEAD}
    return [msgspec.structs.replace(selection, state=state) for state in AFFECTED_STATES[action] if state in states]


def execute(
    engine: Engine, operation: DeliveryOperation, now: Now, transact: Transact | None = None
) -> Iterator[OperationProgress]:
    """Execute an operation in batches, each in a transaction of its own that also writes the audit log.

    `transact` runs the transactions, where commits are stored by the same process; by default each begins at once.
    Closing the iterator stops the operation: what was done stays done, and is in the audit log.
    """
    change, transact = _change_of(operation.action, now), transact or transactions(engine)
    for selection in operation.filters:
        subject = msgspec.json.encode(selection).decode()
        after = 0
        while True:
            with reading(engine) as connection:
                ids = deliveries.ids(connection, selection, after=after, limit=BATCH_SIZE)
            if not ids:
                break

            def apply(connection: Connection, ids: Sequence[int] = ids, subject: str = subject) -> int:
                changed = change(connection, ids)
                if changed:
                    context = dataclasses.replace(operation.context, at=now())
                    record(connection, context, operation.action, subject, count=changed)
                return changed

            changed = transact(apply)
            after = ids[-1]
            yield OperationProgress(len(ids), changed)


def _change_of(action: AuditAction, now: Now) -> Callable[[Connection, Sequence[int]], int]:
    if action is AuditAction.RETRY:
        return deliveries.retry
    if action is AuditAction.REISSUE:
        return lambda connection, ids: delivery_reissue.reissue(connection, ids, now())
    return lambda connection, ids: deliveries.discard(connection, ids, now())
