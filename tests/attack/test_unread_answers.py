"""Clients that ask and never read: the bridge stops reading from them, and its memory stays what it was."""

from __future__ import annotations

import asyncio
import select
import socket

import aiohttp
import msgspec

from tests.attack.load import Learner, Usage, resident_memory, stored_commits
from tests.support.server import StartServer

HANG = 240
"""Seconds after which something counts as never happening."""
MIB = 1024 * 1024
NO_BUDGETS = "".join(f"[limits.{scope}]\ncommits = 0\nmib = 0\n" for scope in ("session", "learner", "lms"))
"""Or most of what is asked for would be refused in a few words."""


def request(token: str, body: object) -> bytes:
    """Return a commit as it goes over the wire."""
    content = msgspec.json.encode(body)
    head = f"POST /v1/commits HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


def commit(learner: str, **cmi: object) -> dict[str, object]:
    """Return a commit that has the same sequence as all others of its learner: only the first one is applied."""
    return {"learner": {"id": learner}, "activity": {"id": "1"}, "sequence": 1, "cmi": cmi}


async def large_answer(url: str, token: str, learner: str) -> int:
    """Make a commit whose answer, which each duplicate gets again, is as large as one can be; return its bytes."""
    interactions = [{"id": f"q{number}" * 20, "type": "fill-in", "student_response": "x"} for number in range(2000)]
    body = commit(learner, core={"lesson_location": "\x01" * 64_000}, interactions=interactions)
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/v1/commits", json=body, headers={"Authorization": f"Bearer {token}"}) as response,
    ):
        assert response.status == 200
        return len(await response.read())


async def never_reading(port: int) -> socket.socket:
    """Connect with a window of a few kilobytes, so that what is not read soon waits at the server."""
    client = socket.socket()
    client.settimeout(0)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", port))
    return client


async def given_up(*clients: socket.socket) -> bool:
    """Wait until the server has cut one of the connections off."""
    poll = select.poll()
    for client in clients:
        poll.register(client, select.POLLERR | select.POLLHUP)
    return bool(await asyncio.to_thread(poll.poll, HANG * 1000))


async def test_a_client_that_never_reads_is_read_from_no_longer_and_costs_no_memory(
    new_server: StartServer, sqlite_url: str
) -> None:
    server = new_server(sqlite_url, server="write_timeout = 3\n")
    token = server.new_token()
    await server.start()
    size = await large_answer(server.url, token, "mallory")
    usage, before = Usage(server.pid), resident_memory(server.pid)
    watching = asyncio.create_task(usage.watch())
    count, duplicate = 1000, request(token, commit("mallory", suspend_data="y"))
    with await never_reading(server.port) as client:
        sending = asyncio.create_task(asyncio.get_running_loop().sock_sendall(client, duplicate * count))
        assert await given_up(client)
        await asyncio.gather(sending, return_exceptions=True)
    handled = stored_commits(sqlite_url) - 1
    usage.stop()
    await watching

    print(
        f"{count} unread answers of {size:,} bytes asked for with {count * len(duplicate):,} bytes over one "
        f"connection: {handled} handled, memory {before / MIB:.0f} -> {usage.memory / MIB:.0f} MiB"
    )
    assert 0 < handled < count / 4
    assert usage.memory - before < 32 * MIB
    async with aiohttp.ClientSession() as session:
        await Learner(server, token, "honest").commit(session)
    assert await server.stop() == 0


async def test_many_clients_that_never_read_cost_no_more_memory_than_is_set_aside(
    new_server: StartServer, sqlite_url: str, *, is_full: bool
) -> None:
    count, limit = (300, 8) if is_full else (60, 1)
    each = 200  # the system itself holds some megabytes back for each
    server = new_server(
        sqlite_url,
        server=f"max_unread_bytes = {limit * MIB}\nmax_connections = {count + 10}\nwrite_timeout = 600\n",
        sections=NO_BUDGETS,
    )
    token = server.new_token()
    await server.start()
    size = await large_answer(server.url, token, "mallory")
    usage, before = Usage(server.pid), resident_memory(server.pid)
    watching = asyncio.create_task(usage.watch())
    burst = request(token, commit("mallory", suspend_data="y")) * each
    clients = [await never_reading(server.port) for _ in range(count)]
    learner = Learner(server, token, "honest")
    async with aiohttp.ClientSession() as session:
        for client in clients:
            await asyncio.get_running_loop().sock_sendall(client, burst)
            await asyncio.sleep(0)
        for _ in range(20):
            await learner.commit(session)
        assert await given_up(*clients)
        await server.says("connections_ended")
        await learner.commit(session)
    usage.stop()
    await watching

    print(
        f"{count} clients with {each * size:,} bytes of unread answers each: "
        f"memory {before / MIB:.0f} -> {usage.memory / MIB:.0f} MiB, {limit} MiB set aside"
    )
    assert "unread" in server.log
    # what is being answered comes on top, and what the allocator keeps
    assert usage.memory - before < (2 * limit + 64) * MIB
    for client in clients:
        client.close()
    assert await server.stop() == 0
