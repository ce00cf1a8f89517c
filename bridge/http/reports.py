"""What an LMS is told of sessions and attempts: state, commits, statements, documents, and where each is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bridge.commits.replies import resume_values, shown_version, time_text
from bridge.commits.workspace import decode_attempt_state
from mappings.cmi.render import render
from storage.attempts import Attempt, Session
from storage.lookups import CommitLine, DeliveryLine, DocumentLine, StatementLine


def session(row: Session) -> dict[str, Any]:
    """Give when a session began, was last heard of and ended."""
    return {
        "session_id": row.session_id,
        "entry": row.entry,
        "started_at": time_text(row.started_at),
        "last_commit_at": time_text(row.last_commit_at),
        "ended_at": time_text(row.ended_at),
        "ended": row.ended,
    }


def resume_data(row: Attempt) -> dict[str, Any]:
    """Give the CMI data that the next launch of an attempt is loaded with."""
    state = decode_attempt_state(row.state)
    return render(state.snapshot, shown_version(row, state), resume_values(row, state))


def commit(line: CommitLine) -> dict[str, Any]:
    """Give what became of a commit."""
    return {
        "number": line.number,
        "received_at": time_text(line.received_at),
        "format": line.wire_format,
        "disposition": line.disposition,
    }


def statement(line: StatementLine) -> dict[str, Any]:
    """Give a statement, the commit it comes of, and where it is."""
    return {
        "id": line.id,
        "verb": line.verb,
        "rule": line.rule,
        "commit": line.commit_number,
        "deliveries": _ways(line.deliveries),
    }


def document(line: DocumentLine) -> dict[str, Any]:
    """Give a document, the commit that changed it last, and where it is."""
    return {
        "name": line.name,
        "resource": line.resource,
        "commit": line.commit_number,
        "deliveries": _ways(line.deliveries),
    }


def _ways(deliveries: Sequence[DeliveryLine]) -> list[dict[str, Any]]:
    return [{"target": way.target or None, "state": way.state, "tries": way.tries} for way in deliveries]
