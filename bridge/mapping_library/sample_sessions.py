"""Sessions of learners who do not exist, as players send them, and all that a mapping makes of their commits."""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Iterator
from random import Random
from typing import Any

import msgspec
from msgspec.structs import replace

from bridge.commit_model.responses import commit_response
from bridge.commit_model.statement_context import statement_context
from bridge.formats import CommitRequest, native
from mappings.apply import Transition, apply_commit
from mappings.attempt.commit import ReceivedCommit
from mappings.attempt.enrollment import NEW_ENROLLMENT
from mappings.attempt.state import AttemptState, SessionState
from mappings.cmi import parse_cmi
from mappings.cmi.scores import Score
from mappings.definition import CompiledMapping
from storage.attempts import Attempt, Enrollment
from storage.journal import pack
from storage.states import AttemptStatus

LEARNERS = 8
COMMITS = 6
"""Of a session."""
_BEGIN = 1_750_000_000_000
_DAY = 86_400_000
_KINDS = ("passing", "suspending", "progressing", "answering")
"""The last one once in a while: it makes many statements."""


def sample_texts(mapping: CompiledMapping) -> list[bytes]:
    """Return what would be stored of sample sessions: commits as the journal packs them, and statements.

    They are the same each time for the same mapping.
    """
    random = Random(mapping.definition.content_hash)  # noqa: S311 -- nothing is secret
    texts: list[bytes] = []
    for learner in range(LEARNERS):
        for kind in _KINDS if learner % 4 == 0 else _KINDS[:-1]:
            texts += _session_texts(mapping, random, learner, kind)
    return texts


def _session_texts(mapping: CompiledMapping, random: Random, learner: int, kind: str) -> Iterator[bytes]:
    row, session_id = _attempt(random, learner, kind), _uuid(random)
    attempt, session, enrollment = AttemptState(sessions=1), SessionState(number=1), NEW_ENROLLMENT
    for number in range(1, COMMITS + 1):
        body = msgspec.json.encode(_commit(row, session_id, number, kind, random))
        received = _received(body, row.started_at + number * 61_337)
        context = replace(statement_context(row, session_id), attempt_number=row.number)
        transition = apply_commit(mapping, context, attempt, session, received, enrollment=enrollment)
        attempt, session, enrollment = transition.attempt, transition.session, transition.enrollment
        _update(row, transition, received.received_at)
        response = commit_response(
            session_id, number, transition.disposition, row, attempt, transition.statements, transition.warnings
        )
        yield pack(response.decode(), body)
        for statement in transition.statements:
            yield statement.body.encode()


def _received(body: bytes, received_at: int) -> ReceivedCommit:
    whole = native.parse_all_in_one(body)
    assert whole is not None  # noqa: S101 -- it is one
    commit = native.parse_commit(whole, CommitRequest(body, "application/json"))
    parsed = parse_cmi(commit.tree, declared=commit.scorm_version)
    return ReceivedCommit(
        commit=commit, parsed_cmi=parsed, digest=hashlib.sha256(body).hexdigest(), received_at=received_at
    )


def _attempt(random: Random, learner: int, kind: str) -> Attempt:
    number, started_at = random.randrange(1, 10), _BEGIN + random.randrange(300 * _DAY)
    owner = Enrollment(
        id=1, registration=_uuid(random), lms_id=1, lms_name="lms", home_page="https://lms.example.org",
        course_registration=None, learner_id=f"{_word(random)}{learner}",
        learner_name=f"{_word(random).title()}, {_word(random).title()}", activity_id=f"{random.randrange(10_000)}",
        activity_name=f"{_word(random).title()} {_word(random)}", activity_type="",
        course_id=f"{random.randrange(1_000)}", course_name=f"{_word(random).title()} {_word(random)}",
        total_attempts=number, first_commit_at=started_at,
    )  # fmt: skip
    version = "1.2" if kind in {"passing", "suspending"} else "2004"
    return Attempt(1, _uuid(random), owner, number, version, AttemptStatus.ACTIVE.value, "", started_at)


