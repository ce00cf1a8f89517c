"""Sessions that a page of the LMS opens with a browser key, and what may be done with their commit URLs.

Whoever visits the page has the key. It permits writing and nothing else: whatever comes, the responses say nothing of
anybody, not even whether a learner is known.
"""

from __future__ import annotations

import re
import uuid

import msgspec
from aiohttp import hdrs, web
from msgspec import UNSET, UnsetType

from bridge.access import CommitOwner
from bridge.commit_model.launch import Launch
from bridge.commits.commands import OpenSession
from bridge.errors import (
    BrowserActivityForbidden,
    BrowserReadForbidden,
    LearnerErased,
    MalformedBody,
    MalformedField,
)
from bridge.formats import native
from bridge.formats.lenient_json import decode
from bridge.formats.native import ActivityFields, CourseFields
from bridge.http import request_body
from bridge.http.cors import BROWSER_KEY
from bridge.http.forwarded import network_of
from bridge.http.query_parameters import check_parameters
from bridge.http.refusals import LMS_ID
from bridge.http.responses import BrowserSessionResponse
from bridge.http.services import public_url, services
from bridge.limits.request_rates import BrowserRates
from bridge.metrics.catalog import BROWSER_SESSIONS
from mappings.attempt.launch import BROWSER
from storage.browser_keys import BrowserKey
from storage.learner_ids import LearnerIdRules

MAX_OPENING_BYTES = 16 * 1024
"""Bytes of a body that opens a session: ids and names, no CMI data."""
HASHED_PREFIX = "sha256:"
"""What a learner's id begins with that the page has hashed; the hash follows, in hexadecimal."""

_LAUNCH_ID = re.compile(r"[A-Za-z0-9_-]{8,100}", re.ASCII)
_SHA256 = re.compile(r"[0-9A-Fa-f]{64}")
_SESSIONS = uuid.UUID("5d3c0f0e-2f7a-4d6b-9f35-6a8f2b7c9d10")
"""The namespace of the ids of sessions that pages open: any that never changes."""

_Text = str | int


class BrowserLearnerFields(msgspec.Struct, forbid_unknown_fields=True):
    """A learner as a page describes one: by `id`, or by `sha256`, the SHA-256 of the id in hexadecimal."""

    id: _Text | UnsetType = UNSET
    sha256: str | UnsetType = UNSET
    name: str | None = None


class BrowserSessionBody(msgspec.Struct, forbid_unknown_fields=True):
    """What a page tells of the session it opens."""

    key: str
    learner: BrowserLearnerFields | _Text
    activity: ActivityFields | _Text
    course: CourseFields | _Text | None = None
    scorm_version: str | float | int | None = None
    mode: str | None = None
    credit: str | None = None
    launch_id: str | None = None


async def open_browser_session(request: web.Request) -> web.Response:
    """`POST /v1/browser/sessions`: open a session with a browser key, and get the address its commits are posted to."""
    parts = services(request)
    check_address(request, parts.browser_rates)
    check_parameters(request)
    body = await request_body.read_body(request, MAX_OPENING_BYTES)
    content = decode(body) if body.strip() else None
    key = await _authenticate(request, content)
    fields = _convert(content)
    launch = parse_browser_launch(fields, key)
    owner = parts.commit_tokens.browser_owner(launch.lms_id, launch.learner.id, key.id)
    parts.browser_rates.check(key.id, owner.learner_tag)
    session_id = session_id_of(key, launch, fields.launch_id or parts.new_id())
    try:
        await parts.commits.open_session(OpenSession(launch, session_id, owner))
        parts.metrics.count(BROWSER_SESSIONS)
    except LearnerErased as error:
        # answered as for anybody else: its commits will be dropped
        parts.refusals.note(request, error)
    token = parts.commit_tokens.sign(session_id, owner)
    url = f"{public_url(request)}/v1/sessions/{session_id}/commits?token={token}"
    response = BrowserSessionResponse(session_id=session_id, commit_url=url)
    return web.Response(body=msgspec.json.encode(response), content_type="application/json")


async def check_browser_commit(request: web.Request, owner: CommitOwner, rates: BrowserRates | None = None) -> None:
    """Check that a session that a page opened may still be committed to; `rates` count what is no commit.

    Raises:
        BrowserKeyUnknown, BrowserKeyExpired: its key is valid no longer.
        BrowserOriginForbidden: another page sends the commit.
        BrowserRateExceeded: more was sent than may be.
    """
    parts = services(request)
    assert owner.key_id is not None  # noqa: S101 -- who calls this has asked
    rates = rates or parts.browser_rates
    check_address(request, rates)
    key = await parts.browser_keys.by_id(owner.key_id)
    if key is not None:
        request[BROWSER_KEY] = key
    # a beacon of a page without a referrer says null; the commit URL alone permits it then
    origin = request.headers.get(hdrs.ORIGIN, "null")
    parts.browser_keys.check(key, key.origins[0] if key is not None and origin == "null" else origin)
    rates.check(owner.key_id, owner.learner_tag)


