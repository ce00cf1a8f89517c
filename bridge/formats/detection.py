"""Detection of the format of a body from what it looks like; players label bodies with any content type they like.

The table's order is part of what tells formats from each other: a body is in the first one that recognises it.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from bridge.errors import BridgeError, MalformedBody
from bridge.formats import (
    aicc,
    chamilo,
    elements,
    hyperf,
    ilias,
    ilias_2004,
    moodle,
    native,
    openedx,
    rpc,
    sakai,
    scorm_again,
    scorm_cloud,
    single,
)
from bridge.formats.body import Body, parse, unwrap
from bridge.formats.commit_request import CommitRequest
from bridge.formats.format import Detector, Format, FormatError, FormatRequest

FORMATS: tuple[Format, ...] = (
    moodle.FORMAT,
    aicc.FORMAT,
    chamilo.FORMAT,
    openedx.FORMAT,
    rpc.FORMAT,
    sakai.FORMAT,
    scorm_cloud.FORMAT,
    native.FORMAT,
    elements.FORMAT,
    single.FORMAT,
    ilias.FORMAT,
    ilias_2004.FORMAT,
    hyperf.FORMAT,
    scorm_again.FORMAT,
)

BY_NAME: Mapping[str, Format] = {one.name: one for one in FORMATS}


def detect(request: CommitRequest) -> tuple[Format, FormatRequest]:
    """Detect the format of a request and parse it; look once into what may be a wrapper around it.

    Raises:
        MalformedBody: it is in no known format, or broken (`FormatError` where its format refuses in its own way).
        MalformedField: it is in the bridge's own format with a value that cannot be used.
    """
    body = parse(request.body)
    for candidate_body in chain((body,), unwrap(body)):
        for candidate in FORMATS:
            format_request = _attempt(candidate, candidate.detect, request, candidate_body)
            if format_request is not None:
                return candidate, format_request
    raise MalformedBody(
        'The body is in no known format, neither the bridge\'s own, {"cmi": {…}, …}, nor one of: '
        + ", ".join(sorted(BY_NAME))
        + "."
    )


def parse_as(candidate: Format, request: CommitRequest) -> FormatRequest:
    """Parse a request that is said to be in a format.

    Raises:
        MalformedBody: it is not.
        MalformedField: a field has a value that cannot be used.
    """
    body = parse(request.body)
    for candidate_body in chain((body,), unwrap(body)):
        format_request = _attempt(candidate, candidate.parse or candidate.detect, request, candidate_body)
        if format_request is not None:
            return format_request
    raise MalformedBody(f"The body is not in the format {candidate.name}, which takes {candidate.description}.")


def _attempt(candidate: Format, detector: Detector, request: CommitRequest, body: Body) -> FormatRequest | None:
    try:
        return detector(request, body)
    except BridgeError as error:
        if candidate.respond_error is None:
            raise
        raise FormatError(error, candidate) from None
