"""What a commit's request says, parsed by the kind of its address: all of it in one body, or in a wire format."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec
from aiohttp import web
from msgspec.structs import replace

from bridge import formats
from bridge.commit_model.launch import Launch
from bridge.errors import MalformedBody
from bridge.formats import CommitRequest, Format, FormatError, FormatRequest, body, native, scorm_cloud
from bridge.formats.lenient_json import decode
from bridge.http import request_body
from bridge.http.commit_authentication import Caller
from mappings.attempt.commit import Commit, ReceivedCommit
from mappings.cmi import CmiWarning, parse_cmi


class ParsedRequest(msgspec.Struct, frozen=True, gc=False):
    """What a request says.

    `received` are the commits to store, one for each SCO that it has values of; none where it only asks. `launch` is
    there where it can open its session.
    """

    format: Format
    format_request: FormatRequest
    received: Sequence[ReceivedCommit]
    session_id: str | None
    launch: Launch | None = None


def parse_detected(
    _request: web.Request, caller: Caller, commit_request: CommitRequest, received_at: int
) -> ParsedRequest:
    """Parse a commit of an open session in whatever format its body is.

    Raises:
        BridgeError: what `formats.detect` says.
    """
    wire_format, format_request = formats.detect(commit_request)
    return _of_session(wire_format, format_request, caller, commit_request, received_at)


def parse_format(
    request: web.Request, caller: Caller, commit_request: CommitRequest, received_at: int
) -> ParsedRequest:
    """Parse a commit of an open session in the format that its address names; GET only asks what the session holds.

    Raises:
        BridgeError: what `formats.parse_as` says, or GET has something to store.
    """
    wire_format = formats.BY_NAME[request.match_info["format"]]
    if request.method == "GET":
        format_request = _parse_query(wire_format, commit_request)
    else:
        format_request = formats.parse_as(wire_format, commit_request)
    return _of_session(wire_format, format_request, caller, commit_request, received_at)


def parse_postback(
    _request: web.Request, caller: Caller, commit_request: CommitRequest, received_at: int
) -> ParsedRequest:
    """Parse a postback, which tells its session, learner and course itself.

    Raises:
        BridgeError: it is none, or something in it is missing or wrong.
    """
    postback = scorm_cloud.find_postback(body.parse(commit_request.body))
    if postback is None:
        raise MalformedBody(f"The body is no postback; this address takes {scorm_cloud.FORMAT.description}.")
    assert caller.lms_id is not None  # noqa: S101 -- no commit URL leads here
    opening = scorm_cloud.parse_launch(postback.json, lms_id=caller.lms_id)
    format_request = formats.parse_as(scorm_cloud.FORMAT, commit_request)
    assert format_request.commit is not None  # noqa: S101 -- a postback always is one
    received = received_commit(
        format_request.commit, payload_of(format_request, commit_request), received_at, opening.warnings
    )
    return ParsedRequest(scorm_cloud.FORMAT, format_request, (received,), opening.session_id, opening.launch)


def parse_all_in_one(
    request: web.Request, caller: Caller, commit_request: CommitRequest, received_at: int
) -> ParsedRequest:
    """Parse a commit with session, learner and activity in it, or the activity in its address; or a postback.

    Raises:
        BridgeError: something in it is missing or wrong.
    """
    assert caller.lms_id is not None  # noqa: S101 -- no commit URL leads here
    activity_id = request.match_info.get("topic_id")
    content = native.parse_all_in_one(commit_request.body) or _json_object(commit_request)
    if isinstance(content, native.AllInOneBody):
        session_id = content.session_id or None
    elif activity_id is None and scorm_cloud.POSTBACK_FIELD in content:
        return parse_postback(request, caller, commit_request, received_at)
    else:
        session_id = content.get("session_id") or None
    launch: Launch | None = None
    warnings: tuple[CmiWarning, ...] = ()
    if native.has_launch(content) or session_id is None:
        launch, session_id, warnings = native.parse_launch(content, lms_id=caller.lms_id, activity_id=activity_id)
    if session_id is not None:
        session_id = request_body.session_id(str(session_id))
    commit = native.parse_commit(content, commit_request)
    received = received_commit(commit, commit_request.body, received_at, warnings)
    return ParsedRequest(native.FORMAT, FormatRequest(commit=commit), (received,), session_id, launch)


def payload_of(format_request: FormatRequest, commit_request: CommitRequest) -> bytes:
    """Return what the journal keeps of a commit."""
    return commit_request.body if format_request.payload is None else format_request.payload


def _of_session(
    wire_format: Format, format_request: FormatRequest, caller: Caller, commit_request: CommitRequest, received_at: int
) -> ParsedRequest:
    received = [
        received_commit(part.commit, payload_of(part, commit_request), received_at)
        for part in (format_request, *format_request.others)
        if part.commit is not None
    ]
    return ParsedRequest(wire_format, format_request, received, caller.session_id)


def received_commit(
    commit: Commit, payload: bytes, received_at: int, warnings: Sequence[CmiWarning] = ()
) -> ReceivedCommit:
    """Return a commit with its CMI data read, but without its idempotency key. `warnings` are of its session."""
    parsed_cmi = parse_cmi(commit.tree, declared=commit.scorm_version)
    if warnings or commit.warnings:
        parsed_cmi = replace(parsed_cmi, warnings=(*warnings, *commit.warnings, *parsed_cmi.warnings))
    return ReceivedCommit(
        commit=commit,
        parsed_cmi=parsed_cmi,
        digest=hashlib.sha256(payload).hexdigest(),
        received_at=received_at,
    )


def _parse_query(wire_format: Format, commit_request: CommitRequest) -> FormatRequest:
    """Parse what GET asks for with its parameters: everything where they ask for nothing."""
    if not commit_request.query:
        return FormatRequest(requested=())
    query = commit_request.query
    try:
        format_request = formats.parse_as(wire_format, CommitRequest(urlencode(query).encode(), query=query))
    except FormatError:
        raise
    except MalformedBody:
        return FormatRequest(requested=())
    if format_request.commit is not None:
        raise FormatError(MalformedBody("GET only asks; what is to be stored has to be posted."), wire_format)
    return format_request


def _json_object(commit_request: CommitRequest) -> dict[str, Any]:
    content = decode(commit_request.body) if commit_request.body.strip() else None
    if not isinstance(content, dict):
        raise MalformedBody("The body must be a JSON object with learner, activity and cmi.")
    return content
