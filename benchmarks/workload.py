"""The commits that benchmarks post: sessions of six, as LMSs send them that pass their player's snapshots on.

Sessions come in fours: SCORM 1.2 up to a pass, SCORM 2004 with progress, SCORM 1.2 suspended, and the same attempt
resumed and failed. Each commit is a full snapshot with 400 characters of suspend data, a new location and session time;
statuses, scores and progress change now and then, which makes about 1.2 statements a commit. Suspend data is new each
time and looks as authoring tools write it: compressed, in base 64.
"""

from __future__ import annotations

import base64
from random import Random
from typing import Any

import msgspec

PER_SESSION = 6
KINDS = 4
SUSPEND_DATA = 400
"""Characters."""

_SESSION, LEARNER, ACTIVITY, _SUSPENDED = "§SESSION§", "§LEARNER§", "§ACTIVITY§", "§SUSPENDED§"
HOLES = _SESSION, LEARNER, ACTIVITY, _SUSPENDED
"""What stands in a body for the session's id, the learner's, the activity's, and the suspend data."""
_NOISE = base64.b64encode(Random(1).randbytes(750_000)).decode()


def suspend_data(mark: int) -> str:
    """Return suspend data that is like no other: the mark, and characters in no order."""
    start = mark * 97 % (len(_NOISE) - SUSPEND_DATA)
    return f"{mark:016d}{_NOISE[start : start + SUSPEND_DATA - 16]}"


def learner(number: int) -> str:
    """Return the id of the learner of an enrollment: twenty enrollments have the same one."""
    return f"u{number // 20:08}"


def activity(number: int) -> str:
    """Return the id of the activity of an enrollment."""
    return f"{100 + number % 20:04}"


_SCORES = {
    0: (("", "40", "40", "60", "85", "85"), "passed"),
    2: (("", "10", "20", "20", "30", "30"), "incomplete"),
    3: (("30", "30", "55", "55", "60", "60"), "failed"),
}
"""Of each kind of SCORM 1.2: the raw score after each commit, and the status in the end."""


class Requests:
    """Every request of every kind of session, whole, with holes of fixed width for what differs."""

    def __init__(self, host: str, port: int, token: str) -> None:
        head = (
            f"POST /v1/commits HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {token}\r\n"
            "Accept: */*\r\nUser-Agent: lms\r\nContent-Type: application/json\r\nContent-Length: "
        ).encode()
        self._requests = [
            [_with_holes(head, msgspec.json.encode(body(kind, number))) for number in range(PER_SESSION)]
            for kind in range(KINDS)
        ]

    def make(self, kind: int, number: int, session_id: str, enrollment: int, mark: int) -> bytes:
        """Return the bytes of a session's commit; `mark` is the session's, of which its suspend data is made."""
        return self._requests[kind][number] % (
            session_id.encode(),
            learner(enrollment).encode(),
            activity(enrollment).encode(),
            suspend_data(mark * PER_SESSION + number).encode(),
        )


def body(kind: int, number: int) -> dict[str, Any]:
    """Return the body of the commit with this number, from 0, of a kind of session; ids are holes."""
    cmi = _progressing(number) if kind == 1 else _passing(kind, number)
    return {
        "session_id": _SESSION,
        "learner": {"id": LEARNER, "name": "Lovelace, Ada"},
        "activity": {"id": ACTIVITY, "name": "Difference and analytical engines"},
        "course": {"id": "c7", "name": "Engines"},
        "scorm_version": "2004" if kind == 1 else "1.2",
        "terminated": number == PER_SESSION - 1,
        "cmi": cmi | {"suspend_data": _SUSPENDED},
    }


def _passing(kind: int, number: int) -> dict[str, Any]:
    scores, last = _SCORES[kind]
    status = last if number >= PER_SESSION - 2 else "incomplete"
    return {
        "launch_data": "",
        "comments": "",
        "core": {
            "student_id": LEARNER,
            "student_name": "Lovelace, Ada",
            "lesson_location": f"page-{kind}-{number}",
            "credit": "credit",
            "lesson_status": status,
            "entry": "resume" if kind == 3 else "ab-initio",
            "lesson_mode": "normal",
            "exit": "suspend" if kind == 2 else "",
            "session_time": f"00:{number + 1:02}:30.5",
            "score": {"raw": scores[number], "min": "0", "max": "100"},
        },
        "student_data": {"mastery_score": "80", "max_time_allowed": "", "time_limit_action": ""},
        "student_preference": {"audio": "", "language": "", "speed": "", "text": ""},
    }


def _progressing(number: int) -> dict[str, Any]:
    done = number >= PER_SESSION - 2
    return {
        "learner_id": LEARNER,
        "learner_name": "Lovelace, Ada",
        "location": f"page-{number}",
        "launch_data": "",
        "completion_status": "completed" if done else "incomplete",
        "success_status": "passed" if done else "unknown",
        "progress_measure": f"{(number + 1) / PER_SESSION:.2f}",
        "scaled_passing_score": "0.8",
        "score": {"scaled": "0.9" if done else "", "raw": "90" if done else "", "min": "0", "max": "100"},
        "session_time": f"PT{number + 1}M30.5S",
        "credit": "credit",
        "mode": "normal",
        "entry": "ab-initio",
        "exit": "",
    }


def _with_holes(head: bytes, encoded: bytes) -> bytes:
    session_id = "0" * 36
    widths = {_SESSION: len(session_id), LEARNER: len(learner(0)), ACTIVITY: len(activity(0)), _SUSPENDED: SUSPEND_DATA}
    size = len(encoded)
    for name, width in widths.items():
        size += encoded.count(name.encode()) * (width - len(name.encode()))
    request = head.replace(b"%", b"%%") + f"{size}\r\n\r\n".encode() + encoded.replace(b"%", b"%%")
    # the learner's id is in the snapshot, too: one hole is filled from the front, the other stays what it is
    first = request.index(LEARNER.encode()) + len(LEARNER.encode())
    request = request[:first] + request[first:].replace(LEARNER.encode(), learner(0).encode())
    for name in widths:
        request = request.replace(name.encode(), b"%b")
    return request
