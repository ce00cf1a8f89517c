"""Requests that are torn in the middle of a secret: nothing of it reaches the log, whose every line stays JSON."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress

import aiohttp

from tests.attack.load import Learner
from tests.support.server import StartServer

CANARY = "canary7c1e"
COMMIT_TOKEN = f"69c31f80.{CANARY}{'x' * 33}"
TORN = [
    f"POST /v1/sessions/x/commits?token={COMMIT_TOKEN}\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
    f"POST /v1/sessions/x/commits?token={COMMIT_TOKEN} HTTP/9\r\nHost: x\r\n\r\n",
    f"POST /v1/sessions/x/commits?token={COMMIT_TOKEN * 200} HTTP/1.1\r\nHost: x\r\n\r\n",
    f"P\x01ST /v1/sessions/x/commits?token={COMMIT_TOKEN} HTTP/1.1\r\n\r\n",
    f"GET / HTTP/1.1\r\nAuthorization : Bearer sxb_{CANARY}\r\n\r\n",
    f"GET / HTTP/1.1\r\nAuthorization: Bearer sxb_{CANARY}\x00\r\n\r\n",
    f"GET / HTTP/1.1\r\nAuthorization: Bearer sxb_{CANARY}\nX\r\r\n\r\n",
    f"GET / HTTP/1.1\r\nHost: x\r\nCookie: session={CANARY}\x07\r\n\r\n",
    f"GET / HTTP/1.1\r\nHost: x\r\nsxb_{CANARY}: {CANARY}\x07\r\n\r\n",
    f"POST /v1/commits HTTP/1.1\r\nContent-Length: sxb_{CANARY}\r\n\r\n",
    f"POST /v1/commits HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nsxb_{CANARY}\r\n",
    f"sxb_{CANARY}\r\n\r\n",
    f"\x16\x03\x01{CANARY}\r\n\r\n",
]


async def test_requests_torn_in_a_secret_leave_nothing_of_it_in_the_log(
    new_server: StartServer, sqlite_url: str
) -> None:
    server = new_server(sqlite_url, server="header_timeout = 1\n", sections='[log]\nformat = "json"\nlevel = "debug"\n')
    token = server.new_token()
    await server.start()
    answers = b""
    for torn in TORN:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(torn.encode("latin-1"))
        with suppress(ConnectionError):
            async with asyncio.timeout(30):
                answers += await reader.read()
        writer.close()
    async with aiohttp.ClientSession() as session:
        await Learner(server, token, "u1").commit(session)
    assert await server.stop() == 0

    lines = [json.loads(line) for line in server.log.splitlines()]
    assert sum(line["event"] == "request_unreadable" for line in lines) >= len(TORN) - 3
    print(f"{len(TORN)} torn requests, {len(lines)} lines, 0 secrets")
    assert CANARY not in server.log
    assert token not in server.log
    assert CANARY.encode() not in answers
