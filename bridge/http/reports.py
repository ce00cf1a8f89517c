"""What an LMS is told of sessions and attempts: state, commits, statements, documents, and where each is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from aiohttp import web
from sqlalchemy import Connection

from bridge.clock import format_timestamp
from bridge.commit_model.responses import resume_values, shown_version
from bridge.commit_model.state_codec import decode_attempt_state
from bridge.errors import MalformedField
from mappings.cmi.render import render
from storage import report_lines
from storage.attempts import Attempt
from storage.lookups import CommitLine, DeliveryLine
from storage.report_lines import DocumentLine, Lines, SessionLine, StatementLine, Whose

_PLACE = re.compile("[0-9]{1,18}")


class Places(NamedTuple):
    """Behind which place each list begins; 0 for its beginning."""

    sessions: int = 0
    commits: int = 0
    statements: int = 0


def asked_places(request: web.Request) -> Places:
    """Return what `next` of the answer before told, as it comes back in the query.

    Raises:
        MalformedField: it is no number.
    """
    told = {name: request.query.get(f"{name}_after", "0") for name in Places._fields}
    for name, place in told.items():
        if _PLACE.fullmatch(place) is None:
            raise MalformedField(f"{name}_after is what `next` of the answer before told: a number.")
    return Places(**{name: int(place) for name, place in told.items()})


def lists(connection: Connection, whose: Whose, places: Places) -> dict[str, Any]:
    """Return commits, statements and documents of a session or, where it is of an attempt, of all its sessions.

    Not more than so many at a time: `next` tells what to ask for the others.
    """
    found: dict[str, Lines[Any]] = {
        "commits": report_lines.commits(connection, whose, places.commits),
        "statements": report_lines.statements(connection, whose, places.statements),
    }
    documents = report_lines.documents(connection, whose)
    is_whole = whose.session_id is None
    answer: dict[str, Any] = {}
    if is_whole:
        found["sessions"] = report_lines.sessions(connection, whose.attempt_id, places.sessions)
        answer["sessions"] = [session(row) for row in found["sessions"].rows]
    answer["commits"] = [_of(is_whole, row, commit(row)) for row in found["commits"].rows]
    answer["statements"] = [_of(is_whole, row, statement(row)) for row in found["statements"].rows]
    answer["documents"] = [_of(is_whole, row, document(row)) for row in documents]
    following = {name: None if lines.after is None else f"{lines.after}" for name, lines in found.items()}
    return answer | {"next": following}


def _of(is_whole: bool, row: CommitLine | StatementLine | DocumentLine, told: dict[str, Any]) -> dict[str, Any]:  # noqa: FBT001
    return {"session_id": row.session_id} | told if is_whole else told


def session(row: SessionLine) -> dict[str, Any]:
    """Give when a session began, was last heard of and ended."""
    return {
        "session_id": row.session_id,
        "entry": row.entry,
        "started_at": format_timestamp(row.started_at),
        "last_commit_at": format_timestamp(row.last_commit_at),
        "ended_at": format_timestamp(row.ended_at),
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
        "received_at": format_timestamp(line.received_at),
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
