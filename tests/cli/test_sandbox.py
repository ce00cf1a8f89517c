"""`scorm-bridge sandbox`: whoever starts it can look at everything at once, and again after the next start."""

from __future__ import annotations

import json
import re
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession, CookieJar

from tests.cli.conftest import SCRIPT, Script
from tests.support.browser import Visitor
from tests.support.server import free_port


@pytest.fixture
def ports() -> tuple[str, str]:
    """Ports of the bridge and of the LRS."""
    return str(free_port()), str(free_port())


@contextmanager
def _sandbox(ports: tuple[str, str]) -> Iterator[str]:
    """Run a sandbox until the block ends; return what it says until it tells the address of the audit pages."""
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
            if "/audit/ " in line:
                break
        yield words
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _credentials(words: str) -> tuple[str, str]:
    """Return the token and the password that were told."""
    token, password = re.search(r"Bearer (\S+)'", words), re.search(r"name sandbox, password (\S+)\n", words)
    assert token is not None, words
    assert password is not None, words
    return token[1], password[1]


def _kept() -> tuple[dict[str, str], int]:
    """Return what the sandbox keeps of its credentials, and who may read it."""
    file = Path(".run/sandbox.json")
    return json.loads(file.read_bytes()), stat.S_IMODE(file.stat().st_mode)


async def _audit_log(origin: str, password: str) -> str:
    """Sign in and return the page of the audit log."""
    async with ClientSession(f"{origin}/", cookie_jar=CookieJar(unsafe=True)) as client:
        person = Visitor(client)
        assert (await person.sign_in("sandbox", password)).status == 303
        return await person.text("/audit/log")


async def _post(origin: str, token: str) -> int:
    """Post a commit and return the status of the answer."""
    body = {"learner": {"id": "u42"}, "scorm_version": "1.2", "cmi_data": {"core": {"lesson_status": "passed"}}}
    async with (
        ClientSession() as client,
        client.post(
            f"{origin}/scorm/progress/235/", json=body, headers={"Authorization": f"Bearer {token}"}
        ) as response,
    ):
        return response.status


async def test_the_token_and_the_password_it_tells_are_the_same_at_each_start(ports: tuple[str, str]) -> None:
    origin = f"http://127.0.0.1:{ports[0]}"
    with _sandbox(ports) as first:
        token, password = _credentials(first)
        assert await _post(origin, token) == 200
    with _sandbox(ports) as second:
        assert _credentials(second) == (token, password)
        assert await _post(origin, token) == 200
        log = await _audit_log(origin, password)

    assert ("make-account" in log, "change-password" in log) == (True, False)


async def test_what_it_cannot_use_any_more_it_makes_anew(ports: tuple[str, str], script: Script) -> None:
    origin = f"http://127.0.0.1:{ports[0]}"
    with _sandbox(ports) as first:
        revoked, _ = _credentials(first)
    url = "sqlite:///.run/scorm-bridge.db"
    script("tokens", "revoke", "1", "--reason", "leaked", SCORM_BRIDGE_DATABASE__URL=url).check_returncode()
    with _sandbox(ports) as second:
        token, password = _credentials(second)
        assert (token == revoked, await _post(origin, token)) == (False, 200)
        assert "change-password" in await _audit_log(origin, password)

    assert _kept() == ({"token": token, "password": password}, 0o600)


def test_it_tells_its_addresses_last_once_they_can_be_opened(ports: tuple[str, str]) -> None:
    with _sandbox(ports) as words:
        lines = words.splitlines()
    addresses = [f"http://127.0.0.1:{ports[0]}/sandbox/", f"http://127.0.0.1:{ports[1]}/",
                 f"http://127.0.0.1:{ports[0]}/audit/"]  # fmt: skip

    assert [line.split()[0] for line in lines[-3:]] == addresses
    assert any("listens on" in line for line in lines[:-3])


async def test_its_pages_link_to_each_other(ports: tuple[str, str]) -> None:
    sandbox, audit = (f"http://127.0.0.1:{ports[0]}/{name}/" for name in ("sandbox", "audit"))
    lrs = f"http://127.0.0.1:{ports[1]}/"
    with _sandbox(ports):
        async with ClientSession() as client:
            for address, others in ((sandbox, (lrs, audit)), (lrs, (sandbox, audit))):
                async with client.get(address) as response:
                    page = await response.text()
                assert [other for other in others if f'href="{other}"' not in page] == [], address
