"""Ralph as a target of the bridge: a real LRS that knows, takes and refuses statements in its own way.

It takes the header of xAPI 2.0.0 without a look, so that a target with that version works here shows what is sent and
that it arrives. That a strict 2.0 LRS takes the statements is shown by the sandbox LRS only: none made by others could
be had from PyPI, npm or Debian.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec
import pytest
from sqlalchemy import update

from bridge.settings import TargetSettings
from storage import tables
from storage.engine import writing
from storage.queries.lookups import StatementLine
from tests.real_lrs import ralph
from tests.real_lrs.proxy import LrsProxy, proxy_to
from tests.real_lrs.ralph import Ralph
from tests.real_lrs.service import PASSWORD, USERNAME
from tests.recordings import recording
from tests.support.bridge import Bridge, Ids, StartBridge
from tests.support.deliveries import DONE, deliveries_by_id, is_settled, statements, store_statements
from tests.support.frames import unpack_frames
from tests.support.waiting import wait_until

Version = Literal["auto", "1.0.3", "2.0.0"]

NO_DOCUMENTS = dict.fromkeys(("activity-state", "attempt-state", "activity-profile", "agent-profile"), False)


@pytest.fixture(scope="module")
def running() -> Iterator[Ralph]:
    """One Ralph for all tests of this file."""
    with Ralph() as lrs:
        yield lrs


@pytest.fixture
def lrs(running: Ralph) -> Ralph:
    """A Ralph that has no statements."""
    running.empty()
    return running


@pytest.fixture
async def way(lrs: Ralph) -> AsyncIterator[LrsProxy]:
    """The way to it."""
    async with proxy_to(lrs.endpoint) as laid:
        yield laid


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """SQLite alone: what an LRS does is the same to both databases."""
    return sqlite_url


def target(endpoint: str, version: Version = "auto", password: str = PASSWORD) -> TargetSettings:
    """Make the settings of a target; it gets no documents, of which Ralph knows nothing."""
    return TargetSettings(
        name="lrs",
        endpoint=endpoint,
        username=USERNAME,
        password=password,
        version=version,
        documents=NO_DOCUMENTS,
    )


def content(statement: Any) -> bytes:
    """Return a statement without what an LRS adds, in one form; 1 and 1.0 differ."""
    added = {"stored", "authority"}
    return msgspec.json.encode({key: value for key, value in statement.items() if key not in added}, order="sorted")


def expect_stored(lrs: Ralph, attempts: list[list[StatementLine]], but: tuple[str, ...] = ()) -> None:
    """Assert that the LRS has each statement once and as it was made, but some, and each attempt's in their order."""
    stored = lrs.statements()
    assert len(stored) == sum(map(len, attempts)) - len(but)
    for attempt in attempts:
        ids = {line.id for line in attempt}
        its = [content(statement) for statement in stored if statement["id"] in ids]
        assert its == [content(msgspec.json.decode(line.body)) for line in attempt if line.id not in but]


def attempts_of(bridge: Bridge) -> list[list[StatementLine]]:
    """Return the statements that `stored` has stored, attempt by attempt."""
    return [statements(bridge, [learner]) for learner in ("u1", "u2", "u3")]


@pytest.mark.parametrize("version", ["auto", "1.0.3", "2.0.0"])
async def test_played_sessions_arrive_once_unchanged_and_in_order(
    lrs: Ralph, way: LrsProxy, start: StartBridge, version: Version
) -> None:
    bridge = await start(targets=(target(way.endpoint, version),))
    names = ["s12_json_common-true", "s2004_json_common-true", "s12_unload_pagehide_sync_beacon"]
    for name in names:
        opened = await bridge.open(learner={"id": name, "name": "Ana Ćirić ☃"}, scorm_version=recording.version(name))
        await recording.play(bridge, opened["commit_url"], recording.load(name))
    await wait_until(lambda: is_settled(bridge))

    expect_stored(lrs, [statements(bridge, [name]) for name in names])
    deliveries = [way for statement in statements(bridge, names) for way in statement.deliveries]

    assert {(delivery.state, delivery.last_status) for delivery in deliveries} == {("delivered", 200)}
    assert {post.version for post in way.posts} == {"2.0.0" if version == "2.0.0" else "1.0.3"}


async def test_what_ralph_knows_already_is_delivered_when_its_answer_was_lost(
    lrs: Ralph, way: LrsProxy, start: StartBridge
) -> None:
    """To the same again it answers 204 and nothing more."""
    bridge, _ = await store_statements(start, ["u1"])
    way.lose = 2
    bridge = await start(targets=(target(way.endpoint),), token=bridge.token)
    await wait_until(lambda: is_settled(bridge))

    first, *later = way.posts
    assert (first.status, first.answer != b"") == (200, True)
    assert {(post.status, post.answer) for post in later} == {(204, b"")}
    # what may be one statement's trouble is looked for in halves, the bytes as they were
    sent = msgspec.json.decode(first.body)
    assert all(statement in sent for post in later for statement in msgspec.json.decode(post.body))
    assert {(delivery.state, delivery.last_status) for delivery in deliveries_by_id(bridge).values()} == {
        ("delivered", 204)
    }
    expect_stored(lrs, [statements(bridge, ["u1"])])


