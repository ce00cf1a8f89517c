"""Several serving processes: on one port on PostgreSQL, never on one SQLite file."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import aiohttp
import pytest

from bridge.access import TOKEN_CACHE_TTL
from storage.engine import open_engine
from storage.migrations import migrate
from tests.support.lrs import Lrs
from tests.support.server import Server, StartServer
from tests.support.waiting import poll, wait_until

WORKERS = 2
COMMITS = 60


def children(pid: int) -> set[int]:
    """Return the processes that a process started."""
    pids = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return set(map(int, pids))


def runs(pid: int) -> bool:
    """Return whether a process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def commit(http: aiohttp.ClientSession, server: Server, token: str, learner: int, raw: int) -> None:
    """Post a commit; one whose connection breaks as its worker dies is sent again, as clients do."""
    body = {"learner": {"id": f"u{learner}"}, "activity": {"id": "235"}, "cmi": {"core": {"score": {"raw": str(raw)}}}}
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": f"{learner}-{raw}"}
    while True:
        try:
            async with http.post(f"{server.url}/v1/commits", json=body, headers=headers) as response:
                if response.status == 200:
                    return
        except aiohttp.ClientError:
            pass


@pytest.fixture
async def served(new_server: StartServer, postgresql_url: str, lrs: Lrs) -> tuple[Server, str]:
    """Two workers on PostgreSQL that forward to an LRS, and an LMS's token."""
    server = new_server(postgresql_url, endpoint=lrs.endpoint)
    token = server.new_token()
    await server.start("--workers", str(WORKERS))
    await wait_until(lambda: len(children(server.pid)) == WORKERS)
    return server, token


async def test_workers_share_a_port_and_a_killed_one_is_replaced_and_nothing_is_lost(
    served: tuple[Server, str], http: aiohttp.ClientSession, lrs: Lrs
) -> None:
    server, token = served
    first = children(server.pid)
    for raw in range(COMMITS // 10):
        await asyncio.gather(*(commit(http, server, token, learner, raw) for learner in range(10)))
        if raw == 2:
            os.kill(min(first), signal.SIGKILL)
    await wait_until(lambda: len(children(server.pid)) == WORKERS and min(first) not in children(server.pid))
    # ten times initialized, and scored at each commit
    await lrs.wait_until(lambda: len(lrs.store.statements()) == 10 + COMMITS, 60)
    scores: dict[str, list[float]] = {}
    for statement in lrs.store.statements():
        if "result" in statement:
            scores.setdefault(statement["actor"]["account"]["name"], []).append(statement["result"]["score"]["raw"])

    assert list(scores.values()) == [list(range(COMMITS // 10))] * 10
    assert await server.stop() == 0
    assert not any(map(runs, first))


async def test_a_revoked_token_is_refused_by_every_worker_long_before_a_cached_one_would_be(
    served: tuple[Server, str],
) -> None:
    server, token = served

    async def statuses() -> set[int]:
        """Return what twenty connections of their own are answered: workers share them out."""
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        headers = {"Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession(server.url, connector=connector, headers=headers) as http:
            return {response.status for response in [await http.get("/v1/enrollments") for _ in range(20)]}

    assert await statuses() == {200}
    await server.run("tokens", "revoke", "1", "--reason", "it leaked")
    revoked_at = time.monotonic()
    assert await poll(statuses, lambda seen: seen == {401}) == {401}
    assert time.monotonic() - revoked_at < TOKEN_CACHE_TTL / 1000 / 2


async def test_workers_that_are_stopped_while_they_start_leave_with_0(
    new_server: StartServer, postgresql_url: str
) -> None:
    """They have no handlers of signals yet, and SIGTERM ends them at once."""
    server = new_server(postgresql_url)
    await server.start("--workers", str(WORKERS))
    await wait_until(lambda: len(children(server.pid)) >= 1)

    assert await server.stop() == 0


async def test_workers_do_not_outlive_a_parent_that_was_killed(served: tuple[Server, str]) -> None:
    server, _ = served
    workers = children(server.pid)
    await server.kill()
    await wait_until(lambda: not any(map(runs, workers)))


async def test_a_sqlite_file_has_one_bridge_at_a_time(new_server: StartServer, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'one.db'}"
    engine = open_engine(url)
    migrate(engine)
    engine.dispose()
    first, second = new_server(url), new_server(url)
    await first.start()
    with pytest.raises(AssertionError, match=r"status 69: Another bridge serves .*one\.db\. SQLite has one writing"):
        await second.start()
    await first.kill()
    await second.start()


async def test_a_sqlite_file_takes_no_workers(new_server: StartServer, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="status 78: --workers needs PostgreSQL"):
        await new_server(f"sqlite:///{tmp_path / 'one.db'}").start("--workers", "2")


async def _commits_counted(http: aiohttp.ClientSession, server: Server) -> tuple[int, int]:
    """Return how many commits `/metrics` shows, and how many workers."""
    async with http.get(f"{server.url}/metrics") as response:
        lines = dict(line.rsplit(" ", 1) for line in (await response.text()).splitlines() if not line.startswith("#"))
    commits = [float(count) for name, count in lines.items() if name.startswith("scorm_bridge_commits_total{")]
    return int(sum(commits)), int(float(lines["scorm_bridge_workers"]))


async def test_metrics_are_of_all_workers_and_stay_when_one_dies(served: tuple[Server, str]) -> None:
    server, token = served
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as http:

        async def counted() -> tuple[int, int]:
            return await _commits_counted(http, server)

        assert (await poll(counted, lambda now: now == (0, WORKERS))) == (0, WORKERS)
        await asyncio.gather(*(commit(http, server, token, number, 1) for number in range(20)))
        # as many as the workers have told each other of, whichever of them is asked
        for _ in range(5):
            assert (await poll(counted, lambda now: now == (20, WORKERS))) == (20, WORKERS)
        ended = min(children(server.pid))
        os.kill(ended, signal.SIGTERM)
        await wait_until(lambda: not runs(ended))
        assert (await poll(counted, lambda now: now[0] == 20))[0] == 20
        await wait_until(lambda: len(children(server.pid)) == WORKERS)
        assert (await poll(counted, lambda now: now == (20, WORKERS))) == (20, WORKERS)
