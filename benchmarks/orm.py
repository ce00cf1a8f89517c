"""The rival: what a Django view would do with a commit, a transaction of SQLAlchemy's ORM for each request.

Run as `python -m benchmarks.orm PORT URL`. It selects enrollment, attempt and session (or creates them), keeps the
commit, compares it with the attempt, builds a statement with tincan for each change, and commits; durable as the bridge
is, on threads as views run. It checks no token, no score and no repetition, and keeps no documents.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import tincan
from aiohttp import web
from sqlalchemy import ForeignKey, LargeBinary, String, Text, UniqueConstraint, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from benchmarks.bare import serve
from storage.engine import open_engine

THREADS = {"sqlite": 1, "postgresql": 4}
"""As many as serve each database best: more of them wait for SQLite's one writer, or for Python's one interpreter."""
HOME_PAGE = "https://lms.example.org"
VERBS = "http://adlnet.gov/expapi/verbs"


class Base(DeclarativeBase):
    """The models."""


class Enrollment(Base):
    """A learner with an activity."""

    __tablename__ = "orm_enrollment"
    __table_args__ = (UniqueConstraint("learner_id", "activity_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    learner_id: Mapped[str] = mapped_column(Text)
    learner_name: Mapped[str] = mapped_column(Text)
    activity_id: Mapped[str] = mapped_column(Text)
    activity_name: Mapped[str] = mapped_column(Text)
    registration: Mapped[str] = mapped_column(String(36))
    total_attempts: Mapped[int]
    best_raw: Mapped[float | None]
    last_commit_at: Mapped[float | None]


class Attempt(Base):
    """A try of an enrollment."""

    __tablename__ = "orm_attempt"
    id: Mapped[int] = mapped_column(primary_key=True)
    enrollment_id: Mapped[int] = mapped_column(ForeignKey("orm_enrollment.id"), index=True)
    number: Mapped[int]
    status: Mapped[str] = mapped_column(Text)
    completion_status: Mapped[str] = mapped_column(Text)
    success_status: Mapped[str] = mapped_column(Text)
    raw: Mapped[float | None]
    progress: Mapped[float | None]
    location: Mapped[str] = mapped_column(Text)
    suspend_data: Mapped[str] = mapped_column(Text)
    session_time: Mapped[str] = mapped_column(Text)


class CmiSession(Base):
    """A launch of an attempt."""

    __tablename__ = "orm_session"
    session_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    attempt_id: Mapped[int] = mapped_column(ForeignKey("orm_attempt.id"), index=True)
    commits: Mapped[int]
    ended: Mapped[bool]


class CmiCommit(Base):
    """A commit as received."""

    __tablename__ = "orm_commit"
    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("orm_session.session_id"), index=True)
    received_at: Mapped[float]
    body: Mapped[bytes] = mapped_column(LargeBinary)


class Statement(Base):
    """A statement that waits for the LRS."""

    __tablename__ = "orm_statement"
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    attempt_id: Mapped[int] = mapped_column(ForeignKey("orm_attempt.id"), index=True)
    state: Mapped[str] = mapped_column(Text, index=True)
    body: Mapped[str] = mapped_column(Text)


class Views:
    """The one view."""

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url)
        Base.metadata.create_all(self._engine)
        self._threads = ThreadPoolExecutor(THREADS[self._engine.dialect.name])

    async def commit(self, request: web.Request) -> web.Response:
        """Keep a commit and answer it."""
        body = await request.read()
        answer = await asyncio.get_running_loop().run_in_executor(self._threads, self._store, body)
        return web.Response(text=answer, content_type="application/json")

    def _store(self, body: bytes) -> str:
        snapshot = json.loads(body)
        now = time.time()
        with Session(self._engine) as database, database.begin():
            session, attempt, enrollment = _find(database, snapshot)
            session.commits += 1
            session.ended = snapshot["terminated"]
            enrollment.last_commit_at = now
            database.add(CmiCommit(session_id=session.session_id, received_at=now, body=body))
            statements = [_statement(rule, attempt, enrollment) for rule in _changes(attempt, enrollment, snapshot)]
            for statement in statements:
                database.add(
                    Statement(
                        id=str(statement.id), attempt_id=attempt.id, state="waiting", body=statement.to_json("1.0.3")
                    )
                )
            answer = _answer(session, attempt, enrollment, statements)
        return json.dumps(answer)


def _find(database: Session, snapshot: dict[str, Any]) -> tuple[CmiSession, Attempt, Enrollment]:
    learner, activity = snapshot["learner"], snapshot["activity"]
    enrollment = database.scalars(
        select(Enrollment).where(Enrollment.learner_id == learner["id"], Enrollment.activity_id == activity["id"])
    ).one_or_none()
    if enrollment is None:
        enrollment = Enrollment(
            learner_id=learner["id"], learner_name=learner["name"], activity_id=activity["id"],
            activity_name=activity["name"], registration=str(uuid.uuid4()), total_attempts=0,
        )  # fmt: skip
        database.add(enrollment)
        database.flush()
    session = database.get(CmiSession, snapshot["session_id"])
    if session is not None:
        attempt = database.get(Attempt, session.attempt_id)
        assert attempt is not None
        return session, attempt, enrollment
    latest = database.scalars(
        select(Attempt).where(Attempt.enrollment_id == enrollment.id).order_by(Attempt.number.desc()).limit(1)
    ).one_or_none()
    if latest is None or latest.status != "suspended":
        enrollment.total_attempts += 1
        latest = Attempt(
            enrollment_id=enrollment.id, number=enrollment.total_attempts, status="", completion_status="",
            success_status="", location="", suspend_data="", session_time="",
        )  # fmt: skip
        database.add(latest)
        database.flush()
    session = CmiSession(session_id=snapshot["session_id"], attempt_id=latest.id, commits=0, ended=False)
    database.add(session)
    database.flush()
    return session, latest, enrollment


def _changes(attempt: Attempt, enrollment: Enrollment, snapshot: dict[str, Any]) -> list[str]:
    """Bring the attempt up to a snapshot; return the verbs of what has changed."""
    cmi = snapshot["cmi"]
    core = cmi.get("core", cmi)
    status = core.get("lesson_status", "")
    completion = core.get("completion_status", "completed" if status in {"passed", "completed"} else "incomplete")
    success = core.get("success_status", status if status in {"passed", "failed"} else "unknown")
    raw = float(core["score"]["raw"]) if core["score"]["raw"] else attempt.raw
    progress = float(cmi["progress_measure"]) if cmi.get("progress_measure") else None
    verbs = [] if attempt.status else ["initialized"]
    if raw != attempt.raw:
        verbs.append("scored")
        enrollment.best_raw = max(raw or 0, enrollment.best_raw or 0)
    if progress != attempt.progress:
        verbs.append("progressed")
    if completion == "completed" != attempt.completion_status:
        verbs.append("completed")
    if success != attempt.success_status and success in {"passed", "failed"}:
        verbs.append(success)
    ended = "suspended" if core["exit"] == "suspend" else "terminated"
    if snapshot["terminated"]:
        verbs.append(ended)
    attempt.status = ended if snapshot["terminated"] else "active"
    attempt.completion_status, attempt.success_status = completion, success
    attempt.raw, attempt.progress = raw, progress
    attempt.location = core.get("lesson_location", core.get("location", ""))
    attempt.suspend_data, attempt.session_time = cmi["suspend_data"], core["session_time"]
    return verbs


def _statement(verb: str, attempt: Attempt, enrollment: Enrollment) -> Any:
    activities = "http://adlnet.gov/expapi/activities"
    sco = f"{HOME_PAGE}/activities/{enrollment.activity_id}"
    raw = attempt.raw
    return tincan.Statement(
        id=str(uuid.uuid4()),
        actor=tincan.Agent(
            name=enrollment.learner_name,
            account=tincan.AgentAccount(home_page=HOME_PAGE, name=enrollment.learner_id),
        ),
        verb=tincan.Verb(id=f"{VERBS}/{verb}", display=tincan.LanguageMap({"en-US": verb})),
        object=tincan.Activity(
            id=sco,
            definition=tincan.ActivityDefinition(
                type=f"{activities}/lesson", name=tincan.LanguageMap({"en-US": enrollment.activity_name})
            ),
        ),
        result=tincan.Result(
            success=attempt.success_status == "passed",
            score=None if raw is None else tincan.Score(scaled=raw / 100, raw=raw, min=0, max=100),
        ),
        context=tincan.Context(
            registration=enrollment.registration,
            context_activities=tincan.ContextActivities(
                category=[tincan.Activity(id="https://w3id.org/xapi/scorm")],
                grouping=[
                    tincan.Activity(
                        id=f"{HOME_PAGE}/courses/c7",
                        definition=tincan.ActivityDefinition(type=f"{activities}/course"),
                    ),
                    tincan.Activity(
                        id=f"{sco}?attemptId={attempt.id}",
                        definition=tincan.ActivityDefinition(type=f"{activities}/attempt"),
                    ),
                ],
            ),
        ),
        timestamp=datetime.now(UTC).isoformat(),
    )


def _answer(session: CmiSession, attempt: Attempt, enrollment: Enrollment, statements: list[Any]) -> dict[str, Any]:
    statuses = {"completion_status": attempt.completion_status, "success_status": attempt.success_status}
    summary = {"id": attempt.id, "number": attempt.number, "status": attempt.status, "raw": attempt.raw}
    return {
        "result": True,
        "errorCode": 0,
        "session_id": session.session_id,
        "commit": session.commits,
        "attempt": summary | statuses,
        "enrollment": {
            "registration": enrollment.registration,
            "learner": {"id": enrollment.learner_id, "name": enrollment.learner_name},
            "activity": {"id": enrollment.activity_id, "name": enrollment.activity_name},
            "total_attempts": enrollment.total_attempts,
            "best_raw": enrollment.best_raw,
        }
        | statuses,
        "statements": [{"id": str(statement.id), "verb": statement.verb.id} for statement in statements],
    }


def main() -> None:
    """Serve."""
    app = web.Application(client_max_size=1024 * 1024)
    app.add_routes([web.post("/v1/commits", Views(sys.argv[2]).commit)])
    serve(app, int(sys.argv[1]))


if __name__ == "__main__":
    main()
