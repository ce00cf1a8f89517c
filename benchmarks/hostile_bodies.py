"""How long a hostile body keeps the event loop, for every parser and for what follows it.

Run with `python -m benchmarks.hostile_bodies`. A whole bridge on SQLite runs in this process, on asyncio's own event
loop, whose every callback is timed. What counts is the processor time that the longest callback took on the loop's
thread: a busy machine and other threads make no difference to it. The time on the wall and the time to the answer are
shown beside it. `--only WORD` measures the bodies whose name has the word, and keeps nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import tempfile
import time
from asyncio import events
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
from aiohttp import web

from benchmarks.hostile import ALL_IN_ONE, OPEN, POSTBACK, PROGRESS, SESSION, Hostile, hostile
from benchmarks.report import Report
from bridge.access import new_token
from bridge.app import create_app
from bridge.settings import DatabaseSettings, ServerSettings, Settings
from storage import lms, tokens
from storage.engine import open_engine, writing
from storage.migrations import migrate

HOME_PAGE = "https://lms.example.org"
LIMIT = 50
"""Milliseconds for which no body of a mebibyte may keep the event loop."""
TICK = 0.002
"""Seconds between two looks at how late a timer is."""
MAX_ANSWER_LENGTH = 120
"""Seconds after which an answer is not waited for any more."""


@dataclass
class Longest:
    """The longest callback since `reset`: milliseconds of processor time and on the wall; and how late a timer was."""

    processor: float = 0.0
    wall: float = 0.0
    late: float = 0.0

    def reset(self) -> None:
        """Begin anew."""
        self.processor = self.wall = self.late = 0.0


def watch(longest: Longest) -> None:
    """Time every callback of asyncio's event loops."""
    run = events.Handle._run  # noqa: SLF001 -- where asyncio runs each callback

    def timed(handle: Any) -> Any:
        processor, wall = time.thread_time(), time.perf_counter()
        try:
            return run(handle)
        finally:
            longest.processor = max(longest.processor, (time.thread_time() - processor) * 1000)
            longest.wall = max(longest.wall, (time.perf_counter() - wall) * 1000)

    events.Handle._run = timed  # type: ignore[method-assign]  # noqa: SLF001


@dataclass
class Attacker:
    """Posts bodies over blocking connections, from a thread."""

    port: int
    token: str
    number: int = 0

    def post(self, path: str, body: bytes, *, encoding: str = "", token: bool = True) -> tuple[int, bytes]:
        """Post a body; return the status and the answer."""
        headers = {"Authorization": f"Bearer {self.token}"} if token else {}
        if encoding:
            headers["Content-Encoding"] = encoding
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=MAX_ANSWER_LENGTH)
        try:
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        except TimeoutError:
            return 0, b""
        finally:
            connection.close()

    def open(self, learner: str) -> str:
        """Open a session; return its id."""
        body = msgspec.json.encode({"learner": {"id": learner}, "activity": {"id": "235"}})
        return str(msgspec.json.decode(self.post("/v1/sessions", body)[1])["session_id"])

    def attack(self, payload: Hostile, longest: Longest) -> list[str]:
        """Post the bodies of an attack and return a row of the table."""
        self.number += 1
        learner = f"u{self.number}-{uuid4()}"
        session = self.open(learner)
        path = {
            ALL_IN_ONE: "/v1/commits",
            PROGRESS: "/scorm/progress/235/",
            OPEN: "/v1/sessions",
            POSTBACK: "/v1/formats/scorm-cloud",
            "scorm-cloud form": "/v1/formats/scorm-cloud",
            SESSION: f"/v1/sessions/{session}/commits",
            "resumed": f"/v1/sessions/{session}/commits",
        }.get(payload.entry, f"/v1/formats/{payload.entry}/sessions/{session}/commits")
        # so that the session is one that is remembered
        self.post(f"/v1/sessions/{session}/commits", b'{"cmi":{"core":{"lesson_location":"a","exit":"suspend"}}}')
        for body in payload.bodies[:-1]:
            assert self.post(path, body)[0] == 200, payload.name
        if payload.entry == "resumed":
            session = self.open(learner)
            path = f"/v1/sessions/{session}/commits"
            self.post(path, b'{"cmi":{"core":{"lesson_location":"b"}}}')
        longest.reset()
        began = time.perf_counter()
        status, answer = self.post(
            path, payload.bodies[-1], encoding=payload.encoding, token="form" not in payload.entry
        )
        took = (time.perf_counter() - began) * 1000
        return [
            payload.name,
            f"{len(payload.bodies[-1]):,}",
            f"{status or 'none'}",
            f"{len(answer):,}",
            f"{took:,.0f}",
            f"{longest.late:,.1f}",
            f"{longest.wall:,.1f}",
            f"{longest.processor:,.1f}",
        ]


async def tick(longest: Longest) -> None:
    """Look how late the event loop comes to a timer: other threads and the rest of the machine are in it."""
    while True:
        due = time.perf_counter() + TICK
        await asyncio.sleep(TICK)
        longest.late = max(longest.late, (time.perf_counter() - due) * 1000)


async def serve(directory: Path, only: str) -> list[list[str]]:
    """Start a bridge and attack it; return the rows of the table."""
    url, token = f"sqlite:///{directory / 'bridge.db'}", new_token()
    engine = open_engine(url)
    migrate(engine)
    with writing(engine) as connection:
        owner = lms.register(connection, name="lms", home_page=HOME_PAGE, origins=(), now=1)
        tokens.add(connection, owner.id, tokens.digest(token), 1)
    engine.dispose()
    longest = Longest()
    watch(longest)
    runner = web.AppRunner(create_app(Settings(server=ServerSettings(), database=DatabaseSettings(url=url))))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    attacker = Attacker(runner.addresses[0][1], token)
    rows: list[list[str]] = []

    def attack() -> None:
        for payload in hostile():
            if only in payload.name:
                rows.append(attacker.attack(payload, longest))
                print(*rows[-1], sep=" | ", flush=True)

    ticking = asyncio.create_task(tick(longest))
    await asyncio.to_thread(attack)
    ticking.cancel()
    await runner.cleanup()
    return rows


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="")
    only = parser.parse_args().only
    with tempfile.TemporaryDirectory() as directory:
        rows = asyncio.run(serve(Path(directory), only))
    rows.sort(key=lambda row: -float(row[-1].replace(",", "")))
    about = "What bodies of at most a mebibyte cost that were made to be slow."
    report = Report("hostile_bodies", about, kept=not only)
    longest, latest = (max(float(row[place].replace(",", "")) for row in rows) for place in (-1, -3))
    report.text(
        f"{len(rows)} bodies. The longest time that one kept the event loop's thread is {longest:.1f} ms, and"
        f" {LIMIT} ms are allowed; a timer of the loop was {latest:.1f} ms late at most."
    )
    report.table(
        "Milliseconds to the answer, that a timer was late, and of the longest callback: on the wall, of the processor",
        ["body", "bytes", "status", "bytes of the answer", "to the answer", "timer", "wall", "processor"],
        rows,
    )


if __name__ == "__main__":
    main()
