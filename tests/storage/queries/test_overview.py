"""Every number of the overview is that of a plain count."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, insert

from bridge.clock import random_id
from storage import erasures, pauses, removals
from storage.deliveries import DeliveryFilter
from storage.engine import reading, writing
from storage.erasures import Later, NewErasure
from storage.pauses import Pause
from storage.queries import deliveries, overview, queues
from storage.queries.keyset import Count
from storage.queries.overview import LATE, LATE_REMOVAL, MINUTE, Alarm, AlarmKind, Minute
from storage.queries.queues import Queue
from storage.removals import NewRemoval
from storage.tables import journal, statement
from storage.target_alarms import TargetAlarm
from tests.storage.builders import NOW, entry, launched
from tests.storage.queries import dataset
from tests.storage.queries.conftest import Trial
from tests.storage.queries.dataset import Attempt

tried = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@tried
@given(new_attempts=dataset.attempts)
def test_queues(trial: Trial, new_attempts: list[Attempt]) -> None:
    """Each number is that of a plain count, up to the limit of counting."""
    with trial() as connection:
        dataset.store(connection, new_attempts)
        whole, cut = queues.queues(connection), queues.queues(connection, 1)
        dead = deliveries.how_many(connection, DeliveryFilter(state="dead"))
    ways = Counter(
        way for owner in new_attempts for new_statement in owner.statements for way in new_statement.ways.items()
    )
    of_documents = Counter(
        way for owner in new_attempts for new_document in owner.documents for way in new_document.ways.items()
    )
    named = {target for target, state in ways if state in {"waiting", "dead", "quarantined"}} | {
        target for target, state in of_documents if state in {"waiting", "dead"}
    }
    assert set(whole) == set(cut) == named
    for target in named:
        numbers = [ways[target, state] for state in ("waiting", "dead", "quarantined")]
        numbers += [of_documents[target, state] for state in ("waiting", "dead")]
        assert list(whole[target][:5]) == [Count(number) for number in numbers]
        assert list(cut[target][:5]) == [Count(min(number, 1), number > 1) for number in numbers]
    assert dead == Count(sum(queue.dead.number for queue in whole.values()))


def test_the_oldest_is_the_first_that_still_waits_of_any_attempt(trial: Trial) -> None:
    new_attempts = [
        Attempt(
            "lms1", learner, "a", "active", None, None, NOW, [True],
            [dataset.Statement("scored", at, 0, {"lrs": state}) for at, state in states],
        )
        for learner, states in (
            ("u1", [(NOW, "delivered"), (NOW + 5, "waiting")]),
            ("u2", [(NOW + 7, "waiting"), (NOW + 1, "dead")]),
            ("u12", [(NOW + 2, "waiting")]),
        )
    ]  # fmt: skip
    with trial() as connection:
        dataset.store(connection, new_attempts)
        assert queues.queues(connection)["lrs"].oldest == NOW + 2


def test_what_is_to_be_removed_is_counted_by_target_with_since_when(trial: Trial) -> None:
    with trial() as connection:
        new = NewErasure(random_id(), "d", None, Later.REFUSE, NOW, "me", "")
        erasure_id = erasures.begin(connection, new)
        for at, target, number in ((NOW + 5, "b", 2), (NOW + 3, "b", 1), (NOW, "a", 1)):
            removals.add(connection, [NewRemoval(erasure_id, target, "statements", "{}")] * number, at)
        whole, cut = queues.queues(connection), queues.queues(connection, 2)

    assert {name: (queue.removals, queue.oldest_removal) for name, queue in whole.items()} == {
        "a": (Count(1), NOW), "b": (Count(3), NOW + 3),
    }  # fmt: skip
    assert cut["b"].removals == Count(2, is_lower_bound=True)


@tried
@given(times=st.lists(st.integers(NOW - 5 * MINUTE, NOW + MINUTE), max_size=20), minutes=st.integers(1, 4))
def test_commits_are_counted_by_the_minute(trial: Trial, times: list[int], minutes: int) -> None:
    now = NOW + 20_000
    with trial() as connection:
        its = launched(connection)
        for number, at in enumerate(times, 1):
            connection.execute(insert(journal).values(entry(its, number, received_at=at)._asdict()))
        rate = overview.rate(connection, journal.c.received_at, now, minutes)
    since = NOW - (minutes - 1) * MINUTE
    counted = Counter(at - at % MINUTE for at in times)

    assert rate.since == since
    assert rate.minutes == [Minute(at, counted[at]) for at in range(since, NOW + 1, MINUTE)]


def test_where_there_are_too_many_to_count_fewer_minutes_are_told_and_those_whole(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overview, "COUNTED", 5)
    with trial() as connection:
        its = launched(connection)
        for number in range(12):
            at = NOW - (number // 3) * MINUTE
            connection.execute(insert(journal).values(entry(its, number + 1, received_at=at)._asdict()))
        rate = overview.rate(connection, journal.c.received_at, NOW, 60)

    assert (rate.since, rate.minutes) == (NOW, [Minute(NOW, 3)])


def test_alarms_tell_what_people_must_look_after() -> None:
    paused = {
        "a": Pause("a", NOW - 9, "ada", "moving", automatic=False),
        "b": Pause("b", NOW - 8, "bridge", "401", automatic=True),
    }
    trouble = TargetAlarm("b", "statements", "not-allowed", NOW - 8, NOW, "401")
    of_documents = TargetAlarm("e", "documents", "unreachable", NOW - 7, NOW, "503")
    waits = {
        "b": Queue(waiting=Count(3), oldest=NOW - LATE),
        "c": Queue(Count(9), Count(1), Count(2), Count(4), Count(5), NOW - LATE + 1),
        "d": Queue(waiting=Count(1), oldest=NOW, removals=Count(2), oldest_removal=NOW - LATE_REMOVAL + 1),
        "f": Queue(removals=Count(2), oldest_removal=NOW - LATE_REMOVAL),
    }

    assert overview.alarms(waits, paused, NOW, [trouble, of_documents]) == [
        Alarm(AlarmKind.PAUSED, "a", since=NOW - 9),
        Alarm(AlarmKind.TARGET, "b", since=NOW - 8, detail=trouble),
        Alarm(AlarmKind.LATE, "b", Count(3), NOW - LATE),
        Alarm(AlarmKind.DEAD, "c", Count(1)),
        Alarm(AlarmKind.QUARANTINED, "c", Count(2)),
        Alarm(AlarmKind.DEAD_DOCUMENTS, "c", Count(5)),
        Alarm(AlarmKind.TARGET, "e", since=NOW - 7, detail=of_documents),
        Alarm(AlarmKind.LATE_REMOVALS, "f", Count(2), NOW - LATE_REMOVAL),
    ]


def test_the_overview_has_it_all(engine: Engine) -> None:
    new_attempts = [
        Attempt(
            "lms1", "u1", "a", "active", None, None, NOW, [True, False],
            [dataset.Statement("scored", NOW, 0, {"lrs": "dead"})],
        )
    ]  # fmt: skip
    with writing(engine) as connection:
        dataset.store(connection, new_attempts)
        pauses.begin(connection, Pause("lrs", NOW, "ada", "moving", automatic=False))
    with reading(engine) as connection:
        result = overview.overview(connection, NOW)
        rate = overview.rate(connection, statement.c.created_at, NOW, 60)

    assert [alarm.kind for alarm in result.alarms] == ["paused", "dead"]
    assert result.commits.minutes[-1] == Minute(NOW, 2)
    assert result.statements == rate
    assert result.statements.minutes[-1] == Minute(NOW, 1)
    assert (result.open_sessions, set(result.queues), set(result.pauses)) == (Count(1), {"lrs"}, {"lrs"})
