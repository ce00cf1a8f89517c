"""The unit of systemd: systemd finds no fault in it, it is closed to what the bridge does not need, and it is told."""

from __future__ import annotations

import asyncio
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext as does_not_raise
from pathlib import Path

import pytest
from click.testing import CliRunner

from bridge.cli import main
from bridge.cli.exit_codes import ExitCode
from tests.deployment.conftest import ROOT, run
from tests.support.server import Server, StartServer

UNIT = ROOT / "deploy/systemd/scorm-bridge.service"
TEXT = UNIT.read_text(encoding="utf-8")
INSTALLED = "/opt/scorm-bridge/bin/"
MAX_EXPOSURE = 15
"""Tenths, of 100; below 20 is what systemd calls OK."""
DEADLINE = 30

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing: the unit is not held against systemd"
)


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit, for a bridge that is installed where the tests run."""
    copy = tmp_path / UNIT.name
    copy.write_text(TEXT.replace(INSTALLED, f"{Path(sys.executable).parent}/"), encoding="utf-8")
    return copy


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """What listens to the service as systemd does."""
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(address))
        listener.settimeout(0)
        monkeypatch.setenv("NOTIFY_SOCKET", str(address))
        yield listener


async def _message(manager: socket.socket) -> bytes:
    async with asyncio.timeout(DEADLINE):
        return await asyncio.get_running_loop().sock_recv(manager, 100)


@needs_systemd
def test_systemd_finds_no_fault_in_the_unit(unit: Path) -> None:
    check = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False)

    assert (check.returncode, [line for line in check.stderr.splitlines() if UNIT.name in line]) == (0, [])


@needs_systemd
def test_the_unit_is_closed_to_what_the_bridge_does_not_need(unit: Path) -> None:
    with does_not_raise():
        run("systemd-analyze", "security", "--offline=true", f"--threshold={MAX_EXPOSURE}", "--no-pager", unit)


def test_the_unit_runs_commands_that_there_are() -> None:
    commands = re.findall(rf"^ExecStart(?:Pre)?={INSTALLED}(.*)$", TEXT, re.MULTILINE)
    assert [shlex.split(command)[-1] for command in commands] == ["migrate", "serve"]
    for command in commands:
        name, option, _, *rest = shlex.split(command)
        assert (name, option) == ("scorm-bridge", "--config"), command
        assert CliRunner().invoke(main, [*rest, "--help"]).exit_code == 0, command


def test_the_unit_is_not_restarted_where_that_would_not_help() -> None:
    (codes,) = re.findall(r"^RestartPreventExitStatus=(.*)$", TEXT, re.MULTILINE)

    assert {int(code) for code in codes.split()} == {ExitCode.USAGE, ExitCode.CONFIG}


async def test_the_service_says_when_it_is_ready_and_when_it_stops(
    new_server: StartServer, sqlite_url: str, manager: socket.socket
) -> None:
    server: Server = new_server(sqlite_url)
    await server.start()
    assert await _message(manager) == b"READY=1"
    server.signal()
    assert await _message(manager) == b"STOPPING=1"
    assert await server.ended() == 0


async def test_several_processes_speak_with_one_voice(
    new_server: StartServer, postgresql_url: str, manager: socket.socket
) -> None:
    server: Server = new_server(postgresql_url)
    await server.start("--workers", "2")
    await server.says("started")
    assert await server.stop() == 0
    assert await _message(manager) == b"READY=1"
    with pytest.raises(BlockingIOError):
        manager.recv(100)


async def test_a_manager_that_is_gone_changes_nothing(
    new_server: StartServer, sqlite_url: str, manager: socket.socket
) -> None:
    manager.close()
    server: Server = new_server(sqlite_url)
    await server.start()

    assert await server.stop() == 0
