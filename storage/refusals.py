"""Requests of LMSs that were refused: what was wrong with each, the last ones of each LMS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select

from storage.tables import refusal

MAX_KEPT = 1_000
"""Refusals kept of one LMS; the oldest ones make room for new ones."""


class Refusal(NamedTuple):
    """A request of an LMS that was refused.

    `at` is in milliseconds since the epoch, `wire_format` empty where it was not known; `path` has no parameters.
    """

    lms_id: int
    at: int
    status: int
    code: str
    detail: str
    wire_format: str
    method: str
    path: str


def add(connection: Connection, refusals: Sequence[Refusal]) -> None:
    """Store refusals, in their order, and forget what is too old of the same LMSs."""
    connection.execute(insert(refusal), [entry._asdict() for entry in refusals])
    for lms_id in {entry.lms_id for entry in refusals}:
        ids = select(refusal.c.id).where(refusal.c.lms_id == lms_id).order_by(refusal.c.id.desc())
        newest_old = connection.execute(ids.offset(MAX_KEPT).limit(1)).scalar_one_or_none()
        if newest_old is not None:
            connection.execute(delete(refusal).where(refusal.c.lms_id == lms_id, refusal.c.id <= newest_old))
