"""The commands and programs of each page are run from its first block to its last, against a real bridge and LRS.

`tests.documentation.example_site` has the convention that makes this possible.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.documentation import command_server
from tests.documentation.blocks import PAGES, ROOT, Block, blocks
from tests.documentation.example_site import ExampleSite, free_port, play, prepare, refuse_babbage
from tests.support.lrs import serve_lrs

STARTS_ITS_OWN = re.compile(r"^(?:make run|scorm-bridge (?:serve|sandbox))\b", re.MULTILINE)
REQUEST = re.compile(r"(?P<method>GET|POST|PUT) (?P<path>/\S*)")
"""The title of a block that is the body of a request."""
RESPONSE, OUTPUT = "Response", "Output"
"""Titles of blocks that say what the block before them prints."""
PREAMBLE = """\
set -euo pipefail
curl() {{ command curl --silent --show-error --fail-with-body "$@"; }}
make() {{ if [ "$1" = run ]; then scorm-bridge sandbox --port {port} --lrs-port {lrs_port};
  else command make --dry-run --directory {root} "$@" >/dev/null; fi; }}
"""
RUN_PAGES = [
    page for page in PAGES if any(block.is_tested and block.language in {"bash", "python"} for block in blocks(page))
]


@pytest.fixture(scope="session")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a `scorm-bridge` that answers at once."""
    folder = tmp_path_factory.mktemp("commands")
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.documentation.command_server", folder / "socket"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert server.stdout is not None
    assert server.stdout.readline() == b"ready\n"
    command_server.install(folder, folder / "socket")
    (folder / "python3").symlink_to(sys.executable)
    yield folder
    os.killpg(server.pid, signal.SIGKILL)
    server.communicate()


@pytest.mark.parametrize("page", RUN_PAGES, ids=lambda page: str(page.relative_to(ROOT)))
async def test_what_a_page_says_to_run_runs(page: Path, commands: Path, tmp_path: Path, sqlite_template: Path) -> None:
    steps = [block for block in blocks(page) if block.is_tested]
    own = any(STARTS_ITS_OWN.search(block.text) for block in steps if block.language == "bash")
    async with serve_lrs(refuse_babbage) as lrs:
        site = ExampleSite(tmp_path, free_port(), lrs.server.port or 0, free_port())
        variables = {} if own else prepare(site, sqlite_template)
        environment = {
            "PATH": f"{commands}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "SERVICE_LOG": str(tmp_path / "service.log"),
            "SCORM_BRIDGE_SERVER__PORT": str(site.port),
            "LRS_PASSWORD": "secret",
        }
        if not own:
            await _run(["scorm-bridge", "serve"], site, environment)
            variables |= await play(site, lrs, variables["TOKEN"])
        script = _script(steps, site, variables)
        (tmp_path / "page.sh").write_text(script, encoding="utf-8")
        status, output = await _run(["bash", "page.sh"], site, environment)
    assert status == 0, output
    _check_outputs(steps, tmp_path)


async def _run(command: list[str], site: ExampleSite, environment: dict[str, str]) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=site.folder, env=environment, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    output, _ = await process.communicate()
    return process.returncode, output.decode()


def _script(steps: list[Block], site: ExampleSite, variables: dict[str, str]) -> str:
    """Return a script of all blocks that are run, each with its output in a file of its own."""
    lines = [PREAMBLE.format(port=site.port, lrs_port=site.sandbox_lrs_port, root=ROOT)]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    for block in steps:
        text = site.resolve(block.text)
        lines.append(f"# {block.place}")
        if block.language == "bash":
            lines += [f"echo {block.place} >&2", "{", text, f"}} >{_output(block)}"]
        elif block.language == "python":
            lines += [f"echo {block.place} >&2", f"python3 - >{_output(block)} <<'END'", text, "END"]
        elif request := REQUEST.fullmatch(block.title):
            address = f'-X {request["method"]} {site.url}{request["path"]} -H "Authorization: Bearer $TOKEN"'
            lines += [f"echo {block.place} >&2", f"curl {address} --data {shlex.quote(text)} >{_output(block)}"]
        elif re.fullmatch(r"[\w-]+\.\w+", block.title):
            lines += [f"cat >{block.title} <<'END'", text, "END"]
    return "\n".join(lines)


def _output(block: Block) -> str:
    return f"output-{block.line}"


def _check_outputs(steps: list[Block], folder: Path) -> None:
    """Compare what blocks said that those before them print."""
    for before, block in pairwise(steps):
        if block.title in {RESPONSE, OUTPUT}:
            printed = (folder / _output(before)).read_text(encoding="utf-8")
            if block.title == RESPONSE:
                difference = _difference(json.loads(block.text), json.loads(printed), "")
                assert difference is None, f"{block.place}: {difference}"
            else:
                _check_lines(block, printed)


def _difference(shown: Any, actual: Any, place: str) -> str | None:
    """Return where JSON is not as shown; `…` stands for anything, ids and times for other ones."""
    if isinstance(shown, dict) and isinstance(actual, dict):
        missing = shown.keys() - actual.keys() - {"…"}
        if missing:
            return f"{place} has no {missing}"
        found = (_difference(shown[key], actual[key], f"{place}.{key}") for key in shown if key != "…")
        return next(filter(None, found), None)
    if isinstance(shown, list) and isinstance(actual, list):
        items = [item for item in shown if item != "…"]
        if len(actual) < len(items) or ("…" not in shown and len(actual) != len(items)):
            return f"{place} has {len(actual)} items"
        found = (_difference(item, actual[index], f"{place}[{index}]") for index, item in enumerate(items))
        return next(filter(None, found), None)
    if isinstance(shown, str) and isinstance(actual, str):
        return None if re.fullmatch(_pattern(shown), actual) else f"{place} is {actual!r}"
    return None if shown == actual else f"{place} is {actual!r}"


def _pattern(shown: str) -> str:
    """Return the pattern of text in which `…` stands for anything, and ids and times for other ones."""
    uuid = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z?"
    parts = re.split(f"(…|{uuid}|{time})", shown)
    patterns = {"…": ".*"}
    return "".join(
        patterns.get(part, uuid if re.fullmatch(uuid, part) else time) if index % 2 else re.escape(part)
        for index, part in enumerate(parts)
    )


def _check_lines(block: Block, printed: str) -> None:
    """Look for each line of a block in what was printed, in that order; how wide spaces are does not matter."""
    lines = iter(" ".join(line.split()) for line in printed.splitlines())
    for shown in filter(None, map(str.strip, block.text.splitlines())):
        pattern = _pattern(" ".join(shown.split()))
        assert any(re.fullmatch(pattern, line) for line in lines), f"{block.place}: {shown!r} is not in\n{printed}"
