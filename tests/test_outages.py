"""An outage, of the database or an LRS, is one line of the log when it begins and one when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError, OperationalError
from structlog.testing import capture_logs

from bridge import database_outage
from bridge.database_outage import RECOVERY_HOLD, DatabaseOutage, explain_outage
from bridge.forwarding.breaker import Breaker
from bridge.forwarding.outcomes import Reply
from storage.states import TryOutcome
from tests.support.accounts import START
from tests.support.bridge import FakeMonotonic, StartBridge
from tests.support.lrs import Lrs
from tests.support.waiting import poll, wait_until

COMMIT = {"learner": {"id": "u1"}, "activity": {"id": "235"}, "cmi": {"suspend_data": "x"}}


class _Diagnostics:
    message_primary = "could not extend file: No space left on device"


class _ServerError(Exception):
    sqlstate = "53100"
    diag = _Diagnostics()


def _outage(text: str = "connection refused") -> OperationalError:
    return OperationalError("SELECT 'a learner'", None, Exception(text))


def test_an_outage_is_two_lines_however_much_fails() -> None:
    clock = FakeMonotonic()
    outage = DatabaseOutage("reads", clock)
    with capture_logs() as lines:
        outage.record_success()
        for _ in range(50):
            outage.record_failure(_outage())
            clock.seconds += 0.1
            outage.record_success()  # now and then something works: it is not over yet
        clock.seconds += RECOVERY_HOLD
        outage.record_success()
        outage.record_success()
    began, ended = lines

    assert (began["event"], began["access"], began["log_level"]) == ("database_unavailable", "reads", "error")
    assert "connection refused" in began["cause"]
    assert (ended["event"], ended["failures"], ended["seconds"]) == (
        "database_available",
        50,
        pytest.approx(8, abs=0.1),
    )


def test_an_error_of_a_request_is_no_outage() -> None:
    outage = DatabaseOutage("writes", FakeMonotonic())
    with capture_logs() as lines:
        outage.record_failure(IntegrityError("INSERT", None, Exception("UNIQUE constraint failed")))
        outage.record_failure(ValueError("of the bridge"))
        deadlock = type("Deadlock", (Exception,), {"sqlstate": "40P01"})()
        outage.record_failure(OperationalError("UPDATE", None, deadlock))

    assert lines == []


def test_the_cause_is_the_databases_own_words_and_never_a_rows() -> None:
    of_server = explain_outage(OperationalError("INSERT", {"name": "a learner"}, _ServerError("DETAIL: (a learner)")))
    of_network = explain_outage(_outage("connection to server at 127.0.0.1 failed:\n\tIs it running? " + "x" * 500))
    of_row = explain_outage(IntegrityError("INSERT", None, Exception("Key (name)=(a learner) already exists")))

    assert of_server == "could not extend file: No space left on device (_ServerError 53100)"
    assert "failed: Is it running?" in of_network
    assert len(of_network) < database_outage.MAX_CAUSE_LENGTH + 30
    assert "learner" not in of_server + of_row


@contextmanager
def _gone(database_url: str) -> Iterator[None]:
    """Take a database away from everybody, and bring it back."""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        path = Path(str(url.database))
        moved = path.rename(path.with_suffix(".away"))
        yield
        moved.rename(path)
        return
    server = database_url.replace(str(url.database), "postgres").replace("+psycopg", "")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{url.database}" ALLOW_CONNECTIONS false')
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [url.database])
        yield
        connection.execute(f'ALTER DATABASE "{url.database}" ALLOW_CONNECTIONS true')


async def test_a_bridge_says_once_that_its_database_is_gone_and_once_that_it_is_back(
    start: StartBridge, database_url: str, lrs: Lrs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_outage, "RECOVERY_HOLD", 3600)  # while it lasts, no read that works ends it
    monkeypatch.setattr("bridge.write_health.RECOVERY_INTERVAL", 0.1)
    monkeypatch.setattr("bridge.write_health.FAILURE_HOLD", 0.1)
    bridge = await start(targets=(lrs.settings(),))
    await bridge.commit({"suspend_data": "x"})
    monitor: Callable[[], Any] = lambda: bridge.get("/readyz", token=None)  # noqa: E731 -- a name for what is polled
    with capture_logs() as lines:
        with _gone(database_url):
            statuses: list[int] = []
            async with asyncio.timeout(30):
                while len(statuses) < 20 or not any(line.get("access") == "writes" for line in lines):
                    statuses.append((await bridge.post("/v1/commits", COMMIT))[0])
                    await monitor()
        monkeypatch.setattr(database_outage, "RECOVERY_HOLD", 0.2)
        assert (await poll(monitor, lambda answer: answer[0] == 200))[0] == 200
        await wait_until(lambda: len(_of(lines, "database_available")) == len(_of(lines, "database_unavailable")))
    shown = [line for line in lines if line["log_level"] != "debug"]
    assert {503} <= {*statuses} <= {200, 503}
    accesses = [line["access"] for line in _of(shown, "database_unavailable")]
    assert "writes" in accesses
    # SQLite's readers that have the file open go on reading it
    assert len(accesses) == len(set(accesses)) == len(_of(shown, "database_available"))
    assert len(shown) <= 8, shown
    assert not [line for line in shown if line.get("cause") == "OperationalError"]
    words = "deleted, moved or replaced|is gone" if database_url.startswith("sqlite") else "not currently accepting"
    assert any(word in line["cause"] for line in _of(shown, "database_unavailable") for word in words.split("|")), shown


def _of(lines: list[Any], event: str) -> list[Any]:
    return [line for line in lines if line["event"] == event]


async def test_an_outage_of_an_lrs_is_logged_when_it_begins_changes_and_ends_and_a_blip_is_not() -> None:
    breaker = Breaker("lrs", lambda: 0.0)
    down = Reply(503, "down")
    with capture_logs() as logs:
        for reply in (down, down, down, Reply(None, "no route"), Reply(None, "no route")):
            breaker.record_failure(TryOutcome.RETRY, reply, START)
        breaker.record_success()
        breaker.record_failure(TryOutcome.RETRY, down, START)
        breaker.record_success()
        breaker.record_failure(TryOutcome.NOT_ALLOWED, Reply(401, "no"), START)
    shown = [(line["event"], line.get("status"), line["failures"]) for line in logs if line["log_level"] != "debug"]

    assert shown == [
        ("target_in_trouble", 503, 3),
        ("target_in_trouble", None, 4),
        ("target_well_again", None, 5),
        ("target_in_trouble", 401, 1),
    ]
