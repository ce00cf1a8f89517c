"""The LRS that other tests rely on: it starts, judges statements as xAPI asks, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest

from tests.real_lrs import learning_locker
from tests.real_lrs.learning_locker import LearningLocker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def lrs() -> Iterator[LearningLocker]:
    """One LRS for all tests of this file, each of which uses statement ids of its own."""
    with LearningLocker() as running:
        yield running


def statement(number: int, **changes: Any) -> dict[str, Any]:
    """A valid statement whose id is a number."""
    return {
        "id": str(UUID(int=number, version=4)),
        "actor": {"account": {"homePage": "https://lms.example", "name": f"learner-{number}"}},
        "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"},
        "object": {"id": "https://lms.example/activities/1"},
        "timestamp": "2026-01-02T03:04:05.678Z",
        **changes,
    }


def is_listening(lrs: LearningLocker) -> bool:
    """Whether something still answers where the LRS was."""
    address = urlsplit(lrs.endpoint)
    with socket.socket() as probe:
        return probe.connect_ex((address.hostname, address.port)) == 0


def test_a_valid_statement_is_stored(lrs: LearningLocker) -> None:
    """What was posted comes back, found by its activity."""
    sent = statement(1, object={"id": "https://lms.example/activities/stored"})
    assert lrs.post(sent) == 200

    [stored] = lrs.statements(activity="https://lms.example/activities/stored")
    assert stored["id"] == sent["id"]
    assert stored["actor"]["account"] == sent["actor"]["account"]


def test_an_invalid_statement_is_refused(lrs: LearningLocker) -> None:
    """A scaled score above 1 is not xAPI, and one of 1 is."""
    assert lrs.post(statement(2, result={"score": {"scaled": 1.01}})) == 400
    assert statement(2)["id"] not in {stored["id"] for stored in lrs.statements()}
    assert lrs.post(statement(2, result={"score": {"scaled": 1}})) == 200


def test_an_identical_statement_is_welcome_again(lrs: LearningLocker) -> None:
    """A delivery that is sent twice is stored once."""
    assert [lrs.post(statement(3)), lrs.post(statement(3))] == [200, 200]
    assert [stored["id"] for stored in lrs.statements()].count(statement(3)["id"]) == 1


def test_another_statement_with_a_known_id_is_a_conflict(lrs: LearningLocker) -> None:
    """An id stands for one statement for ever."""
    assert lrs.post(statement(4)) == 200
    assert lrs.post(statement(4, result={"completion": True})) == 409


def test_statements_come_in_the_order_stored_over_all_pages(lrs: LearningLocker) -> None:
    """Both within a batch, whose statements may be stored in the same millisecond, and between batches."""
    activity = "https://lms.example/activities/ordered"
    batches = [[statement(20 - n, object={"id": activity}) for n in range(start, start + 4)] for start in (0, 4)]

    for batch in batches:
        assert lrs.post(batch) == 200

    statements = lrs.statements(activity=activity, limit="3")

    assert [stored["id"] for stored in statements] == [sent["id"] for batch in batches for sent in batch]


def test_nothing_runs_after_leaving() -> None:
    """Not even when the test inside fails."""

    def fail() -> None:
        with lrs:
            listening.append(is_listening(lrs))
            raise ZeroDivisionError

    listening: list[bool] = []
    lrs = LearningLocker()

    with pytest.raises(ZeroDivisionError):
        fail()

    assert [*listening, is_listening(lrs)] == [True, False]


def test_an_early_death_shows_what_the_service_said() -> None:
    """Whoever reads the failed test should not have to guess."""

    def kill() -> None:
        with LearningLocker() as lrs:
            os.killpg(lrs._process.pid, signal.SIGKILL)
            lrs._process.wait()

    with pytest.raises(RuntimeError, match=r"ended with status -9\.\nIt said:\n"):
        kill()


def test_missing_packages_are_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A fresh checkout has no node_modules."""
    monkeypatch.setattr(learning_locker, "SERVICE", tmp_path / "index.js")

    with pytest.raises(RuntimeError, match="run `make player test-tools`"), LearningLocker():
        pass