def check_address(request: web.Request, rates: BrowserRates) -> None:
    """Count a request by the network it comes from.

    Raises:
        BrowserRateExceeded: as many have come from there as may.
    """
    parts = services(request)
    address = parts.proxies.address(request)
    rates.check_address("" if address is None else network_of(address))


def reading_refused() -> BrowserReadForbidden:
    """Return the error for what asks a page's session for anything."""
    return BrowserReadForbidden(
        "A session that a page opened with a browser key takes commits and answers no question; the LMS reads it with"
        " its token at GET /v1/sessions/{session_id}."
    )


def parse_browser_launch(fields: BrowserSessionBody, key: BrowserKey) -> Launch:
    """Parse who and what from a page's words; of what an LMS's server may say besides, nothing is taken from a page.

    Raises:
        MalformedBody: a learner has no id, or two.
        MalformedField: an id is empty or has control characters, a type is no IRI.
        BrowserActivityForbidden: the key is not for the activity.
    """
    if fields.launch_id is not None and _LAUNCH_ID.fullmatch(fields.launch_id) is None:
        raise MalformedField("launch_id has 8 to 100 letters, digits, - and _, and is another one for each launch.")
    learner_id, name = _learner(fields.learner, key.lms.learner_ids)
    opening = {
        "learner": {"id": learner_id, "name": name},
        "activity": msgspec.to_builtins(fields.activity),
        "course": msgspec.to_builtins(fields.course),
        "scorm_version": fields.scorm_version,
        "mode": fields.mode,
        "credit": fields.credit,
    }
    launch = native.parse_launch(opening, lms_id=key.lms.id).launch
    if not key.permits_activity(launch.activity.id):
        raise BrowserActivityForbidden(
            f"This browser key is not for the activity {launch.activity.id[:200]!r};"
            " `scorm-bridge keys create --activity` makes one that is."
        )
    return msgspec.structs.replace(launch, data=msgspec.structs.replace(launch.data, source=BROWSER))


def session_id_of(key: BrowserKey, launch: Launch, launch_id: str) -> str:
    """Return the id of the session of a page's launch: the same for the same launch, and no other session's."""
    who, what, course = launch.learner.id, launch.activity.id, launch.course.id
    return str(uuid.uuid5(_SESSIONS, "\n".join((str(key.id), who, what, course, launch_id))))


async def _authenticate(request: web.Request, content: object) -> BrowserKey:
    """Return the key in a body, which is valid and for the page that sends it; note whose request it is."""
    keys = services(request).browser_keys
    text = content.get("key") if isinstance(content, dict) else None
    if not isinstance(text, str):
        raise MalformedBody('The body has no browser key: {"key": "pk_…", "learner": …, "activity": …} is needed.')
    key = await keys.find(text)
    if key is not None:
        request[LMS_ID], request[BROWSER_KEY] = key.lms.id, key
    return keys.check(key, request.headers.get(hdrs.ORIGIN))


def _learner(learner: BrowserLearnerFields | str | int, rules: LearnerIdRules) -> tuple[str, str | None]:
    """Return a learner's id as it is stored, and the name; one that is hashed has none, and is not rewritten."""
    fields = learner if isinstance(learner, BrowserLearnerFields) else BrowserLearnerFields(learner)
    if (fields.id is UNSET) is (fields.sha256 is UNSET):
        raise MalformedBody("learner has either an id or, where the page has hashed it, sha256.")
    if not isinstance(fields.sha256, UnsetType):
        if _SHA256.fullmatch(fields.sha256) is None:
            raise MalformedField("learner.sha256 is a SHA-256 in hexadecimal: 64 of the digits 0 to 9 and a to f.")
        return f"{HASHED_PREFIX}{fields.sha256.lower()}", None
    learner_id = str(fields.id)
    if learner_id.startswith(HASHED_PREFIX) and _SHA256.fullmatch(learner_id.removeprefix(HASHED_PREFIX)):
        return learner_id.lower(), None
    if not learner_id.strip():
        return learner_id, fields.name  # refused as an empty one of any body
    rewritten = rules.rewrite(learner_id)
    if rewritten is None:
        # who learners are stays out of the log
        raise MalformedField(
            f"learner.id is not written as the LMS's pages write ids: {rules.describe()}; `scorm-bridge lms change"
            " --learner-pattern` says how they do."
        )
    return rewritten, fields.name


def _convert(content: object) -> BrowserSessionBody:
    try:
        return msgspec.convert(content, BrowserSessionBody)
    except msgspec.ValidationError as error:
        raise MalformedBody(f"The body is not what is taken here: {error}.") from None
