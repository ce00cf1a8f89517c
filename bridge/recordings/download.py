"""A recording as a file: NDJSON, first whose session it is, then a line for each call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Literal

import msgspec
from sqlalchemy import Connection

from bridge.clock import format_timestamp
from bridge.recordings.calls import CallManner, CallMethod, CallValue, RecordedCall, error_after, in_order
from storage.queries import recordings

MAX_FILE_BYTES = 16 * 1024 * 1024
"""Bytes of a file that is read: several times what is kept of a session."""


class RecordingError(ValueError):
    """A file is no recording."""


class RecordingSubject(msgspec.Struct, frozen=True, gc=False):
    """A learner, activity or course."""

    id: str
    name: str = ""
    type: str = ""


class RecordingHeader(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The first line of a file.

    Attributes:
        recording: the version of the file's shape.
        entry: `resume` where the session went on with an attempt, else `ab-initio`.
        started_at: when times of calls are counted from, by the page's clock, in milliseconds since the epoch.
        made: how many calls there were; more than there are lines where some were not kept.
    """

    recording: Literal[1] = 1
    session_id: str
    attempt: str
    attempt_number: int
    entry: str
    scorm_version: str | None
    lms: str
    home_page: str
    learner: RecordingSubject
    activity: RecordingSubject
    course: RecordingSubject
    started: str | None
    started_at: int
    made: int
    kept: int


class CallLine(msgspec.Struct, frozen=True, gc=False):
    """A call; `error` is what `GetLastError` answered to the course after it, None where it did not ask."""

    number: int
    at_ms: int
    duration_ms: int
    commit: int
    method: CallMethod
    arguments: list[CallValue]
    answer: CallValue
    error: str | None = None
    manner: CallManner = CallManner.USUAL


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording as it was read from a file."""

    header: RecordingHeader
    calls: Sequence[CallLine]


def write_recording(connection: Connection, session_id: str) -> bytes | None:
    """Return the file of a session's recording, None where nothing was recorded."""
    session, summary = recordings.recorded_session(connection, session_id), recordings.summary(connection, session_id)
    if session is None or summary is None:
        return None
    header = RecordingHeader(
        session_id=session_id,
        attempt=session.attempt,
        attempt_number=session.attempt_number,
        entry=session.entry,
        scorm_version=session.scorm_version,
        lms=session.lms,
        home_page=session.home_page,
        learner=RecordingSubject(session.learner_id, session.learner_name),
        activity=RecordingSubject(session.activity_id, session.activity_name, session.activity_type),
        course=RecordingSubject(session.course_id, session.course_name),
        started=format_timestamp(summary.started_at),
        started_at=summary.started_at,
        made=summary.made,
        kept=summary.kept,
    )
    calls = in_order(part.calls for part in recordings.parts(connection, session_id))
    return msgspec.json.Encoder().encode_lines([header, *_lines(calls)])


def read_recording(stream: BinaryIO) -> Recording:
    """Read the file of a recording.

    Raises:
        RecordingError: it is none, and why.
    """
    content = stream.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise RecordingError(f"The file has more than {MAX_FILE_BYTES // 1024 // 1024} MiB: it is no recording.")
    lines = [line for line in content.splitlines() if line.strip()]
    header, decoder = None, msgspec.json.Decoder(CallLine)
    calls: list[CallLine] = []
    for number, line in enumerate(lines, start=1):
        try:
            if header is None:
                header = msgspec.json.decode(line, type=RecordingHeader)
            else:
                calls.append(decoder.decode(line))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise RecordingError(
                f"Line {number} is none of a recording: {error}. Recordings are what the audit pages and"
                " `scorm-bridge recordings show` give out."
            ) from None
    if header is None:
        raise RecordingError("The file is empty; a recording begins with a line that says whose session it is.")
    return Recording(header, calls)


def _lines(calls: Iterator[RecordedCall]) -> Iterator[CallLine]:
    call = next(calls, None)
    while call is not None:
        following = next(calls, None)
        yield CallLine(
            call.number,
            call.at,
            call.duration_ms,
            call.commit,
            call.method,
            call.arguments,
            call.answer,
            error_after(call, following),
            call.manner,
        )
        call = following
