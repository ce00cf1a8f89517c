"""Leases: which process does what, by the database's clock.

Work that one process at a time should do has a name. Processes share the names out evenly and renew what they hold;
what a killed process held is free when its lease runs out. A process is known by a UUID, made anew at each start.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    cast,
    delete,
    exists,
    extract,
    func,
    insert,
    select,
    update,
)

from storage.tables import lease

_LOCK = 0x5C0_24A_2  # any number that nobody else takes
_PRESENCE = "process "
"""How a lease begins that stands for a process itself, by which the others count it; what it takes part in follows."""


class Shares(NamedTuple):
    """What a process holds now, and what of it the others should have: it is to be given back when its work rests."""

    held: frozenset[str]
    excess: frozenset[str]


def share_out(connection: Connection, *, owner: str, names: Collection[str], lasts: int) -> Shares:
    """Renew what a process holds, and take what is free, up to its even share; `lasts` is in milliseconds.

    What stands before a name's slash is what it is of. Shares of that are made among those who take part in it: a
    process that has nothing to do with a target takes nothing of it, and must not be counted.
    """
    if connection.dialect.name == "postgresql":
        # two processes that look at the same time must not both take the same
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    now = connection.execute(select(clock(connection.dialect.name))).scalar_one()
    connection.execute(delete(lease).where(lease.c.expires_at <= now))
    owners = {row.name: row.owner for row in connection.execute(select(lease.c.name, lease.c.owner))}
    held: set[str] = set()
    excess: set[str] = set()
    new: set[str] = set()
    for of, its in groupby(sorted(names, key=_of), _of):
        everyone = f"{_PRESENCE}{of} "
        mine = everyone + owner
        new |= {mine} - owners.keys()
        processes = {name for name in owners if name.startswith(everyone)} | {mine}
        wanted = sorted(its)
        fair = -(-len(wanted) // len(processes))
        current = [name for name in wanted if owners.get(name) == owner]
        free = [name for name in wanted if name not in owners][: max(0, fair - len(current))]
        held.update(current, free)
        excess.update(current[fair:])
        new.update(free)
    if new:
        rows = [{"name": name, "owner": owner, "expires_at": now + lasts} for name in sorted(new)]
        connection.execute(insert(lease), rows)
    connection.execute(update(lease).where(lease.c.owner == owner).values(expires_at=now + lasts))
    return Shares(frozenset(held), frozenset(excess))


def _of(name: str) -> str:
    return name.rpartition("/")[0]


def give_back(connection: Connection, *, owner: str, names: Collection[str] | None = None) -> None:
    """Release some of what a process holds; all of it, and its presence, where no names are given."""
    query = delete(lease).where(lease.c.owner == owner)
    connection.execute(query if names is None else query.where(lease.c.name.in_(names)))


def holds(dialect: str, name: ColumnElement[str], owner: ColumnElement[str]) -> ColumnElement[bool]:
    """Return the condition that a process holds a lease now."""
    return exists().where(lease.c.name == name, lease.c.owner == owner, lease.c.expires_at > clock(dialect))


def clock(dialect: str) -> ColumnElement[int]:
    """Return the expression for the database's own time, in milliseconds since the epoch."""
    if dialect == "postgresql":
        return cast(extract("epoch", func.clock_timestamp()) * 1000, BigInteger)
    return cast((func.julianday("now") - 2440587.5) * 86_400_000, BigInteger)
