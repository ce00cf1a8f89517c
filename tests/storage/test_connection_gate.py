"""While a server cannot be reached, one thread tries and the others are told at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from storage.connection_gate import ConnectionGate


class Driver:
    """A dialect whose connections are what `answer` returns; `loaded_dbapi` is psycopg."""

    loaded_dbapi = psycopg

    def __init__(self) -> None:
        self.answer: Callable[[], object] = object
        self.tries = 0

    def connect(self) -> object:
        """Connect."""
        self.tries += 1
        return self.answer()


def _refuse() -> object:
    raise psycopg.OperationalError("connection refused")


def _connect(gate: ConnectionGate, driver: Any) -> object:
    return gate.connect(driver, None, [], {})


def test_one_tries_while_the_others_fail_as_the_last_one_did() -> None:
    gate, driver = ConnectionGate(), Driver()
    driver.answer = _refuse
    with pytest.raises(psycopg.OperationalError, match="refused"):
        _connect(gate, driver)
    begun, is_over, connection = threading.Event(), threading.Event(), object()

    def answer_late() -> object:
        begun.set()
        assert is_over.wait(30)
        return connection

    driver.answer = answer_late
    with ThreadPoolExecutor(1) as pool:
        trying = pool.submit(_connect, gate, driver)
        assert begun.wait(30)
        for _ in range(3):
            with pytest.raises(psycopg.OperationalError, match="refused"):
                _connect(gate, driver)
        is_over.set()
        assert trying.result() is connection

    assert driver.tries == 2


def test_once_a_server_answers_everybody_connects_again() -> None:
    gate, driver = ConnectionGate(), Driver()
    driver.answer = _refuse
    for _ in range(2):
        with pytest.raises(psycopg.OperationalError):
            _connect(gate, driver)
    driver.answer = object
    _connect(gate, driver)
    begun, is_over = threading.Semaphore(0), threading.Event()

    def answer_late() -> object:
        begun.release()
        assert is_over.wait(30)
        return object()

    driver.answer = answer_late
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(_connect, gate, driver) for _ in range(2)]
        assert begun.acquire(timeout=30)
        assert begun.acquire(timeout=30)
        is_over.set()
        assert all(each.result() for each in both)
