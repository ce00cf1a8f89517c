"""What must hold when the dust has settled, whatever happened."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, select

from storage import frames
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
                statement.c.frame,
                delivery.c.state,
                (delivery.c.settled_by.is_not(None) | tried.exists()).label("tried"),
            ).join(
                delivery,
                (delivery.c.attempt_id == statement.c.attempt_id) & (delivery.c.position == statement.c.position),
            )
        )
        issued = [
            Issued(
                str(row.id),
                row.attempt_id,
                row.position,
                frames.text_of(connection, row.body, row.frame).encode(),
                row.state,
                int(row.tried),
            )
            for row in rows.all()
        ]
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
    problems: list[str] = []
    issued = {row.id: row for row in bridge.statements}
    for (learner, number), ids in ledger.acked.items():
        if number not in bridge.commits.get(learner, ()):
            problems.append(f"commit {number} of {learner} was answered 200 and is not in the journal")
        problems += [
            f"statement {statement_id} was promised and is not stored"
            for statement_id in ids
            if statement_id not in issued
        ]
    for learner, numbers in bridge.commits.items():
        twice = sorted({commit for commit in numbers if numbers.count(commit) > 1})
        problems += [f"commit {commit} of {learner} was taken twice" for commit in twice]
        problems += [
            f"commit {commit} of {learner} was never sent"
            for commit in numbers
            if (learner, commit) not in ledger.issued
        ]
    for row in issued.values():
        if row.state == "delivered" and row.id not in arrived:
            problems.append(f"statement {row.id} counts as delivered and the LRS does not have it")
        elif row.state == "dead" and not row.tries:
            problems.append(f"statement {row.id} is dead and nothing says why")
        elif row.state not in {"delivered", "dead"}:
            problems.append(f"statement {row.id} is {row.state}")
        if row.state == "dead" and row.id in arrived:
            problems.append(f"statement {row.id} counts as dead and the LRS has it")
    problems += [
        f"statement {statement_id} arrived and was never made" for statement_id in arrived if statement_id not in issued
    ]
    problems += [f"statement {statement_id} arrived with other bytes" for statement_id, body in arrived.items()
              if statement_id in issued and issued[statement_id].body != body]  # fmt: skip
    problems += [f"statement {statement_id} was sent with two contents" for statement_id in changed]
    problems += _inversions([issued[statement_id] for statement_id in arrived if statement_id in issued])
    return problems


def _inversions(arrived: Sequence[Issued]) -> list[str]:
    problems, last = [], dict[int, int]()
    for row in arrived:
        if row.position <= last.get(row.attempt_id, -1):
            problems.append(f"statement {row.id} arrived after later ones of its attempt")
        last[row.attempt_id] = max(row.position, last.get(row.attempt_id, -1))
    return problems
