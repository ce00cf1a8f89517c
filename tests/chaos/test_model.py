"""Commits, repetitions, older ones, ends and launches in any order, beside a model of a few lines."""

from __future__ import annotations

import hashlib
import itertools
import os
from dataclasses import dataclass, field
from typing import Any

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import Engine, func, select

from bridge.commit_model.active_mappings import ActiveMapping, ActiveMappings
from bridge.commit_model.launch import Launch, LaunchActivity, LaunchCourse, LaunchLearner
from bridge.commits.batch_executor import execute_batch
from bridge.commits.commands import CloseIdleSession, Command, OpenSession, StoreCommit
from bridge.commits.dependencies import CommitDependencies
from bridge.commits.write_queue import CommandBatch, QueuedCommand, WriteQueue
from bridge.formats import native
from bridge.formats.commit_request import CommitRequest
from bridge.mapping_library.documents import load_mapping
from mappings.attempt.commit import ReceivedCommit
from mappings.cmi import parse_cmi
from storage import lms, mapping_versions
from storage.engine import reading, writing
from storage.gradebook_tables import update_order
from storage.queries import lookups
from storage.tables import journal, session
from tests.support.accounts import START
from tests.support.bridge import FakeClock, Ids
from tests.support.replay import replayed, stored

MAPPING = load_mapping("scorm-profile")
LEARNERS = st.sampled_from(["u1", "u2"])
STATUSES = st.sampled_from(["incomplete", "completed", "passed", "failed"])
EXAMPLES = {"": 15, "full": 500}[os.environ.get("CHAOS", "")]


@dataclass
class Known:
    """What the model remembers of a session: the bodies of its commits, and how much time its client counted."""

    learner: str
    bodies: list[dict[str, Any]] = field(default_factory=list)
    minutes: int = 0
    ended: bool = False
    idle: bool = False


