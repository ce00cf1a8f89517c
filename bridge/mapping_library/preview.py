"""Previews a pasted commit, in any wire format: what it would become."""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection

from bridge import formats
from bridge.commit_model.state_codec import decode_attempt_state, decode_session_state, enrollment_state
from bridge.commit_model.statement_context import statement_context
from bridge.errors import MalformedBody
from bridge.formats import CommitRequest
from bridge.mapping_library.activation import LibraryError
from mappings.analysis.preview import Preview, preview
from mappings.attempt.commit import ReceivedCommit
from mappings.cmi import parse_cmi
from mappings.definition import CompiledMapping
from storage.queries import lookups


def parse_body(
    body: bytes, received_at: int, *, wire_format: str | None = None, content_type: str = ""
) -> ReceivedCommit:
    """Parse the body of a commit; its wire format is detected by default.

    Raises:
        BridgeError: it cannot be parsed, or is not a commit.
    """
    request = CommitRequest(body, content_type)
    parsed = (
        formats.detect(request)[1] if wire_format is None else formats.parse_as(formats.BY_NAME[wire_format], request)
    )
    if parsed.commit is None:
        raise MalformedBody("The body is not a commit: it reads something, or is empty.")
    return ReceivedCommit(
        commit=parsed.commit,
        parsed_cmi=parse_cmi(parsed.commit.tree, declared=parsed.commit.scorm_version),
        digest=hashlib.sha256(body).hexdigest(),
        received_at=received_at,
    )


def preview_commit(
    mapping: CompiledMapping,
    arrival: ReceivedCommit,
    *,
    connection: Connection | None = None,
    session_id: str | None = None,
) -> Preview:
    """Preview a commit as the first one of a new attempt, or as the next one of a stored session.

    Raises:
        LibraryError: there is no such session.
    """
    if connection is None or session_id is None:
        return preview(mapping, arrival)
    row = lookups.find_session(connection, session_id)
    if row is None:
        raise LibraryError(f"There is no session {session_id}.")
    session = decode_session_state(row.state)
    return preview(
        mapping,
        arrival,
        context=statement_context(row.attempt, session_id, session.launch.registration),
        attempt=decode_attempt_state(row.attempt.state),
        session=session,
        enrollment=enrollment_state(row.attempt.enrollment),
    )
