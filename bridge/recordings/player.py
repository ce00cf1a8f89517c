"""Plays a recording at a bridge, as the LMS's server would post the session: meant for the sandbox."""

from __future__ import annotations

from typing import Any

import aiohttp
import msgspec

from bridge.http_client import describe_failure, open_session, send_request
from bridge.outgoing import OutgoingGuard
from bridge.recordings.download import Recording, RecordingError
from bridge.recordings.replay import PageCommit, commits_of, launch_of

TIMEOUT_SECONDS = 30.0
MAX_ANSWER_BYTES = 4 * 1024 * 1024


class PlayedCommit(msgspec.Struct, frozen=True, gc=False):
    """A commit, and what the bridge made of it: statements with `id`, `verb` and `rule`, and warnings."""

    sequence: int
    committed_at: str | None
    statements: list[dict[str, Any]]
    warnings: list[dict[str, Any]]


class PlayedSession(msgspec.Struct, frozen=True, gc=False):
    """The session that a replay made."""

    session_id: str
    attempt: str
    learner: str
    commits: list[PlayedCommit]


async def play(recording: Recording, url: str, token: str, learner_id: str) -> PlayedSession:
    """Open a session of a learner at the bridge at `url`, and send it the commits of a recording.

    Raises:
        RecordingError: the bridge does not answer, or refuses something.
    """
    header = recording.header
    launch = {
        "learner": {"id": learner_id, "name": header.learner.name},
        "activity": {"id": header.activity.id, "name": header.activity.name}
        | ({"type": header.activity.type} if header.activity.type else {}),
        "scorm_version": header.scorm_version,
    } | launch_of(recording)
    if header.course.id:
        launch["course"] = {"id": header.course.id, "name": header.course.name}
    commits = commits_of(recording)
    guard = OutgoingGuard(urls=[url])
    async with open_session(guard, timeout_seconds=TIMEOUT_SECONDS) as session:
        opened = await _post(session, f"{url}/v1/sessions", token, launch)
        address = f"{url}/v1/sessions/{opened['session_id']}/commits"
        played = [await _play_commit(session, address, token, commit) for commit in commits]
    return PlayedSession(opened["session_id"], opened["attempt"]["id"], learner_id, played)


async def _play_commit(session: aiohttp.ClientSession, url: str, token: str, commit: PageCommit) -> PlayedCommit:
    answer = await _post(session, url, token, commit)
    return PlayedCommit(commit.sequence, commit.committed_at, answer["statements"], answer["warnings"])


async def _post(session: aiohttp.ClientSession, url: str, token: str, body: object) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    try:
        response = await send_request(
            session, "POST", url, max_bytes=MAX_ANSWER_BYTES, data=msgspec.json.encode(body), headers=headers
        )
        answer = msgspec.json.decode(response.body)
    except (aiohttp.ClientError, OSError, ValueError, msgspec.DecodeError) as error:
        raise RecordingError(
            f"{url} does not answer as a bridge: {describe_failure(error, TIMEOUT_SECONDS)}. Is `scorm-bridge sandbox`"
            " running, or at another --url?"
        ) from None
    if response.status != 200:
        raise RecordingError(f"The bridge refused the replay: {answer.get('detail', response.status)}")
    return dict(answer)
