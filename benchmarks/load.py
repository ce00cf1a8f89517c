"""The load generator: a process of its own that posts sessions of commits over connections that are kept alive.

It speaks just enough HTTP for that, so that it does not become what is measured. Run by `processes.load` with a `Job`
as JSON on standard input; gives a `Result` as JSON on standard output.

Without a rate each connection posts its next commit when the last is answered. With one, commits are due at even times
whatever the server does, on connections in turn; one that has to wait for its connection's last answer has waited from
the time it was due, so a stall is counted for all that it holds up. That this process itself is late to notice that one
is due does not count: its timers have milliseconds.
"""

from __future__ import annotations

import asyncio
import sys
import time
import uuid
from collections import deque
from random import Random
from typing import cast

import msgspec
import uvloop

from benchmarks.usage import family_seconds
from benchmarks.workload import KINDS, PER_SESSION, Requests

MAX_WAIT = 120
"""Seconds for the last answers."""


class Job(msgspec.Struct):
    """What to post.

    `sessions` ends the run by number instead of by time. The enrollments are new ones from `first` on, but the first
    `stored` sessions, which are of enrollments below `stored` in a random order. `server` and `database` are the
    processes whose processor time is told.
    """

    port: int
    token: str
    connections: int
    seconds: float
    server: int
    first: int
    database: int | None = None
    warm_up: float = 1.0
    rate: float = 0.0
    sessions: int = 0
    stored: list[int] = []


class Result(msgspec.Struct):
    """What came of it. Times are of the measured window, latencies in milliseconds of the commits answered in it.

    `answered` is session id -> commits answered with 200, warm-up included; `other` counts all other answers.
    """

    commits: int
    seconds: float
    server_cpu: float
    database_cpu: float
    own_cpu: float
    p50: float
    p99: float
    longest: float
    bytes_answered: float
    answered: dict[str, int]
    other: dict[int, int]


