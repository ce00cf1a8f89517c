"""Requests that are refused: logged, counted and kept, and never by somebody unknown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from bridge.access import new_token
from bridge.http import refusals as waiting_refusals
from bridge.http.refusals import Refusals
from bridge.http.services import SERVICES
from bridge.metrics.catalog import REFUSALS
from storage import refusals
from storage.engine import reading
from storage.queries.refusals import RefusalFilter, RefusalRow, search
from storage.tables import refusal
from tests.support.accounts import START, register_lms
from tests.support.bridge import Bridge

MARKER = "body-canary"


def _counts(bridge: Bridge) -> dict[tuple[str, ...], list[float]]:
    assert bridge.client.app is not None
    return bridge.client.app[SERVICES].metrics.collect().get(REFUSALS.name, {})


def _refusals(bridge: Bridge) -> Refusals:
    assert bridge.client.app is not None
    return bridge.client.app[SERVICES].refusals


async def _stored_rows(bridge: Bridge, **criteria: str) -> list[RefusalRow]:
    await _refusals(bridge).flush()
    with reading(bridge.engine) as connection:
        return search(connection, RefusalFilter(**criteria), limit=2_000).rows


def _path(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.path}?{parts.query}"


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    with capture_logs() as lines:
        yield lines


async def test_a_refusal_is_one_line_of_the_log_and_kept_without_body_and_token(
    bridge: Bridge, logged: list[Any]
) -> None:
    opened = await bridge.open()
    address = _path(opened["commit_url"])
    path, token = urlsplit(address).path, urlsplit(address).query.removeprefix("token=")
    status, _ = await bridge.post(address, token=None, data=f'{{"cmi": {{"suspend_data": "{MARKER}'.encode())
    assert status == 400
    await bridge.post("/v1/sessions", {"learner": {"id": "u\n1"}, "activity": "235"})
    await bridge.get("/v1/sessions/00000000-0000-4000-8000-0000000000ff")

    newest = await _stored_rows(bridge)
    assert [(row.status, row.code, row.method) for row in reversed(newest)] == [
        (400, "malformed-body", "POST"),
        (400, "malformed-field", "POST"),
        (404, "session-unknown", "GET"),
    ]
    assert {(row.lms, row.at) for row in newest} == {("lms", START)}
    assert newest[-1].path == path
    entries = [entry for entry in logged if entry["event"] == "request_refused"]
    assert [entry["code"] for entry in entries] == [row.code for row in reversed(newest)]
    assert not any(MARKER in str(record) or token in str(record) for record in [*newest, *logged])
    codes = ("400", "malformed-body"), ("400", "malformed-field"), ("404", "session-unknown")
    assert _counts(bridge) == {code: [1] for code in codes}


@pytest.mark.parametrize(
    ("name", "status"), [("aicc", 200), ("moodle", 200), ("rpc", 200), ("ilias", 400), ("openedx", 400), ("sakai", 400)]
)
async def test_a_refusal_in_a_formats_own_words_is_kept_as_what_it_is(bridge: Bridge, name: str, status: int) -> None:
    opened = await bridge.open()
    path = f"/v1/formats/{name}/sessions/{opened['session_id']}/commits?{urlsplit(opened['commit_url']).query}"
    async with bridge.client.post(path, data=b'{"nothing": "of this format"}') as answer:
        assert answer.status == status

    (row,) = await _stored_rows(bridge)

    assert (row.status, row.code, row.wire_format) == (400, "malformed-body", name)


async def test_nothing_is_kept_of_strangers(bridge: Bridge) -> None:
    opened = await bridge.open()
    for path in ("/v1/sessions", "/v1/commits", "/nowhere", f"/v1/sessions/{opened['session_id']}/commits?token=x"):
        status, _ = await bridge.post(path, {"cmi": {}}, token=None)
        assert status in {401, 404}, path
    await bridge.post("/v1/commits", {"cmi": {}}, token=new_token())

    assert await _stored_rows(bridge) == []
    assert sum(number for (number,) in _counts(bridge).values()) == 5


async def test_an_expired_commit_url_is_kept(bridge: Bridge) -> None:
    opened = await bridge.open()
    bridge.clock.advance(8 * 86_400)
    status, _ = await bridge.post(_path(opened["commit_url"]), {"cmi": {"suspend_data": MARKER}}, token=None)

    (row,) = await _stored_rows(bridge)

    assert (status, row.status, row.code) == (401, 401, "bad-commit-token")


async def test_answers_that_may_succeed_later_are_counted_and_not_kept(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.commits.service.HIGH_WATERMARK", 0)
    status, _ = await bridge.post("/v1/commits", {"learner": "u1", "activity": "235", "cmi": {}})

    assert (status, await _stored_rows(bridge)) == (503, [])
    assert _counts(bridge) == {("503", "overloaded"): [1]}


async def test_the_last_ones_of_each_lms_are_kept(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "MAX_KEPT", 5)
    monkeypatch.setattr(waiting_refusals, "BATCH_SIZE", 2)
    token = register_lms(bridge.engine, "other", "https://o.example").token
    for number in range(8):
        await bridge.post("/v1/sessions", {"attempt": f"{number}"})
        await bridge.post("/v1/commits", {"learner": {"id": f"{number}"}})
        if number < 3:
            await bridge.post("/v1/sessions", {}, token=token)

    assert len(await _stored_rows(bridge, lms="lms")) == 5
    assert len(await _stored_rows(bridge, lms="other")) == 3
    assert {row.path for row in await _stored_rows(bridge, lms="lms")} == {"/v1/sessions", "/v1/commits"}


async def test_what_waits_to_be_stored_is_bounded(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_refusals, "MAX_KEPT", 3)
    for number in range(7):
        await bridge.get(f"/v1/sessions/00000000-0000-4000-8000-00000000000{number}")

    assert [row.path[-1] for row in await _stored_rows(bridge)] == ["6", "5", "4"]


async def test_what_could_not_be_stored_is_stored_later_in_its_order(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any) -> None:
        raise OperationalError("", {}, Exception())

    for number in range(3):
        await bridge.get(f"/v1/sessions/00000000-0000-4000-8000-00000000000{number}")
    with monkeypatch.context() as patched:
        patched.setattr(refusals, "add", failing)
        with pytest.raises(OperationalError):
            await _refusals(bridge).flush()

    assert [row.path[-1] for row in await _stored_rows(bridge)] == ["2", "1", "0"]


async def test_a_bridge_that_stops_stores_what_waits(bridge: Bridge) -> None:
    await bridge.get("/v1/sessions/00000000-0000-4000-8000-000000000001")
    engine = bridge.engine
    await bridge.close()

    with reading(engine) as connection:
        assert connection.execute(select(func.count()).select_from(refusal)).scalar_one() == 1
    engine.dispose()


@pytest.mark.parametrize("path", ["%00", "%ED%A0%80", "x" * 3_000])
async def test_any_address_can_be_kept(bridge: Bridge, path: str) -> None:
    status, _ = await bridge.get(f"/v1/attempts/{path}")
    assert status == 400
    (row,) = await _stored_rows(bridge)
    assert len(row.path) <= waiting_refusals.MAX_TEXT_LENGTH
