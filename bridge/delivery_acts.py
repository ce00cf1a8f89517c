"""Retrying, discarding and re-issuing deliveries, few or very many: for pages and commands alike. Each act is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

import msgspec
from sqlalchemy import Connection, Engine

from bridge import delivery_reissue
from bridge.clock import Now
from storage import audit_log, deliveries
from storage.audit_log import AuditEntry
from storage.deliveries import Filter
from storage.diverged import DIVERGED
from storage.engine import Transact, reading, transactions

TOGETHER = 100
"""Deliveries changed in one transaction: a few milliseconds, as commits wait for it."""

Verb = Literal["retry", "discard", "reissue"]
ENDED: dict[Verb, tuple[str, ...]] = {
    "retry": deliveries.RETRIED,
    "discard": deliveries.DISCARDED,
    "reissue": ("dead",),
}
"""The states that each ends."""


class NothingChosenError(ValueError):
    """A filter that would meet everything there is, or states that nothing can be done about; the text says which."""


class Step(NamedTuple):
    """What one transaction did: deliveries looked at, and those of them that were still to be changed."""

    seen: int
    changed: int


class Deed(NamedTuple):
    """What somebody wants done, and why; `filters` are those of `filters_for`."""

    verb: Verb
    filters: Sequence[Filter]
    by: str
    reason: str


def filters_for(verb: Verb, which: Filter) -> list[Filter]:
    """Give a filter for each of the states that the verb ends, as far as `which` meets it.

    Raises:
        NothingChosenError: `which` chooses nothing in particular, or a state that the verb does not end.
    """
    if which == Filter():
        raise NothingChosenError("Choose which deliveries: a target, a statement, a rule or the like.")
    if verb == "reissue":
        if which.outcome not in {None, DIVERGED}:
            raise NothingChosenError(f"Only what is {DIVERGED} can be sent under new ids, not what is {which.outcome}.")
        which = msgspec.structs.replace(which, outcome=DIVERGED)
    if which.state is not None and which.state not in ENDED[verb]:
        raise NothingChosenError(f"There is nothing to {verb} about {which.state} deliveries.")
    wanted = {which.state} if which.state is not None else {*ENDED[verb]}
    if verb == "retry" and which.state is None and which.statement is None:
        # of a statement whatever can be hurried; of many, what was given up: very many wait that nothing was tried of
        wanted = {"dead"}
    return [msgspec.structs.replace(which, state=one) for one in ENDED[verb] if one in wanted]


def carry_out(engine: Engine, deed: Deed, now: Now, transact: Transact | None = None) -> Iterator[Step]:
    """Do it, step by step, each in a transaction of its own that also keeps the act.

    `transact` runs the transactions, where commits are stored by the same process; by default each begins at once.
    Whoever stops asking for steps stops it: what was done stays done, and is kept as such.
    """
    change, transact = _change(deed.verb, now), transact or transactions(engine)
    for which in deed.filters:
        subject = msgspec.json.encode(which).decode()
        after = 0
        while True:
            with reading(engine) as connection:
                ids = deliveries.ids(connection, which, after=after, most=TOGETHER)
            if not ids:
                break

            def do(connection: Connection, ids: Sequence[int] = ids, subject: str = subject) -> int:
                changed = change(connection, ids)
                if changed:
                    audit_log.append(connection, AuditEntry(now(), deed.by, deed.verb, subject, changed, deed.reason))
                return changed

            changed = transact(do)
            after = ids[-1]
            yield Step(len(ids), changed)


def _change(verb: Verb, now: Now) -> Callable[[Connection, Sequence[int]], int]:
    if verb == "retry":
        return deliveries.retry
    if verb == "reissue":
        return lambda connection, ids: delivery_reissue.reissue(connection, ids, now())
    return lambda connection, ids: deliveries.discard(connection, ids, now())