class Load:
    """One run."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.requests = Requests("127.0.0.1", job.port, job.token)
        self.latencies: list[float] = []
        self.answered: dict[str, int] = {}
        self.other: dict[int, int] = {}
        self.bytes = 0
        self.measuring = False
        self.stopping = False
        self.begun = 0
        self.idle = 0
        self.finished = asyncio.Event()
        self.stored = deque(job.stored)
        self.next_enrollment = job.first
        self._random = Random(job.first)

    def session(self) -> tuple[str, int] | None:
        """Return the id of a new session and an enrollment for it, None when no more are to be begun."""
        if self.job.sessions and self.begun >= self.job.sessions:
            return None
        self.begun += 1
        session_id = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
        if self.stored:
            return session_id, self.stored.popleft()
        self.next_enrollment += 1
        return session_id, self.next_enrollment - 1

    def done(self, session_id: str, status: int, size: int, took: float) -> None:
        """Note an answer."""
        if status == 200:
            self.answered[session_id] = self.answered.get(session_id, 0) + 1
        else:
            self.other[status] = self.other.get(status, 0) + 1
        if self.measuring:
            self.latencies.append(took)
            self.bytes += size

    def rest(self) -> None:
        """Note that a connection has nothing more to do."""
        self.idle += 1
        if self.idle == self.job.connections:
            self.finished.set()


class Connection(asyncio.Protocol):
    """A connection that posts one session after the other."""

    def __init__(self, load: Load, number: int) -> None:
        self._load = load
        self._kind, self._step = number % KINDS, PER_SESSION
        # not all begin a session at the same time: each has another number of commits in its first one
        self._begin_at = number // KINDS % PER_SESSION
        self._session_id, self._enrollment = "", 0
        self._buffer = b""
        self._due: deque[float] = deque()
        self._since = 0.0
        self._busy = False
        self._resting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: D102 -- of asyncio
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: D102 -- of asyncio
        if self._busy:
            print(f"a connection was closed in the middle of a request: {exc}", file=sys.stderr)
            self._load.other[0] = self._load.other.get(0, 0) + 1
            self._busy = False
            self._rest()

    def due(self) -> None:
        """Post a commit now, or as soon as the last one is answered."""
        self._due.append(time.perf_counter())
        if not self._busy:
            self.post()

    def post(self) -> None:
        """Post the next commit."""
        load = self._load
        if load.stopping and not self._due:
            self._rest()
            return
        if self._step == PER_SESSION:
            kind = (self._kind + 1) % KINDS
            # the fourth kind resumes what the third has suspended
            session = (str(uuid.uuid4()), self._enrollment) if kind == 3 and self._session_id else load.session()
            if session is None:
                self._rest()
                return
            self._kind, self._step, self._begin_at = kind, self._begin_at, 0
            self._session_id, self._enrollment = session
        request = load.requests.make(
            self._kind, self._step, self._session_id, self._enrollment, self._enrollment * KINDS + self._kind
        )
        self._step += 1
        self._busy = True
        self._since = self._due.popleft() if self._due else time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:  # noqa: D102 -- of asyncio
        self._buffer = data = self._buffer + data if self._buffer else data
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return
        start = data.index(b"Content-Length: ") + 16
        if len(data) < end + 4 + int(data[start : data.index(b"\r", start)]):
            return
        self._buffer = b""
        self._busy = False
        status = int(data[9:12])
        if status != 200 and not self._load.other:
            print(data[:2000], file=sys.stderr)
        self._load.done(self._session_id, status, len(data) - end - 4, time.perf_counter() - self._since)
        if self._due or not self._load.job.rate:
            self.post()
        elif self._load.stopping:
            self._rest()

    def finish(self) -> None:
        """Post nothing more after the answer that is awaited."""
        if not self._busy:
            self._rest()

    def waits(self) -> str:
        """Return in words what is still to come; nothing where all was answered."""
        if self._resting:
            return ""
        overdue = f"{len(self._due)} more are due"
        return (
            f"an answer is awaited for {time.perf_counter() - self._since:.1f} s, {overdue}" if self._busy else overdue
        )

    def _rest(self) -> None:
        if not self._resting:
            self._resting = True
            self._load.rest()


async def run(job: Job) -> Result:
    """Post as the job says."""
    load, loop = Load(job), asyncio.get_running_loop()
    connections = [Connection(load, number) for number in range(job.connections)]
    for connection in connections:
        await loop.create_connection(lambda connection=connection: connection, "127.0.0.1", job.port)  # type: ignore[misc]
    ticking = None
    if job.rate:
        ticking = asyncio.create_task(_tick(load, connections))
    else:
        for connection in connections:
            connection.post()
    await asyncio.sleep(job.warm_up)
    before = _times(job)
    load.measuring = True
    try:
        async with asyncio.timeout(job.seconds):
            await load.finished.wait()
    except TimeoutError:
        pass
    load.measuring = False
    after = _times(job)
    load.stopping = True
    if ticking is not None:
        await ticking
    for connection in connections:
        connection.finish()
    try:
        async with asyncio.timeout(MAX_WAIT):
            await load.finished.wait()
    except TimeoutError:
        waiting = [connection.waits() for connection in connections]
        print(
            f"after {MAX_WAIT} s, of each connection that is not done:",
            *filter(None, waiting),
            sep="\n",
            file=sys.stderr,
        )
        raise
    wall, server, database, generator = (now - then for now, then in zip(after, before, strict=True))
    took = sorted(load.latencies) or [0.0]
    return Result(
        commits=len(load.latencies),
        seconds=wall,
        server_cpu=server,
        database_cpu=database,
        own_cpu=generator,
        p50=took[len(took) // 2] * 1000,
        p99=took[len(took) * 99 // 100] * 1000,
        longest=took[-1] * 1000,
        bytes_answered=load.bytes / len(took),
        answered=load.answered,
        other=load.other,
    )


async def _tick(load: Load, connections: list[Connection]) -> None:
    """Let commits be due at even times, on connections in turn, until the run stops."""
    begun, sent, rate = time.perf_counter(), 0, load.job.rate
    while not load.stopping:
        now = time.perf_counter()
        while sent < (now - begun) * rate:
            connections[sent % len(connections)].due()
            sent += 1
        await asyncio.sleep(0.001)


def _times(job: Job) -> tuple[float, float, float, float]:
    database = 0.0 if job.database is None else family_seconds(job.database)
    return time.perf_counter(), family_seconds(job.server), database, time.process_time()


def main() -> None:
    """Read the job, run it, write the result."""
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        result = runner.run(run(job))
    sys.stdout.buffer.write(msgspec.json.encode(result))


if __name__ == "__main__":
    main()