async def test_what_ralph_knows_already_is_delivered_together_with_what_is_new(
    lrs: Ralph, way: LrsProxy, start: StartBridge
) -> None:
    """To known and new ones it answers with the ids of the new ones only."""
    ids = Ids()
    bridge, known_ids = await store_statements(start, ["u1"], ids=ids)
    bridge = await start(targets=(target(way.endpoint),), token=bridge.token, ids=ids)
    way.lose = 1
    better = {"core": {"lesson_status": "passed", "score": {"raw": "95"}}}
    way.meanwhile = lambda: bridge.commit(better, learner={"id": "u1"})
    await wait_until(lambda: is_settled(bridge) and len(way.posts) > 1)

    answered = [id_ for post in way.posts if post.answer for id_ in msgspec.json.decode(post.answer)]
    assert answered[: len(known_ids)] == known_ids
    assert answered == [statement.id for statement in statements(bridge, ["u1"])]
    assert len(answered) > len(known_ids)
    assert {delivery.state for delivery in deliveries_by_id(bridge).values()} == {"delivered"}
    expect_stored(lrs, [statements(bridge, ["u1"])])


async def test_a_statement_whose_id_ralph_has_with_another_content_is_dead_and_its_neighbours_arrive(
    lrs: Ralph, start: StartBridge
) -> None:
    """Asked for one statement it answers with a list."""
    bridge, _ = await store_statements(start)
    statement = statements(bridge, ["u2"])[1]
    other = msgspec.json.decode(statement.body) | {"verb": {"id": "http://example.org/verbs/another"}}
    assert lrs.post(other) == 200
    bridge = await start(targets=(target(lrs.endpoint),), token=bridge.token)
    await wait_until(lambda: is_settled(bridge))

    dead = deliveries_by_id(bridge)[statement.id]
    assert (dead.state, dead.last_status) == ("dead", 409)
    assert statement.id in (dead.last_answer or "")
    assert {delivery.state for id_, delivery in deliveries_by_id(bridge).items() if id_ != statement.id} == {
        "delivered"
    }
    stored = lrs.statements()
    assert [content(row) for row in stored if row["id"] == statement.id] == [content(other)]
    assert sorted(row["id"] for row in stored) == sorted(deliveries_by_id(bridge))


async def test_a_statement_that_ralph_refuses_is_dead_with_its_reason_and_its_neighbours_arrive(
    lrs: Ralph, start: StartBridge
) -> None:
    """It refuses with 422, where the standard has 400."""
    bridge, _ = await store_statements(start)
    poison = statements(bridge, ["u2"])[1]
    # such a thing is never made: the bridge's own judge would have to overlook it
    spoilt = msgspec.json.decode(poison.body) | {"verb": {"display": {"en": "did"}}}
    unpack_frames(bridge.engine)
    with writing(bridge.engine) as connection:
        body = msgspec.json.encode(spoilt).decode()
        connection.execute(update(tables.statement).where(tables.statement.c.id == poison.id).values(body=body))
    bridge = await start(targets=(target(lrs.endpoint),), token=bridge.token)
    await wait_until(lambda: is_settled(bridge))

    dead = deliveries_by_id(bridge)[poison.id]
    assert (dead.state, dead.last_status) == ("dead", 422)
    [reason] = msgspec.json.decode(dead.last_answer or "")["detail"]
    assert (reason["type"], reason["loc"][-2:]) == ("missing", ["verb", "id"])
    assert {delivery.state for id_, delivery in deliveries_by_id(bridge).items() if id_ != poison.id} == {"delivered"}
    expect_stored(lrs, attempts_of(bridge), but=(poison.id,))


async def test_ralph_without_the_right_password_gets_nothing_and_loses_nothing(lrs: Ralph, start: StartBridge) -> None:
    bridge = await start(targets=(target(lrs.endpoint, password="wrong"),))
    await bridge.commit(DONE)
    await wait_until(lambda: all(delivery.tries for delivery in deliveries_by_id(bridge).values()))
    await bridge.close()
    assert {(delivery.state, delivery.last_status) for delivery in deliveries_by_id(bridge).values()} == {
        ("waiting", 401)
    }
    assert lrs.statements() == []

    bridge = await start(targets=(target(lrs.endpoint),), token=bridge.token)
    await wait_until(lambda: is_settled(bridge))
    expect_stored(lrs, [statements(bridge, ["u1"])])


def test_statements_come_in_the_order_stored_over_all_pages(lrs: Ralph) -> None:
    """What the other tests rely on."""
    sent = [
        {
            "id": f"00000000-0000-4000-8000-{9 - number:012x}",
            "actor": {"account": {"homePage": "https://lms.example", "name": "u1"}},
            "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"},
            "object": {"id": "https://lms.example/activities/1"},
        }
        for number in range(5)
    ]

    for batch in (sent[:2], sent[2:]):
        assert lrs.post(batch) == 200

    assert [statement["id"] for statement in lrs.statements(limit="2")] == [statement["id"] for statement in sent]


async def test_nothing_runs_after_leaving() -> None:
    with Ralph() as lrs:
        pass
    address = urlsplit(lrs.endpoint)

    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(address.hostname, address.port)


@pytest.mark.parametrize("missing", [".ready", "bin/uvicorn"])
def test_a_missing_environment_is_named_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, missing: str
) -> None:
    (tmp_path / "bin").mkdir()
    for name in {".ready", "bin/python", "bin/uvicorn"} - {missing}:
        (tmp_path / name).touch()
    monkeypatch.setattr(ralph, "ENVIRONMENT", tmp_path)

    with pytest.raises(RuntimeError, match="make test-tools"), Ralph():
        pass
