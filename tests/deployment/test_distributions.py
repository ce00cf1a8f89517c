"""Wheel and source distribution: complete, and running where there is nothing but Python."""

from __future__ import annotations

import json
import re
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiohttp import ClientSession

from tests.deployment.conftest import ROOT, Distributions, run
from tests.support.server import free_port

PLAYER = "bridge/sandbox/player/node_modules/scorm-again"


def test_the_wheel_has_the_files_of_the_packages_and_the_player_with_its_licence(distributions: Distributions) -> None:
    with zipfile.ZipFile(distributions.wheel) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        licence = wheel.read(f"{PLAYER}/LICENSE").decode()
    listed = ("git", "ls-files", "--cached", "--others", "--exclude-standard", "bridge", "mappings", "storage")
    player = {f"{PLAYER}/dist/scorm-again.min.js", f"{PLAYER}/LICENSE"}

    assert names == {name for name in run(*listed).splitlines() if (ROOT / name).is_file()} | player
    assert "Permission is hereby granted" in licence


def test_the_player_is_the_release_that_the_lock_of_npm_names(distributions: Distributions) -> None:
    lock = json.loads((ROOT / "bridge/sandbox/player/package-lock.json").read_text(encoding="utf-8"))
    installed = json.loads((ROOT / PLAYER / "package.json").read_text(encoding="utf-8"))
    assert installed["version"] == lock["packages"]["node_modules/scorm-again"]["version"]
    with zipfile.ZipFile(distributions.wheel) as wheel:
        player = wheel.read(f"{PLAYER}/dist/scorm-again.min.js")
    assert player == (ROOT / PLAYER / "dist/scorm-again.min.js").read_bytes()


def test_the_source_distribution_has_what_builds_runs_and_explains_the_bridge(distributions: Distributions) -> None:
    with tarfile.open(distributions.sdist) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}

    for name in ("pyproject.toml", "hatch_build.py", "requirements.lock", "LICENSE", "README.md", "docs/operations.md"):
        assert name in names
    assert not [name for name in names if name.startswith((".", "tests/")) and name != ".gitignore"]


@contextmanager
def _sandbox(installed: Path, directory: Path) -> Iterator[tuple[str, str]]:
    """Run the installed sandbox, where no other program can be found, and return its two addresses."""
    ports = str(free_port()), str(free_port())
    process = subprocess.Popen(
        [installed / "scorm-bridge", "sandbox", "--port", ports[0], "--lrs-port", ports[1]],
        cwd=directory,
        env={"PATH": "", "HOME": str(directory)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        words = ""
        for line in process.stdout:
            words += line
            if "/audit/ " in line:
                break
        assert "play the sample course" in words, words
        yield f"http://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}"
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode == 0


async def test_the_installed_sandbox_serves_its_pages_and_the_player_without_node(
    installed: Path, tmp_path: Path
) -> None:
    with _sandbox(installed, tmp_path) as (bridge, lrs):
        async with ClientSession() as client:
            for address in (f"{bridge}/sandbox/", f"{lrs}/", f"{bridge}/audit/sign-in", f"{bridge}/openapi.json"):
                async with client.get(address) as response:
                    assert response.status == 200, address
            launch = f"{bridge}/sandbox/launch?version=2004&learner=Ada"
            async with client.get(launch) as response:
                page = await response.text()
            for address in re.findall(r'(?:src|href)="(/[^"]+[.](?:js|css|svg))"', page):
                async with client.get(f"{bridge}{address}") as response:
                    assert response.status == 200, address

    assert {path.name for path in (tmp_path / ".run").iterdir()} >= {"scorm-bridge.db", "sandbox.json"}


def test_the_installed_command_says_its_release(installed: Path, tmp_path: Path) -> None:
    assert re.fullmatch(r"scorm-bridge, version \d+\.\d+\.\d+\n", run(installed / "scorm-bridge", "--version"))
