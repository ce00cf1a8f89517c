"""Pauses of targets, and what is kept of who did what."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from storage import audit_log, pauses, target_alarms
from storage.audit_log import AuditEntry
from storage.engine import reading, writing
from storage.pauses import Pause
from storage.target_alarms import TargetAlarm
from tests.storage.builders import NOW
from tests.storage.threads import at_once

BY_PEOPLE = Pause("lrs", NOW, "ada", "moving house", automatic=False)
BY_ITSELF = TargetAlarm("lrs", "statements", "not-allowed", NOW + 1, NOW + 1, "the LRS answered 401")


def _begin(engine: Engine, *wanted: Pause) -> list[bool]:
    results = []
    for pause in wanted:
        with writing(engine) as connection:
            results.append(pauses.begin(connection, pause))
    return results


def _current(engine: Engine) -> list[Pause]:
    with reading(engine) as connection:
        return list(pauses.current(connection).values())


def _alarm(engine: Engine, *alarms: TargetAlarm) -> list[bool]:
    news = []
    for alarm in alarms:
        with writing(engine) as connection:
            news.append(target_alarms.begin(connection, alarm))
    return news


def test_a_pause_is_kept_and_beginning_it_again_is_no_news(engine: Engine) -> None:
    assert _begin(engine, BY_PEOPLE, BY_PEOPLE._replace(since=NOW + 9)) == [True, False]
    assert _current(engine) == [BY_PEOPLE]


@pytest.mark.parametrize("state", ["not-allowed", "refusing"])
def test_an_alarm_that_holds_statements_back_reads_as_a_pause_that_nobody_made(engine: Engine, state: str) -> None:
    alarm = BY_ITSELF._replace(state=state)
    assert _alarm(engine, alarm, alarm._replace(since=NOW + 9, seen_at=NOW + 9)) == [True, False]
    assert _current(engine) == [Pause("lrs", NOW + 1, "scorm-bridge", "the LRS answered 401", automatic=True)]
    _begin(engine, BY_PEOPLE)
    assert _current(engine) == [BY_PEOPLE]
    with writing(engine) as connection:
        assert pauses.end(connection, "lrs")
        assert not pauses.end(connection, "lrs")
    assert [pause.automatic for pause in _current(engine)] == [True]


@pytest.mark.parametrize(("kind", "state"), [("documents", "not-allowed"), ("statements", "unreachable")])
def test_no_other_alarm_reads_as_a_pause(engine: Engine, kind: str, state: str) -> None:
    assert _alarm(engine, BY_ITSELF._replace(request_kind=kind, state=state)) == [True]
    assert _current(engine) == []


def test_an_alarm_that_changes_is_news_and_one_that_lasts_keeps_its_beginning(engine: Engine) -> None:
    later = BY_ITSELF._replace(since=NOW + 60, seen_at=NOW + 60, reason="still")
    changed = later._replace(state="unreachable")
    assert _alarm(engine, BY_ITSELF, later, changed) == [True, False, True]
    with writing(engine) as connection:
        assert target_alarms.current(connection) == [changed]
        assert not target_alarms.end(connection, "lrs", "documents")
        assert target_alarms.end(connection, "lrs", "statements")
        assert target_alarms.current(connection) == []


def test_of_several_processes_that_are_not_let_in_one_has_the_news(engine: Engine) -> None:
    def begin(_: int) -> bool:
        with writing(engine) as connection:
            return target_alarms.begin(connection, BY_ITSELF)

    assert sorted(at_once(8, begin)) == [False] * 7 + [True]


def test_what_an_lrs_says_can_be_kept_whatever_it_is(engine: Engine) -> None:
    _alarm(engine, BY_ITSELF._replace(reason="no\x00 \ud800"))

    assert [pause.reason for pause in _current(engine)] == ["no\ufffd ?"]


def test_acts_are_told_newest_first(engine: Engine) -> None:
    first, second = AuditEntry(NOW, "ada", "pause", "lrs", 1, "why"), AuditEntry(NOW + 1, "bob", "resume", "lrs", 1, "")
    with writing(engine) as connection:
        audit_log.append(connection, first)
        audit_log.append(connection, second)
    with reading(engine) as connection:
        assert audit_log.newest(connection) == [second, first]
        assert audit_log.newest(connection, 1) == [second]
