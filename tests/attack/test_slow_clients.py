"""Clients that keep the bridge waiting, by the hundred: each is sent away in time, and nobody else notices much."""

from __future__ import annotations

import asyncio
import json
import resource
import time
from collections.abc import Iterator
from contextlib import suppress

import aiohttp
import pytest

from tests.attack.load import Learner, Usage, open_descriptors, percentile, play, play_for, stored_commits
from tests.support.server import StartServer

HANG = 60
"""Seconds beyond its deadline after which a connection counts as never closed."""
EACH = 500
"""Attackers of each kind."""
SHORT = "header_timeout = 2\nbody_timeout = 3\nkeep_alive_timeout = 4\nmax_connections = 2000\n"
DEFAULTS = "max_connections = 2000\n"


@pytest.fixture(autouse=True)
def descriptors() -> Iterator[None]:
    """Let this process have as many sockets as it may."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def attack(port: int, first: bytes, drip: bytes, *, after: float) -> tuple[float, bytes]:
    """Connect, send, and then a little every second; return after how many seconds it was closed, with which words."""
    await asyncio.sleep(after)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    begun, words = time.perf_counter(), b""
    writer.write(first)
    with suppress(ConnectionError):
        while True:
            try:
                async with asyncio.timeout(1):
                    part = await reader.read(4096)
            except TimeoutError:
                if drip:
                    writer.write(drip)
                continue
            if not part:
                break
            words += part
    took = time.perf_counter() - begun
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
    return took, words


async def test_slow_heads_slow_bodies_and_silence_are_ended_in_time_and_honest_clients_go_on(
    new_server: StartServer, sqlite_url: str, *, is_full: bool
) -> None:
    server = new_server(sqlite_url, server=DEFAULTS if is_full else SHORT.replace("", ""))
    token = server.new_token()
    await server.start()
    learners = [Learner(server, token, f"u{number}") for number in range(5)]
    alone = await play_for(learners, 60 if is_full else 4)
    before = open_descriptors(server.pid)
    head = f"POST /v1/commits HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
    kinds = {
        "slow header": (head.encode(), b"X"),
        "slow body": (f"{head}Content-Length: 1000\r\n\r\n{{".encode(), b" "),
        "silent": (b"", b""),
    }
    usage, stopped = Usage(server.pid), asyncio.Event()
    watching = asyncio.create_task(usage.watch())
    playing = asyncio.create_task(play(learners, stopped))
    closed: dict[str, list[tuple[float, bytes]]] = {}

    async def wave(name: str) -> None:
        first, drip = kinds[name]
        # a little apart: the honest clients share this process, which is not what is measured
        closed[name] = await asyncio.gather(
            *(attack(server.port, first, drip, after=number * 0.002) for number in range(EACH))
        )

    async with asyncio.timeout(HANG + (30 if is_full else 3)):
        await asyncio.gather(*(wave(name) for name in kinds))
    if is_full:  # again and again, so that honest commits are measured under attack for a minute
        for _ in range(3):
            async with asyncio.timeout(HANG + 30):
                await asyncio.gather(*(wave(name) for name in kinds))
    stopped.set()
    attacked = await playing
    async with asyncio.timeout(HANG):
        await usage.until(lambda: open_descriptors(server.pid) <= before + len(learners))
    usage.stop()
    await watching

    for name, ends in closed.items():
        took = sorted(seconds for seconds, _ in ends)
        print(f"{len(took)} x {name}: closed after {took[len(took) // 2]:.1f} s (p50), {took[-1]:.1f} s (all)")
    print(
        f"5 honest clients: p50 {percentile(alone, 0.5):.1f} ms, p99 {percentile(alone, 0.99):.1f} ms alone "
        f"({len(alone)} commits); p50 {percentile(attacked, 0.5):.1f} ms, p99 {percentile(attacked, 0.99):.1f} ms "
        f"under attack ({len(attacked)} commits); at most {usage.descriptors} descriptors"
    )

    assert {name: len(ends) for name, ends in closed.items()} == dict.fromkeys(kinds, EACH)
    for name in kinds:  # what a client sends at the last moment may take the words away from it
        assert any(words.startswith(b"HTTP/1.1 408 ") for _, words in closed[name]), name
    assert usage.descriptors > 3 * EACH, "the attack was never open all at once"
    assert stored_commits(sqlite_url) == sum(learner.commits for learner in learners)
    assert await server.stop() == 0


async def test_more_silent_connections_than_descriptors_shut_nobody_out(
    new_server: StartServer, sqlite_url: str
) -> None:
    server = new_server(sqlite_url, descriptors=1024, sections='[log]\nformat = "json"\n')
    token = server.new_token()
    await server.start()
    silent = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(1100)]
    usage = Usage(server.pid)
    usage.look()
    learner, took = Learner(server, token, "u1"), []
    async with asyncio.timeout(HANG):
        for _ in range(20):  # each on a connection of its own, while the attack goes on
            silent += [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(20)]
            async with aiohttp.ClientSession() as session:
                took.append(await learner.commit(session))
            usage.look()
    took.sort()
    print(
        f"{len(silent)} silent connections, {usage.descriptors} descriptors of 1024: "
        f"commits on new connections p50 {percentile(took, 0.5):.1f} ms, all {percentile(took, 1):.1f} ms"
    )
    for _, writer in silent:
        writer.close()
    await server.says("connections_ended")
    assert await server.stop() == 0
    events = {event["event"]: event for event in map(json.loads, server.log.splitlines())}
    assert events["max_connections_lowered"]["to"] < 1000
    assert events["connections_ended"]["evicted"] > 0
    assert usage.descriptors <= 1024
