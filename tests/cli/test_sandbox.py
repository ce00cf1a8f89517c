"""`scorm-bridge sandbox`: whoever starts it can look at everything at once."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import ClientSession, CookieJar

from tests.cli.conftest import SCRIPT
from tests.support.browser import Visitor


@contextmanager
def _sandbox() -> Iterator[str]:
    """Run a sandbox until the block ends; return what it says before it listens."""
    ports = []
    for _ in range(2):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            ports.append(str(listener.getsockname()[1]))
    process = subprocess.Popen(
        [SCRIPT, "sandbox", "--port", ports[0], "--lrs-port", ports[1]],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    words = ""
    try:
        for line in process.stdout:
            words += line
            if "listens on" in line:
                break
        yield words
    finally:
        process.terminate()
        process.communicate(timeout=30)


async def _signs_in(words: str) -> str:
    """Sign in with what was said; return the trail."""
    match = re.search(r"(http://\S+)/audit/ .*; name (\S+), password (\S+)\n", words)
    assert match is not None, words
    origin, name, password = match.groups()
    async with ClientSession(f"{origin}/", cookie_jar=CookieJar(unsafe=True)) as client:
        person = Visitor(client)
        assert (await person.sign_in(name, password)).status == 303
        return await person.text("/audit/log")


async def test_it_says_how_to_see_the_audit_pages_whenever_it_is_started() -> None:
    with _sandbox() as words:
        assert "make-account" in await _signs_in(words)
    with _sandbox() as again:
        assert "change-password" in await _signs_in(again)
    assert words != again
