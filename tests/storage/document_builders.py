"""Documents stored, claimed and settled in short, and where they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from storage import documents
from storage.attempts import Session
from storage.documents import ClaimedDocument, DocumentSettlement, DocumentUpdate
from storage.outbox import UNASSIGNED, Try
from storage.tables import document, document_delivery
from tests.storage.builders import NOW, by_name, stored, whole

LRS = {"attempt-state": ("lrs",), "agent-profile": ("lrs",)}
NOBODY = dict.fromkeys(LRS, (UNASSIGNED,))
MIN_INTERVAL = 10_000


def claim(connection: Connection, target: str = "lrs", *, now: int = NOW, limit: int = 50) -> list[ClaimedDocument]:
    """Claim what may be written now."""
    return documents.claim(connection, whole(target), now=now, limit=limit)


def contents(connection: Connection, target: str = "lrs", *, now: int = NOW) -> list[str]:
    """Return the contents that may be written now."""
    return [row.content.decode() for row in claim(connection, target, now=now)]


def settle(
    connection: Connection, row: ClaimedDocument, state: str = "delivered", *, now: int = NOW, target: str = "lrs"
) -> None:
    """Settle a document as a try of it would, with the status that goes with its new state."""
    status = {"delivered": 204, "dead": 400}.get(state, 503)
    done = Try(target, now, 5, state, status, "answer")
    documents.settle(connection, [DocumentSettlement(done, row, state, now, now)])


def store(
    connection: Connection, *all_of_them: DocumentUpdate, readers: Mapping[str, tuple[str, ...]] | None = None
) -> None:
    """Store documents for the one LRS, or for the readers given."""
    documents.store(connection, all_of_them, by_name(readers or LRS))


def states(connection: Connection) -> dict[tuple[str, str], str]:
    """Return the state of each delivery, by the document's name and the target."""
    rows = connection.execute(select(document.c.name, document_delivery).join(document))
    return {(row.name, row.target): row.state for row in rows}


def store_and_settle(connection: Connection, session: Session, **changed: Any) -> None:
    """Store a document and write it at once."""
    store(connection, stored(connection, session, **changed))
    for row in claim(connection):
        settle(connection, row)
