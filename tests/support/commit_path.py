"""The commit path without HTTP."""

from __future__ import annotations

import hashlib
from copy import copy
from typing import Any, Self

import msgspec
from sqlalchemy import Engine

from bridge.commit_model.active_mappings import ActiveMappings
from bridge.commit_model.launch import Launch, LaunchActivity, LaunchCourse, LaunchLearner
from bridge.commits.batch_executor import execute_batch
from bridge.commits.commands import CloseIdleSession, Command, OpenSession, StoreCommit
from bridge.commits.dependencies import CommitDependencies
from bridge.commits.write_queue import QueuedCommand, WriteQueue
from bridge.formats import CommitRequest, detect
from bridge.mapping_library.activation import store_version
from bridge.mapping_library.reloader import build_active_mapping
from mappings.attempt import ReceivedCommit
from mappings.cmi import parse_cmi
from storage import lms
from storage.engine import writing
from tests.support.accounts import START
from tests.support.bridge import FakeClock, Ids
from tests.support.mapping import DEFAULT


class Writer:
    """One process of the service: what it does is stored."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.clock = engine, FakeClock()
        with writing(engine) as connection:
            self.lms_id = lms.register(connection, name="lms", home_page="https://l.example", origins=(), now=START).id
            self.version = build_active_mapping(store_version(connection, DEFAULT, START), DEFAULT, ())
        self.dependencies = CommitDependencies(ActiveMappings(self.version), self.clock, Ids())
        self.queue = WriteQueue(self.dependencies)

    def another(self) -> Self:
        """Return another process of the same service."""
        writer = copy(self)
        writer.queue = WriteQueue(self.dependencies)
        return writer

    def do(self, command: Command) -> Any:
        """Execute a command as a batch of its own, and return its result."""
        queued = QueuedCommand(command)
        self.queue.add(queued)
        batch = self.queue.next_batch()
        assert batch is not None
        with writing(self.engine) as connection:
            committed = execute_batch(connection, self.dependencies, batch)
        self.queue.batch_committed(committed)
        return queued.result

    def open(self, learner: str = "u1") -> str:
        """Open a session."""
        launch = Launch(
            self.lms_id, LaunchLearner(learner, "Ada"), LaunchActivity("unit 5", "", ""), LaunchCourse("", "")
        )
        opened: str = self.do(OpenSession(launch, None)).session_id
        return opened

    def post(self, session_id: str, body: dict[str, Any], **query: str) -> None:
        """Post a commit as a batch of its own."""
        self.do(self.posting(session_id, body, **query))

    def posting(self, session_id: str, body: dict[str, Any], **query: str) -> StoreCommit:
        """Make a commit, seven seconds after the last one."""
        self.clock.advance(7)
        raw = msgspec.json.encode(body)
        post = CommitRequest(raw, "application/json", query)
        commit = detect(post)[1].commit
        assert commit is not None
        received = ReceivedCommit(
            commit=commit,
            parsed_cmi=parse_cmi(commit.tree, declared=commit.scorm_version),
            digest=hashlib.sha256(raw).hexdigest(),
            received_at=self.clock(),
        )
        return StoreCommit(received, session_id, self.lms_id, None, "application/json", raw, post.metadata)

    def close(self, session_id: str) -> None:
        """End a session that was idle for a day."""
        self.clock.advance(86_400)
        self.do(CloseIdleSession(session_id, self.clock()))
