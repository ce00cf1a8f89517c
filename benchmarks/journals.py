"""Sessions of the benchmarks' workload as the service stores them: by its own core, without HTTP."""

from __future__ import annotations

import hashlib
import uuid

import msgspec
from sqlalchemy import Engine

from benchmarks import workload
from bridge.clock import random_id
from bridge.commit_model.active_mappings import ActiveMappings
from bridge.commits.batch_executor import execute_batch
from bridge.commits.commands import StoreCommit
from bridge.commits.dependencies import CommitDependencies
from bridge.commits.write_queue import BATCH_SIZE, QueuedCommand, WriteQueue
from bridge.formats import CommitRequest, native
from bridge.mapping_library.activation import store_version
from bridge.mapping_library.documents import load_mapping
from bridge.mapping_library.reloader import build_active_mapping
from mappings.attempt import ReceivedCommit
from mappings.cmi import parse_cmi
from storage import lms
from storage.engine import writing

START = 1_767_225_600_000


def fill(engine: Engine, sessions: int) -> None:
    """Store so many sessions as the service does."""
    mapping, clock = load_mapping("scorm-profile"), [START]
    with writing(engine) as connection:
        lms_id = lms.register(connection, name="lms", home_page="https://lms.example.org", origins=(), now=START).id
        version = build_active_mapping(store_version(connection, mapping, START), mapping, ())
    dependencies = CommitDependencies(ActiveMappings(version), lambda: clock[0], random_id)
    queue = WriteQueue(dependencies)
    together = 64
    for first in range(0, sessions, together):
        for number in range(workload.PER_SESSION):
            clock[0] += 1_000
            for session in range(first, min(sessions, first + together)):
                queue.add(QueuedCommand(_command(lms_id, session, number, clock[0])))
            while (batch := queue.next_batch()) is not None:
                with writing(engine) as connection:
                    committed = execute_batch(connection, dependencies, batch)
                queue.batch_committed(committed)
    if together > BATCH_SIZE:
        raise RuntimeError("more sessions at once than a batch takes")


def _command(lms_id: int, session: int, number: int, at: int) -> StoreCommit:
    kind = session % workload.KINDS
    json_text = msgspec.json.encode(workload.body(kind, number)).decode()
    for hole, value in zip(
        workload.HOLES,
        (
            str(uuid.UUID(int=session + 1)),
            workload.learner(session),
            workload.activity(session),
            workload.suspend_data(at + session),
        ),
        strict=True,
    ):
        json_text = json_text.replace(hole, value)
    body = json_text.encode()
    whole = native.parse_all_in_one(body)
    if whole is None:
        raise RuntimeError("a body of the workload cannot be read")
    launch, session_id, _ = native.parse_launch(whole, lms_id=lms_id)
    commit = native.parse_commit(whole, CommitRequest(body, "application/json"))
    received = ReceivedCommit(
        commit=commit,
        parsed_cmi=parse_cmi(commit.tree, declared=commit.scorm_version),
        digest=hashlib.sha256(body).hexdigest(),
        received_at=at,
    )
    return StoreCommit(received, session_id, lms_id, launch, "application/json", body)