class Machine(RuleBasedStateMachine):
    """The commit path on a real database, two processes in turn."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self.engine, self.clock, self.ids = engine, FakeClock(START), Ids()
        self.sessions: dict[str, Known] = {}
        self.passed: set[str] = set()
        with writing(engine) as connection:
            for table in reversed(session.metadata.sorted_tables):
                if table is not update_order:  # its only row came with the schema
                    connection.execute(table.delete())
            self.lms_id = lms.register(connection, name="lms", home_page="https://l.example", origins=(), now=START).id
            version = mapping_versions.ensure(
                connection, name="m", content_hash="0" * 64, definition=MAPPING.definition.text, now=START
            )
        rules = {mapping_rule.name: ("lrs",) for mapping_rule in MAPPING.definition.rules}
        self.dependencies = CommitDependencies(
            ActiveMappings(ActiveMapping(version, MAPPING, rules, {})), self.clock, self.ids
        )
        self.processes = [WriteQueue(self.dependencies), WriteQueue(self.dependencies)]
        self.turns = itertools.cycle(self.processes)

    @rule(learner=LEARNERS)
    def launch(self, learner: str) -> None:
        """Open a session."""
        opened = self._do(OpenSession(self._launch(learner), None))
        assert opened.session_id
        self.sessions[opened.session_id] = Known(learner)

    @precondition(lambda self: any(not model.ended for model in self.sessions.values()))
    @rule(data=st.data(), minutes=st.integers(0, 5), status=STATUSES, ends=st.booleans())
    def commit(self, data: st.DataObject, minutes: int, status: str, *, ends: bool) -> None:
        """Post the next commit of an open session."""
        session_id = data.draw(st.sampled_from(self._open_ones()))
        self._check(self._do(self._next(session_id, minutes, status, ends=ends)))

    @precondition(lambda self: sum(not model.ended for model in self.sessions.values()) > 1)
    @rule(data=st.data(), status=STATUSES, fails=st.booleans(), comes_between=st.booleans())
    def commit_together(self, data: st.DataObject, status: str, *, fails: bool, comes_between: bool) -> None:
        """Post several commits that wait together.

        Meanwhile the other process may commit to a session of one of their enrollments, and the transaction may fail.
        """
        first, *other_ids = data.draw(st.lists(st.sampled_from(self._open_ones()), min_size=2, max_size=5))
        mine, other = self.processes if data.draw(st.booleans()) else self.processes[::-1]
        other_ids = [other_id for other_id in other_ids if other_id != first]
        for session_id in other_ids:
            mine.add(QueuedCommand(self._next(session_id, 1, status)))
        if comes_between:
            (between,) = self._run(other, [self._next(first, 1, "incomplete")])
            self._check(between)
        if fails and other_ids:
            batch = mine.next_batch()
            assert batch is not None
            with self.engine.connect() as connection, connection.begin() as transaction:
                execute_batch(connection, self.dependencies, batch)
                transaction.rollback()
            mine.batch_failed()
            batch.reset()
            results = self._store(mine, batch)
        else:
            results = self._run(mine, [])
        assert len(results) == len(other_ids)
        for result in results:
            self._check(result)

    @precondition(lambda self: any(model.bodies for model in self.sessions.values()))
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """Send a commit once more, whenever: it has no effect but a line in the journal."""
        session_id = data.draw(st.sampled_from([key for key, model in self.sessions.items() if model.bodies]))
        before = self._statements()
        answer = self._post(session_id, data.draw(st.sampled_from(self.sessions[session_id].bodies)))
        assert answer["disposition"] == "duplicate"
        assert self._statements() == before

    @rule()
    def nobody_comes(self) -> None:
        """Let a day pass, after which every open session is idle; any of them may go on."""
        self.clock.advance(86_400)
        for session_id, model in self.sessions.items():
            if not model.ended and not model.idle:
                assert self._do(CloseIdleSession(session_id, self.clock())) is True
                model.idle = True

    @invariant()
    def everything_adds_up(self) -> None:
        """Compare with the model."""
        with reading(self.engine) as connection:
            assert (
                connection.execute(
                    select(func.count()).select_from(session).where(session.c.session_id.is_(None))
                ).scalar_one()
                == 0
            )
            numbers: dict[str, list[int]] = {}
            for row in connection.execute(select(journal.c.session_id, journal.c.number).order_by(journal.c.number)):
                numbers.setdefault(str(row.session_id), []).append(row.number)
            by_learner = {
                owner.learner_id: (owner, lookups.reports(connection, owner))
                for owner in lookups.enrollments(connection)
            }
        assert all(series == list(range(1, len(series) + 1)) for series in numbers.values())
        for learner, (owner, reports) in by_learner.items():
            assert [report.attempt.number for report in reports] == list(range(1, len(reports) + 1))
            begun = [report for report in reports if report.attempt.last_commit_at is not None]
            assert owner.total_attempts == len(begun) >= len(reports) - 1
            spent = sum(model.minutes for model in self.sessions.values() if model.learner == learner)
            assert owner.total_time == sum(report.attempt.total_time for report in reports)
            assert owner.total_time == spent * 6_000
            assert (owner.success_status == "passed") == (learner in self.passed)
            for report in reports:
                positions = [statement.position for statement in report.statements]
                assert positions == list(range(1, len(positions) + 1)), report
                dates = [msgspec.json.decode(statement.body)["timestamp"] for statement in report.statements]
                assert dates == sorted(dates), report

    def teardown(self) -> None:
        """Tell the journal once more: exactly what is stored."""
        assert replayed(self.engine, MAPPING) == stored(self.engine)

    def _open_ones(self) -> list[str]:
        return [session_id for session_id, model in self.sessions.items() if not model.ended]

    def _next(self, session_id: str, minutes: int, status: str, *, ends: bool = False) -> StoreCommit:
        """Make a session's next commit, and let the model know of it."""
        model = self.sessions[session_id]
        model.minutes += minutes
        self.clock.advance(60 * minutes + 1)
        counted = f"{model.minutes // 60:04}:{model.minutes % 60:02}:00"
        body = {
            "cmi": {"core": {"lesson_status": status, "session_time": counted}},
            "sequence": len(model.bodies) + 1,
            "terminated": ends,
        }
        model.bodies.append(body)
        model.ended, model.idle = ends, False
        if status == "passed":
            self.passed.add(model.learner)
        return self._posting(session_id, body)

    def _check(self, result: object) -> None:
        assert isinstance(result, bytes), result
        assert msgspec.json.decode(result)["disposition"] == "applied"

    def _do(self, command: Command) -> Any:
        (result,) = self._run(next(self.turns), [command])
        if isinstance(result, Exception):
            raise result
        return result

    def _run(self, process: WriteQueue, commands: list[Command]) -> list[object]:
        for command in commands:
            process.add(QueuedCommand(command))
        batch = process.next_batch()
        return [] if batch is None else self._store(process, batch)

    def _store(self, process: WriteQueue, batch: CommandBatch) -> list[object]:
        with writing(self.engine) as connection:
            committed = execute_batch(connection, self.dependencies, batch)
        process.batch_committed(committed)
        return [queued.result for queued in batch.commands]

    def _post(self, session_id: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self._do(self._posting(session_id, body))
        assert isinstance(answer, bytes)
        content: dict[str, Any] = msgspec.json.decode(answer)
        return content

    def _posting(self, session_id: str, body: dict[str, Any]) -> StoreCommit:
        raw = msgspec.json.encode(body)
        commit = native.parse_commit(body, CommitRequest(raw))
        received = ReceivedCommit(
            commit=commit,
            parsed_cmi=parse_cmi(commit.tree),
            digest=hashlib.sha256(raw).hexdigest(),
            received_at=self.clock(),
        )
        return StoreCommit(received, session_id, self.lms_id, None, "application/json", raw)

    def _launch(self, learner: str) -> Launch:
        return Launch(self.lms_id, LaunchLearner(learner, ""), LaunchActivity("235", "", ""), LaunchCourse("", ""))

    def _statements(self) -> list[str]:
        with reading(self.engine) as connection:
            return [
                statement.id
                for owner in lookups.enrollments(connection)
                for report in lookups.reports(connection, owner)
                for statement in report.statements
            ]


def test_whatever_the_order_the_database_says_what_the_model_says(engine: Engine) -> None:
    run_state_machine_as_test(
        lambda: Machine(engine),  # type: ignore[arg-type]  # any factory will do
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
