"""Heavy bodies are parsed off the event loop, and never out of their session's order."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bridge.errors import MalformedBody, Overloaded
from bridge.formats import detection
from bridge.formats.native import order_key
from bridge.http import parsing_queue
from bridge.http.parsing_queue import LIGHT_BYTES, PLAIN_BYTES, ParsingQueue, is_heavy
from bridge.http.services import SERVICES
from tests.support.bridge import Bridge
from tests.support.waiting import wait_until

LIGHT, HEAVY = b"{}", b'"",' * LIGHT_BYTES


@pytest.fixture
def queue() -> Iterator[ParsingQueue]:
    new_queue = ParsingQueue()
    yield new_queue
    new_queue.close()


class Held:
    """A parser that goes on when it is let."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.thread: threading.Thread | None = None

    def __call__(self) -> str:
        self.thread = threading.current_thread()
        assert self.go.wait(30)
        return "heavy"


def test_suspend_data_is_no_work_and_a_thousand_fields_are() -> None:
    assert not is_heavy(b'{"cmi":{"suspend_data":"%b"}}' % (b"x" * 100_000))
    assert is_heavy(HEAVY)
    assert is_heavy(b"a=b&" * LIGHT_BYTES)
    assert is_heavy(b"x" * (PLAIN_BYTES + 1))
    assert not is_heavy(b'"' * LIGHT_BYTES)


async def test_a_light_body_is_parsed_at_once_and_a_heavy_one_elsewhere(queue: ParsingQueue) -> None:
    here = threading.current_thread()

    assert await queue.run(LIGHT, threading.current_thread) is here
    assert await queue.run(HEAVY, threading.current_thread) is not here


async def test_the_loop_goes_on_while_a_heavy_body_is_parsed(queue: ParsingQueue) -> None:
    held = Held()
    heavy = asyncio.create_task(queue.run(HEAVY, held, lambda: "a"))
    assert await queue.run(LIGHT, lambda: "light", lambda: "b") == "light"
    held.go.set()
    assert await heavy == "heavy"


async def test_bodies_of_one_session_come_out_in_the_order_they_came_in(queue: ParsingQueue) -> None:
    held, out = Held(), list[str]()

    async def run(name: str, body: bytes, parse: Callable[[], str]) -> None:
        await queue.run(body, parse, lambda: "session")
        out.append(name)

    tasks = [
        asyncio.create_task(run("first", HEAVY, held)),
        asyncio.create_task(run("second", LIGHT, str)),
        asyncio.create_task(run("third", HEAVY, str)),
        asyncio.create_task(run("fourth", LIGHT, str)),
    ]
    await queue.run(LIGHT, str, lambda: "another")
    assert out == []
    held.go.set()
    await asyncio.gather(*tasks)
    assert out == ["first", "second", "third", "fourth"]
    assert not queue._last


async def test_a_body_that_cannot_be_parsed_lets_the_next_one_have_its_turn(queue: ParsingQueue) -> None:
    def broken() -> str:
        raise MalformedBody("broken")

    failing = asyncio.create_task(queue.run(HEAVY, broken, lambda: "session"))
    following = asyncio.create_task(queue.run(LIGHT, lambda: "light", lambda: "session"))

    with pytest.raises(MalformedBody):
        await failing

    assert await following == "light"


async def test_a_client_that_gives_up_lets_the_next_one_have_its_turn(queue: ParsingQueue) -> None:
    held = Held()
    first = asyncio.create_task(queue.run(HEAVY, held, lambda: "session"))
    second = asyncio.create_task(queue.run(LIGHT, str, lambda: "session"))
    third = asyncio.create_task(queue.run(LIGHT, lambda: "third", lambda: "session"))
    await asyncio.sleep(0)
    second.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await second
    assert await queue.run(LIGHT, lambda: "another", lambda: "another") == "another"
    assert not third.done()
    held.go.set()
    assert await first == "heavy"
    assert await third == "third"


async def test_heavy_bodies_beyond_what_may_wait_are_refused(
    queue: ParsingQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parsing_queue, "MAX_BYTES_WAITING", 2 * len(HEAVY))
    held = Held()
    tasks = [asyncio.create_task(queue.run(HEAVY, held)) for _ in range(2)]
    await asyncio.sleep(0)

    with pytest.raises(Overloaded):
        await queue.run(HEAVY, str)
    assert await queue.run(LIGHT, lambda: "light") == "light"
    held.go.set()
    await asyncio.gather(*tasks)
    assert await queue.run(HEAVY, lambda: "again") == "again"


