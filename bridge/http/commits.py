"""Commits with everything in one body: session, learner, activity and CMI data."""

from __future__ import annotations

from typing import Any

from aiohttp import hdrs, web

from bridge.commit_model.launch import Launch
from bridge.commits.commands import StoreCommit
from bridge.errors import MalformedBody
from bridge.formats import native, scorm_cloud
from bridge.formats.commit_request import CommitRequest
from bridge.formats.lenient_json import decode
from bridge.http import doors, request_body
from bridge.http.fast_response import FastResponse
from bridge.http.services import lms_of, services
from mappings.attempt.commit import ReceivedCommit
from mappings.cmi import CmiWarning


async def post_all_in_one(request: web.Request) -> web.Response:
    """`POST /v1/commits`: session, learner, activity and CMI data in one body; opens the session if it is unknown.

    `POST /scorm/progress/{topic_id}/`: the same with the activity in the address and `cmi_data` in the body.
    """
    parts, activity_id = services(request), request.match_info.get("topic_id")
    received_at = parts.now()
    lms = await lms_of(request, request.headers.get(hdrs.AUTHORIZATION))
    post = await request_body.read_commit_request(request)

    def parse() -> tuple[str | None, Launch | None, ReceivedCommit] | None:
        body = native.parse_all_in_one(post.body) or _object(post)
        launch: Launch | None = None
        warnings: tuple[CmiWarning, ...] = ()
        if isinstance(body, native.AllInOneBody):
            told = body.session_id or None
        elif activity_id is None and scorm_cloud.TELLING in body:
            return None
        else:
            told = body.get("session_id") or None
        if native.has_launch(body) or told is None:
            launch, told, warnings = native.parse_launch(body, lms_id=lms.id, activity_id=activity_id)
        session_id = None if told is None else request_body.session_id(str(told))
        return (
            session_id,
            launch,
            request_body.arrival(native.parse_commit(body, post), post.body, received_at, warnings),
        )

    read = await parts.parsing.run(post.body, parse, lambda: (lms.id, native.order_key(post.body)))
    if read is None:
        return await doors.post_postback(request, post, lms_id=lms.id, received_at=received_at)
    session_id, launch, arrived = read
    posting = StoreCommit(
        request_body.with_key(arrived, request), session_id, lms.id, launch, post.content_type, post.body, post.metadata
    )
    return FastResponse(await parts.commits.post(posting))


def _object(post: CommitRequest) -> dict[str, Any]:
    body = decode(post.body) if post.body.strip() else None
    if not isinstance(body, dict):
        raise MalformedBody("The body must be a JSON object with learner, activity and cmi.")
    return body
