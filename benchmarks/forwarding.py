"""How fast the forwarder drains an outbox to an LRS that keeps nothing, and how soon a lone commit's statements arrive.

Run with `make bench` or `python -m benchmarks.forwarding`. Beside it, an aiohttp client posts batches of the same
statements, prepared and of the same size, one after the other to the same server. In each round both drain the same
outbox, made by the bridge of real commits. Afterwards every delivery must be settled and every statement have arrived
once.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import uvloop
from sqlalchemy import text

from benchmarks.processes import Bridge, Databases, Lrs, databases, load
from benchmarks.report import Report, median, ratio
from benchmarks.usage import cpu_seconds
from benchmarks.workload import KINDS as SESSION_KINDS
from benchmarks.workload import PER_SESSION, Requests
from bridge.forwarding.forwarder import BATCH_SIZE
from storage import frames
from storage.engine import open_engine, reading, writing

KINDS = ("SQLite", "PostgreSQL")
OF_CLIENT = 0.6
"""What of the client's rate the forwarder shall reach at least."""
SOON = 100
"""Milliseconds from a commit's answer to its statements' acceptance, p50."""
A_SESSION = 9.6
"""Statements that a session and its resumption, where it has one, make on average."""
DEADLINE = 120
"""Seconds to drain."""


class WrongError(RuntimeError):
    """Something did not arrive, or more than once."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--statements", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--commits", type=int, default=400, help="to find out how soon their statements arrive")
    options = parser.parse_args(arguments)
    report = Report("forwarding", __doc__ or "")
    with databases() as database_set, Lrs() as lrs:
        outboxes = {kind: Outbox(database_set, kind, options.statements) for kind in KINDS}
        drains: dict[str, list[dict[str, float]]] = {f"{kind}{more}": [] for kind in KINDS for more in ("", " all")}
        clients: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
        for number in range(options.rounds):
            for kind, outbox in outboxes.items():
                clients[kind].append(_client(lrs, outbox))
                drains[kind].append(_drain(lrs, outbox, f"{kind.lower()}_{number}", documents=False))
                drains[f"{kind} all"].append(_drain(lrs, outbox, f"{kind.lower()}_all_{number}", documents=True))
        _print_drains(report, outboxes, drains, clients)
        soon = {kind: _soon(database_set, lrs, kind, options.commits) for kind in KINDS}
    _print_soon(report, soon)


class Outbox:
    """A database whose statements wait for no target in particular, to be copied."""

    def __init__(self, database_set: Databases, kind: str, statements: int) -> None:
        self._database_set = database_set
        self.directory = database_set.directory
        self.kind = kind
        self.url = database_set.make(kind, f"outbox_{kind.lower()}")
        bridge = Bridge(database_set.directory / f"outbox-{kind}", self.url)
        with bridge:
            sessions = int(statements / A_SESSION) + 1
            load(
                {"port": bridge.port, "token": bridge.token, "connections": 64, "seconds": 600, "warm_up": 0,
                 "server": bridge.pid, "first": 0, "sessions": sessions}
            )  # fmt: skip
        self.statements: list[tuple[str, str]] = []
        engine = open_engine(self.url)
        if kind == "PostgreSQL":
            with writing(engine) as connection:
                connection.execute(text("ANALYZE"))  # as autovacuum does within a minute
        with reading(engine) as connection:
            rows = connection.execute(
                text(
                    "SELECT statement.id, body, frame FROM delivery JOIN statement USING (attempt_id, position)"
                    " ORDER BY delivery.id"
                )
            )
            self.statements = [(str(row[0]), frames.text_of(connection, row[1], row[2])) for row in rows.all()]
        engine.dispose()

    def copy(self, name: str) -> str:
        """Return the URL of a copy."""
        if self.kind == "PostgreSQL":
            url = self._database_set.postgresql(name, template=self.url.partition("?")[0].rpartition("/")[2])
            engine = open_engine(url)
            with writing(engine) as connection:
                # else whoever reads it first would have to write to disk what copying it left in memory
                connection.execute(text("CHECKPOINT"))
            engine.dispose()
            return url
        url = self._database_set.sqlite(name, empty=True)
        source = Path(self.url.removeprefix("sqlite:///"))
        for end in ("", "-wal"):
            if Path(f"{source}{end}").exists():
                shutil.copy(f"{source}{end}", url.removeprefix("sqlite:///") + end)
        return url


def _client(lrs: Lrs, outbox: Outbox) -> dict[str, float]:
    """Post the statements with a bare client."""
    bodies = [body for _, body in outbox.statements]
    batches = [
        ("[" + ",".join(bodies[start : start + BATCH_SIZE]) + "]").encode()
        for start in range(0, len(bodies), BATCH_SIZE)
    ]

    async def post() -> None:
        headers = {"X-Experience-API-Version": "1.0.3", "Content-Type": "application/json"}
        async with aiohttp.ClientSession(headers=headers) as session:
            for batch in batches:
                async with session.post(lrs.endpoint + "statements", data=batch) as response:
                    if response.status != 200:
                        raise WrongError(f"the null LRS answered {response.status}")
                    await response.read()

    cpu = time.process_time()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(post())
    return _measure_arrivals(lrs, outbox) | {"cpu": (time.process_time() - cpu) / len(bodies) * 1e6}


def _drain(lrs: Lrs, outbox: Outbox, name: str, *, documents: bool) -> dict[str, float]:
    """Let a bridge with the null LRS as its target drain a copy of the outbox."""
    url, expected = outbox.copy(name), len(outbox.statements)
    with Bridge(outbox.directory / name, url, _target(lrs, documents=documents)) as bridge:
        begun, first = 0.0, 0
        deadline = time.monotonic() + DEADLINE
        while (count := lrs.ask("/count")) < expected:
            if count and not first:
                begun, first = cpu_seconds(bridge.pid), count
            if time.monotonic() > deadline:
                raise WrongError(f"{count} of {expected} statements arrived in {DEADLINE} s")
            time.sleep(0.02)
        cpu = (cpu_seconds(bridge.pid) - begun) / (expected - first) * 1e6
    engine = open_engine(url)
    with reading(engine) as connection:
        left = connection.execute(text("SELECT count(*) FROM delivery WHERE state <> 'delivered'")).scalar_one()
    engine.dispose()
    if left:
        raise WrongError(f"{left} deliveries of {expected} are not settled")
    return _measure_arrivals(lrs, outbox) | {"cpu": cpu}


def _measure_arrivals(lrs: Lrs, outbox: Outbox) -> dict[str, float]:
    """Return the rate at which the LRS took statements, from its first request on; check that each came once."""
    log = lrs.ask("/log")
    lrs.ask("/log", "DELETE")
    ids = [statement_id for _, some in log for statement_id in some]
    if sorted(ids) != sorted(statement_id for statement_id, _ in outbox.statements):
        raise WrongError(f"{len(set(ids))} statements in {len(ids)} arrived, {len(outbox.statements)} were waiting")
    return {"rate": (len(ids) - len(log[0][1])) / (log[-1][0] - log[0][0]), "together": len(ids) / len(log)}


def _target(lrs: Lrs, *, documents: bool) -> str:
    off = 'documents = { "activity-state" = false, "attempt-state" = false, "activity-profile" = false,'
    off += ' "agent-profile" = false }\n'
    return f'[[targets]]\nname = "lrs"\nendpoint = "{lrs.endpoint}"\n{"" if documents else off}'


def _soon(database_set: Databases, lrs: Lrs, kind: str, commits: int) -> list[float]:
    """Post commits one at a time; return the milliseconds from each answer until its last statement was accepted."""
    url, pauses = database_set.make(kind, f"soon_{kind.lower()}"), random.Random(1)
    answered: dict[str, float] = {}
    with Bridge(database_set.directory / f"soon-{kind}", url, _target(lrs, documents=True)) as bridge:
        requests = Requests("127.0.0.1", bridge.port, bridge.token)
        with socket.create_connection(("127.0.0.1", bridge.port)) as connection:
            for number in range(commits):
                session, step = divmod(number, PER_SESSION)
                session_id = f"00000000-0000-4000-8000-{session:012}"
                connection.sendall(requests.make(session % SESSION_KINDS, step, session_id, session, number))
                answer, at = _answer(connection)
                if answer["statements"]:
                    answered[answer["statements"][-1]["id"]] = at
                time.sleep(pauses.uniform(0.03, 0.06))
    accepted = {statement_id: at for at, ids in lrs.ask("/log") for statement_id in ids}
    lrs.ask("/log", "DELETE")
    if missing := answered.keys() - accepted.keys():
        raise WrongError(f"{len(missing)} of {len(answered)} statements did not arrive")
    return sorted((accepted[statement_id] - at) * 1000 for statement_id, at in answered.items())


def _answer(connection: socket.socket) -> tuple[Any, float]:
    data = b""
    while True:
        data += connection.recv(65536)
        head, separator, body = data.partition(b"\r\n\r\n")
        if separator and len(body) >= int(head.partition(b"Content-Length: ")[2].partition(b"\r")[0]):
            at = time.monotonic()
            if b" 200 " not in head[:16]:
                raise WrongError(f"a commit was not stored: {body!r}")
            return msgspec.json.decode(body), at


def _print_drains(report: Report, outboxes: dict[str, Outbox], drains: dict[str, Any], clients: dict[str, Any]) -> None:
    rows = []
    for kind, outbox in outboxes.items():
        series = (
            ("aiohttp client", clients[kind]),
            ("forwarder", drains[kind]),
            ("with documents", drains[f"{kind} all"]),
        )
        for name, results in series:
            rates = [result["rate"] for result in results]
            rows.append(
                [
                    f"{name}, {kind}",
                    f"{len(outbox.statements):,}",
                    f"{median(rates):,.0f}",
                    f"{ratio(rates, [result['rate'] for result in clients[kind]]):.2f}",
                    f"{OF_CLIENT}" if name == "forwarder" else "",
                    f"{median(result['cpu'] for result in results):.0f}",
                    f"{median(result['together'] for result in results):.0f}",
                ]
            )
    report.table(
        "Draining an outbox to a null LRS",
        ["sender", "statements", "a second", "of client", "at least", "CPU µs each", "a request"],
        rows,
    )


def _print_soon(report: Report, soon: dict[str, list[float]]) -> None:
    rows = [
        [kind, f"{len(times)}", f"{times[len(times) // 2]:.1f}", f"{SOON}", f"{times[len(times) * 99 // 100]:.1f}",
         f"{times[-1]:.1f}"]
        for kind, times in soon.items()
    ]  # fmt: skip
    report.table(
        "From a commit's answer to its acceptance by an idle LRS",
        ["database", "commits", "p50 ms", "at most", "p99 ms", "longest ms"],
        rows,
    )


if __name__ == "__main__":
    main()
