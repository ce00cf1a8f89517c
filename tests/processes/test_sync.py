"""Each answer comes after the disk was synced, as the kernel sees it."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import aiohttp
import pytest

from tests.support.server import StartServer

COMMITS = 50


async def test_every_lone_commit_is_synced_before_it_is_answered(
    new_server: StartServer, sqlite_url: str, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """One after the other, no two commits share a sync: there are as many syncs as answers, at least."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.fail("this test asks the kernel through strace; `make test-tools` installs it")
    server = new_server(sqlite_url)
    token = server.new_token()
    await server.start()
    log = tmp_path / "strace"
    tracing = await asyncio.create_subprocess_exec(
        strace, "-f", "-e", "trace=fdatasync,fsync,sendto,write", "-e", "signal=none", "-o", log, "-p", str(server.pid),
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert tracing.stderr is not None
    async with asyncio.timeout(30):
        while b"attached" not in await tracing.stderr.readline():
            pass
    for number in range(COMMITS):
        body = {"learner": {"id": "u1"}, "activity": {"id": "1"}, "cmi": {"core": {"lesson_location": str(number)}}}
        headers = {"Authorization": f"Bearer {token}"}
        async with http.post(f"{server.url}/v1/commits", json=body, headers=headers) as response:
            assert response.status == 200, number
            await response.read()
    tracing.terminate()
    await tracing.wait()
    synced = answers = 0
    for line in log.read_text(errors="replace").splitlines():
        if ("sync(" in line and "unfinished" not in line) or "sync resumed" in line:
            synced += 1
        elif "HTTP/1.1 200" in line:
            answers += 1
            assert synced >= answers, "an answer went out before its sync"

    assert answers == COMMITS