def test_the_bodies_of_one_session_are_told_without_parsing_them() -> None:
    keys = [
        order_key(b'{"learner":{"id":"u1"},"cmi":{"suspend_data":"\\ud800"},"activity":"1"}'),
        order_key(b'{"activity":"1","cmi":{"a":[1,{}]},"learner":{"id":"u1"}}'),
        order_key(b'{"activity":"2","learner":{"id":"u1"}}'),
        order_key(b'{"session_id":"s","learner":{"id":"u1"}}'),
        order_key(b'{"session_id":"s","learner":{"id":"u1"},"cmi":{}}'),
        order_key(b"no JSON"),
    ]

    assert keys[0] == keys[1] != keys[2]
    assert keys[3] == keys[4] != keys[0]
    assert keys[5] == ()


async def test_a_small_commit_does_not_overtake_a_heavy_one_of_its_session(bridge: Bridge) -> None:
    opened = await bridge.open()
    path = f"/v1/sessions/{opened['session_id']}/commits"
    assert bridge.client.app is not None
    queue = bridge.client.app[SERVICES].parsing
    held = Held()
    holding = asyncio.create_task(queue.run(HEAVY, held))
    heavy = {"cmi": {"core": {"lesson_location": "first"}, **{f"x{n}": "" for n in range(20_000)}}}
    light = {"cmi": {"core": {"lesson_location": "second"}}}
    tasks = [asyncio.create_task(bridge.post(path, heavy))]
    await wait_until(lambda: len(queue._last) == 2)
    tasks.append(asyncio.create_task(bridge.post(path, light)))
    # of another session: it waits for nobody
    assert (await bridge.commit({"core": {"lesson_location": "x"}}, learner={"id": "u2"}))["disposition"] == "applied"
    held.go.set()
    await holding
    answers = [await task for task in tasks]
    assert [(status, answer["commit"], answer["progress"]["location"]) for status, answer in answers] == [
        (200, 1, "first"), (200, 2, "second"),
    ]  # fmt: skip


async def test_the_same_holds_where_all_is_in_one_body(bridge: Bridge) -> None:
    assert bridge.client.app is not None
    queue = bridge.client.app[SERVICES].parsing
    held = Held()
    holding = asyncio.create_task(queue.run(HEAVY, held))
    who: dict[str, Any] = {"learner": {"id": "u1"}, "activity": {"id": "235"}}
    heavy = {**who, "cmi": {"core": {"lesson_location": "first"}, **{f"x{n}": "" for n in range(20_000)}}}
    tasks = [asyncio.create_task(bridge.post("/v1/commits", heavy))]
    await wait_until(lambda: len(queue._last) == 2)
    tasks.append(
        asyncio.create_task(bridge.post("/v1/commits", {**who, "cmi": {"core": {"lesson_location": "second"}}}))
    )
    assert (await bridge.commit({"core": {"lesson_location": "x"}}, learner={"id": "u2"}))["disposition"] == "applied"
    held.go.set()
    await holding
    answers = [await task for task in tasks]
    assert [(status, answer["commit"], answer["progress"]["location"]) for status, answer in answers] == [
        (200, 1, "first"), (200, 2, "second"),
    ]  # fmt: skip


ENTRIES = (
    "/v1/commits",
    "/v1/sessions",
    "/scorm/progress/235/",
    "/v1/formats/scorm-cloud",
    "/v1/sessions/{session}/commits",
    *(f"/v1/formats/{name}/sessions/{{session}}/commits" for name in detection.BY_NAME),
)


@pytest.mark.parametrize("token", [None, "sxb_of_nobody"])
async def test_nothing_of_a_body_is_parsed_before_it_is_known_who_sent_it(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch, token: str | None
) -> None:
    session_id = (await bridge.open())["session_id"]
    parsed: list[bytes] = []
    monkeypatch.setattr("bridge.formats.body.parse", parsed.append)
    monkeypatch.setattr(detection, "parse", parsed.append)
    monkeypatch.setattr("bridge.formats.native.parse_all_in_one", parsed.append)
    for module in ("bridge.http.commit_parsing", "bridge.http.sessions", "bridge.formats.body"):
        monkeypatch.setattr(f"{module}.decode", parsed.append)
    bodies = (b'{"a":1}', b"a=b&" * 5_000, b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n--b--')
    for entry in ENTRIES:
        path = entry.format(session=session_id)
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        statuses = set()
        for body in bodies:
            async with bridge.client.post(path, data=body, headers=headers) as answer:
                statuses.add(answer.status)
        if "moodle" not in path and "aicc" not in path and "rpc" not in path:
            assert statuses == {401}, path
        if "{session}" in entry:
            async with bridge.client.post(f"{path}?token=1.forged", data=bodies[0]) as answer:
                assert answer.status == 401 or (await answer.text())[:5] in {"false", "error", '{"res'}, path

    assert parsed == []