def _commit(row: Attempt, session_id: str, number: int, kind: str, random: Random) -> dict[str, Any]:
    owner, is_last = row.enrollment, number == COMMITS
    cmi = _cmi_1_2(row, number, kind, random) if row.scorm_version == "1.2" else _cmi_2004(row, number, kind, random)
    cmi["suspend_data"] = base64.b64encode(random.randbytes(random.randrange(30, 400))).decode()
    return {
        "session_id": session_id,
        "learner": {"id": owner.learner_id, "name": owner.learner_name},
        "activity": {"id": owner.activity_id, "name": owner.activity_name},
        "course": {"id": owner.course_id, "name": owner.course_name},
        "scorm_version": row.scorm_version,
        "terminated": is_last,
        "cmi": cmi,
    }


def _cmi_1_2(row: Attempt, number: int, kind: str, random: Random) -> dict[str, Any]:
    goes_on = number < COMMITS or kind == "suspending"
    status = "incomplete" if goes_on else random.choice(("passed", "failed", "completed"))
    hours, minutes, seconds = random.randrange(3), random.randrange(60), random.randrange(60)
    return {
        "launch_data": "",
        "comments": "",
        "core": {
            "student_id": row.enrollment.learner_id,
            "student_name": row.enrollment.learner_name,
            "lesson_location": f"page-{random.randrange(60)}",
            "credit": "credit",
            "lesson_status": status,
            "entry": "ab-initio",
            "lesson_mode": "normal",
            "exit": "suspend" if kind == "suspending" else "",
            "session_time": f"{hours:02}:{minutes:02}:{seconds:02}.{number}",
            "score": {"raw": str(random.randrange(101)) if number > 1 else "", "min": "0", "max": "100"},
        },
        "student_data": {"mastery_score": "80", "max_time_allowed": "", "time_limit_action": ""},
        "student_preference": {"audio": "", "language": "", "speed": "", "text": ""},
    }


def _cmi_2004(row: Attempt, number: int, kind: str, random: Random) -> dict[str, Any]:
    is_last, raw = number == COMMITS, random.randrange(101)
    cmi: dict[str, Any] = {
        "learner_id": row.enrollment.learner_id,
        "learner_name": row.enrollment.learner_name,
        "location": f"page-{random.randrange(60)}",
        "launch_data": "",
        "completion_status": "completed" if is_last else "incomplete",
        "success_status": random.choice(("passed", "failed")) if is_last else "unknown",
        "progress_measure": f"{number / COMMITS:.2f}",
        "scaled_passing_score": "0.8",
        "score": {"scaled": f"{raw / 100}", "raw": str(raw), "min": "0", "max": "100"}
        if number > 2
        else {"scaled": "", "raw": "", "min": "0", "max": "100"},
        "session_time": f"PT{random.randrange(60)}M{random.randrange(60)}.{random.randrange(100)}S",
        "total_time": f"PT{random.randrange(60)}M{random.randrange(60)}S",
        "credit": "credit",
        "mode": "normal",
        "entry": "ab-initio",
        "exit": "",
    }
    if kind == "answering":
        cmi["interactions"] = {
            str(index): {
                "id": f"{_word(random)}_{index}",
                "type": "choice",
                "learner_response": random.choice("abcd"),
                "result": random.choice(("correct", "incorrect")),
                "weighting": "1",
                "latency": f"PT{random.randrange(60)}S",
                "description": f"{_word(random).title()} {_word(random)}",
            }
            for index in range(number // 2)
        }
    return cmi


def _update(row: Attempt, transition: Transition, at: int) -> None:
    """Set the columns that a response tells of."""
    state, owner = transition.attempt, row.enrollment
    snapshot, score = state.snapshot, state.score or Score()
    row.status = state.ended or AttemptStatus.ACTIVE.value
    row.completion_status, row.success_status = snapshot.completion_status, snapshot.success_status
    row.score_scaled, row.score_raw, row.score_min, row.score_max = score.scaled, score.raw, score.min, score.max
    row.progress_measure, row.total_time = snapshot.progress_measure, state.total_time
    owner.completion_status, owner.success_status = row.completion_status, row.success_status
    owner.best_scaled, owner.best_raw, owner.best_min, owner.best_max = score.scaled, score.raw, score.min, score.max
    owner.total_time, owner.last_commit_at = state.total_time, at


def _word(random: Random) -> str:
    return "".join(random.choices("abcdefghijklmnopqrstuvwxyz", k=random.randrange(4, 12)))


def _uuid(random: Random) -> str:
    return str(uuid.UUID(int=random.getrandbits(128), version=4))
