"""The documents of an attempt as they are now, as rows to be stored."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.commit_model.active_mappings import ActiveMapping
from bridge.commits.session_cache import CachedSession
from mappings.generation import documents
from storage.documents import DocumentRow, DocumentUpdate


def documents_of(
    active: ActiveMapping, session: CachedSession, attempts: Sequence[tuple[str, int]]
) -> list[DocumentUpdate]:
    """Return the documents of a session's attempt; `attempts` are the id and number of its enrollment's, in order."""
    attempt, row = session.attempt, session.row
    contents = documents.generate_documents(
        active.mapping,
        session.context(),
        attempt.state,
        names=active.documents,
        attempts=attempts,
    )
    return [
        DocumentUpdate(
            DocumentRow(
                document.place.id,
                document.name,
                document.place.resource,
                document.place.parameters,
                document.content_type,
                document.content,
                attempt.row.id,
                row.session_id,
                row.commits,
                active.id,
                row.last_commit_at or row.started_at,
            ),
            # what a session leaves behind is what the next launch asks for, perhaps at once
            0 if row.ended is not None else document.every * 1000,
        )
        for document in contents
    ]
