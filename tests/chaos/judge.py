"""What must hold when the dust has settled, whatever happened."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, select

from storage.engine import reading
from storage.tables import attempt, delivery, delivery_try, enrollment, journal, session, statement
from tests.chaos.clients import Ledger


@dataclass(frozen=True)
class Issued:
    """A statement as the bridge stored it, and where it is."""

    id: str
    attempt_id: int
    position: int
    body: bytes
    state: str
    tries: int


@dataclass(frozen=True)
class Stored:
    """What the bridge has: its statements, and learner -> the client's numbers of commits in the journal."""

    statements: Sequence[Issued]
    commits: Mapping[str, Sequence[int]]


def stored(engine: Engine) -> Stored:
    """Look into the database."""
    with reading(engine) as connection:
        tried = select(delivery_try.c.try_id).where(delivery_try.c.delivery_id == delivery.c.id)
        rows = connection.execute(
            select(
                statement.c.id,
                statement.c.attempt_id,
                statement.c.position,
                statement.c.body,
                delivery.c.state,
                (delivery.c.settled_by.is_not(None) | tried.exists()).label("tried"),
            ).join(
                delivery,
                (delivery.c.attempt_id == statement.c.attempt_id) & (delivery.c.position == statement.c.position),
            )
        )
        issued = [Issued(str(r.id), r.attempt_id, r.position, r.body.encode(), r.state, int(r.tried)) for r in rows]
        commits: dict[str, list[int]] = defaultdict(list)
        for learner, number in connection.execute(
            select(enrollment.c.learner_id, journal.c.sequence)
            .select_from(journal.join(session).join(attempt).join(enrollment))
            .where(journal.c.duplicate_of.is_(None))
        ):
            commits[learner].append(number)
    return Stored(issued, commits)


def violations(ledger: Ledger, bridge: Stored, arrived: Mapping[str, bytes], changed: Sequence[str] = ()) -> list[str]:
    """Return every promise that was broken, in words; none where all was kept.

    `arrived` is what the LRS has, by id in the order of first arrival; `changed` are ids that it saw with two contents.
    """
    found: list[str] = []
    issued = {one.id: one for one in bridge.statements}
    for (learner, number), ids in ledger.acked.items():
        if number not in bridge.commits.get(learner, ()):
            found.append(f"commit {number} of {learner} was answered 200 and is not in the journal")
        found += [f"statement {one} was promised and is not stored" for one in ids if one not in issued]
    for learner, numbers in bridge.commits.items():
        twice = sorted({one for one in numbers if numbers.count(one) > 1})
        found += [f"commit {one} of {learner} was taken twice" for one in twice]
        found += [f"commit {one} of {learner} was never sent" for one in numbers if (learner, one) not in ledger.issued]
    for one in issued.values():
        if one.state == "delivered" and one.id not in arrived:
            found.append(f"statement {one.id} counts as delivered and the LRS does not have it")
        elif one.state == "dead" and not one.tries:
            found.append(f"statement {one.id} is dead and nothing says why")
        elif one.state not in {"delivered", "dead"}:
            found.append(f"statement {one.id} is {one.state}")
        if one.state == "dead" and one.id in arrived:
            found.append(f"statement {one.id} counts as dead and the LRS has it")
    found += [f"statement {one} arrived and was never made" for one in arrived if one not in issued]
    found += [f"statement {one} arrived with other bytes" for one, body in arrived.items()
              if one in issued and issued[one].body != body]  # fmt: skip
    found += [f"statement {one} was sent with two contents" for one in changed]
    found += _inversions([issued[one] for one in arrived if one in issued])
    return found


def _inversions(arrived: Sequence[Issued]) -> list[str]:
    found, last = [], dict[int, int]()
    for one in arrived:
        if one.position <= last.get(one.attempt_id, -1):
            found.append(f"statement {one.id} arrived after later ones of its attempt")
        last[one.attempt_id] = max(one.position, last.get(one.attempt_id, -1))
    return found
