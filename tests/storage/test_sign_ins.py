"""Sign-ins, and failures to sign in, which are counted before they are known to be some."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from storage import accounts, sign_ins
from storage.accounts import NewAccount
from storage.engine import reading, writing
from tests.storage.builders import NOW
from tests.storage.threads import at_once

ADA = NewAccount("ada", "admin", sees_names=False, password="hash")


def _delay(failures: int, free: int) -> int:
    return 0 if failures < free else 1000 * failures


def _try(engine: Engine, now: int = NOW, **subjects: int) -> int:
    with writing(engine) as connection:
        return sign_ins.count_try(connection, subjects, now=now, forgotten_after=60_000, delay=_delay)


@pytest.fixture
def ada(engine: Engine) -> int:
    with writing(engine) as connection:
        account_id = accounts.add(connection, ADA, NOW)
    assert account_id is not None
    return account_id


def _begin(engine: Engine, ada: int, digest: str, until: int) -> None:
    with writing(engine) as connection:
        sign_ins.begin(connection, digest=digest, account_id=ada, now=NOW, until=until)


def test_a_sign_in_tells_what_the_account_may_at_this_moment(engine: Engine, ada: int) -> None:
    _begin(engine, ada, "a", NOW + 10)
    with writing(engine) as connection:
        assert sign_ins.find(connection, "a", NOW + 9) == (ada, "ada", "admin", False)
        accounts.set_role(connection, ada, "reader", sees_names=True)
        assert sign_ins.find(connection, "a", NOW + 9) == (ada, "ada", "reader", True)
        assert sign_ins.find(connection, "a", NOW + 10) is None
        assert sign_ins.find(connection, "b", NOW) is None


def test_ends_are_of_one_sign_in_or_of_all(engine: Engine, ada: int) -> None:
    for digest in "abc":
        _begin(engine, ada, digest, NOW + 10)
    with writing(engine) as connection:
        sign_ins.end(connection, "a")
        assert [sign_ins.find(connection, digest, NOW) is not None for digest in "abc"] == [False, True, True]
        accounts.set_password(connection, ada, "another")
        assert not any(sign_ins.find(connection, digest, NOW) for digest in "abc")
        accounts.remove(connection, ada)
        assert accounts.all_of_them(connection) == []


def test_names_and_people_of_an_issuer_are_there_once(engine: Engine, ada: int) -> None:
    person = NewAccount("bob", "reader", sees_names=False, issuer="https://login.example.org", subject="7")
    with writing(engine) as connection:
        assert accounts.add(connection, ADA, NOW) is None
        assert accounts.add(connection, person, NOW) is not None
        assert accounts.add(connection, person._replace(name="robert"), NOW) is None
        assert accounts.add(connection, person._replace(name="eve", subject="8"), NOW) is not None
        account = accounts.by_subject(connection, "https://login.example.org", "7")

    assert account is not None
    assert account.name == "bob"


def test_after_the_free_ones_each_failure_costs_a_wait_that_runs_out(engine: Engine) -> None:
    assert [_try(engine, ada=3, home=9) for _ in range(4)] == [0, 0, 0, 3000]
    assert _try(engine, NOW + 2999, ada=3, home=9) == 1
    assert _try(engine, NOW + 3000, ada=3, home=9) == 0
    assert _try(engine, NOW + 3001, ada=3, elsewhere=9) == 3999
    assert _try(engine, NOW + 3001, bob=3, home=9) == 0


def test_a_success_ends_the_failures_of_the_account_and_takes_one_from_the_address(engine: Engine) -> None:
    for _ in range(3):
        _try(engine, ada=9, home=4)
    with writing(engine) as connection:
        sign_ins.succeeded(connection, "ada", ["home"])

    assert [_try(engine, bob=9, home=4) for _ in range(3)] == [0, 0, 4000]


def test_failures_are_forgotten(engine: Engine) -> None:
    """Once somebody has signed in, earlier failures delay nobody any more."""
    for _ in range(3):
        _try(engine, ada=3)
    assert _try(engine, ada=3) > 0
    with writing(engine) as connection:
        sign_ins.forget_failures(connection, "ada")
    assert _try(engine, ada=2) == 0
    assert _try(engine, NOW + 60_000, ada=2) == 0
    assert _try(engine, NOW + 60_000, ada=2) == 0


def test_tries_at_once_are_all_counted(engine: Engine) -> None:
    """Many at once must not all find that nobody has failed yet."""
    _try(engine, ada=3)
    passed: list[int] = []

    def run(_number: int) -> None:
        passed.append(_try(engine, ada=3))

    at_once(8, run)
    assert passed.count(0) == 2
    with reading(engine) as connection:
        rows = connection.exec_driver_sql("SELECT failures FROM sign_in_failure").scalars().all()
    assert rows == [3]
