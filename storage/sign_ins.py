"""Sign-ins of people, each under the digest of a secret that only their browser has, and failures to sign in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, case, delete, func, insert, select, update

from storage.account_tables import account, sign_in, sign_in_failure
from storage.engine import insert_for


class SignedIn(NamedTuple):
    """Whose sign-in it is, and what the account may at this moment."""

    account_id: int
    name: str
    role: str
    sees_names: bool


def begin(connection: Connection, *, digest: str, account_id: int, now: int, until: int) -> None:
    """Store a sign-in, and forget those that have run out."""
    connection.execute(delete(sign_in).where(sign_in.c.expires_at <= now))
    connection.execute(insert(sign_in).values(digest=digest, account_id=account_id, created_at=now, expires_at=until))


def find(connection: Connection, digest: str, now: int) -> SignedIn | None:
    """Return who is signed in; None where the sign-in has ended or has run out."""
    row = connection.execute(
        select(account.c.id, account.c.name, account.c.role, account.c.sees_names)
        .join(sign_in, sign_in.c.account_id == account.c.id)
        .where(sign_in.c.digest == digest, sign_in.c.expires_at > now)
    ).one_or_none()
    return None if row is None else SignedIn(*row)


def end(connection: Connection, digest: str) -> None:
    """End a sign-in."""
    connection.execute(delete(sign_in).where(sign_in.c.digest == digest))


def end_all(connection: Connection, account_id: int) -> None:
    """End all sign-ins of an account."""
    connection.execute(delete(sign_in).where(sign_in.c.account_id == account_id))


def wait(connection: Connection, subjects: Iterable[str], now: int) -> int:
    """Return the milliseconds until a sign-in may be tried, 0 where it may be tried now; counts nothing."""
    until = connection.execute(
        select(func.max(sign_in_failure.c.blocked_until)).where(sign_in_failure.c.subject.in_(list(subjects)))
    ).scalar_one()
    return max(0, (until or 0) - now)


def count_try(
    connection: Connection,
    subjects: Mapping[str, int],
    *,
    now: int,
    forgotten_after: int,
    delay: Callable[[int, int], int],
) -> int:
    """Return the milliseconds to wait before a sign-in may be tried; 0 counts it as a failure until further notice.

    It is counted beforehand so that many at once are not all the first. `subjects` are what failures are counted by,
    each with how many are free; `delay` gives the milliseconds to wait after so many in a row of which some are free.
    """
    rows = connection.execute(
        select(sign_in_failure)
        .where(sign_in_failure.c.subject.in_(subjects))
        .order_by(sign_in_failure.c.subject)
        .with_for_update()
    )
    stored = {row.subject: row for row in rows}
    wait = max((row.blocked_until - now for row in stored.values()), default=0)
    if wait > 0:
        return int(wait)
    connection.execute(delete(sign_in_failure).where(sign_in_failure.c.last_failed_at <= now - forgotten_after))
    for subject in sorted(subjects):
        row = stored.get(subject)
        number = 1 if row is None or row.last_failed_at <= now - forgotten_after else row.failures + 1
        values = {"failures": number, "last_failed_at": now, "blocked_until": now + delay(number, subjects[subject])}
        new = insert_for(connection, sign_in_failure).values(subject=subject, **values)
        connection.execute(new.on_conflict_do_update(index_elements=["subject"], set_=values))
    return 0


def succeeded(connection: Connection, subject: str, shared: Sequence[str]) -> None:
    """Undo `count_try` after a success: delete the failures by `subject`, and count one less by each of `shared`.

    `subject` is the account or the browser; an address is shared. It keeps the others: who has an account of their own
    could else wipe out their tries at others'.
    """
    connection.execute(delete(sign_in_failure).where(sign_in_failure.c.subject == subject))
    failures = sign_in_failure.c.failures
    connection.execute(
        update(sign_in_failure)
        .where(sign_in_failure.c.subject.in_(shared))
        .values(failures=case((failures > 0, failures - 1), else_=0), blocked_until=0)
    )


def forget_failures(connection: Connection, subject: str) -> None:
    """Delete the failures, so that a sign-in may be tried at once."""
    connection.execute(delete(sign_in_failure).where(sign_in_failure.c.subject == subject))
