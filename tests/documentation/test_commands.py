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

import pytest

from tests.documentation import command_server
from tests.documentation.blocks import PAGES, ROOT, RUN, Block, blocks
from tests.documentation.example_site import ExampleSite, play, prepare, refuse_babbage
from tests.documentation.outputs import json_difference, line_difference
from tests.support.lrs import serve_lrs
from tests.support.server import free_port

STARTS_ITS_OWN = re.compile(r"^(?:make run|scorm-bridge (?:serve|sandbox))\b", re.MULTILINE)
PASTE = "'paste the token here'"
"""In blocks: the token that `make run` prints, which people copy from there."""
PASTED = """$(until grep -om1 'Bearer [A-Za-z0-9_-]*' "$SERVICE_LOG"; do sleep 0.02; done | cut -d' ' -f2)"""
"""The same as a shell reads it: it may come a moment after the bridge listens."""
REQUEST = re.compile(r"(?P<method>GET|POST|PUT) (?P<path>/\S*)")
"""The title of a block that is the body of a request."""
FILE = re.compile(r"(?P<name>[\w-]+\.\w+)(?P<added>, added)?")
"""The title of a block that is a file, or that is added to one."""
RESPONSE, OUTPUT = "Response", "Output"
"""Titles of blocks that say what the block before them prints."""
PREAMBLE = """\
set -euo pipefail
curl() {{ case " $* " in *" --fail "*) command curl "$@";; *) command curl --show-error --fail-with-body "$@";; esac; }}
make() {{ if [ "$1" = run ]; then scorm-bridge sandbox --port {port} --lrs-port {lrs_port};
  else command make --dry-run --directory {root} "$@" >/dev/null; fi; }}
"""


def _is_run(block: Block) -> bool:
    return block.is_tested and (block.language in RUN or REQUEST.fullmatch(block.title) is not None)


RUN_PAGES = [page for page in PAGES if any(_is_run(block) for block in blocks(page))]


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
        text = site.resolve(block.text).replace(PASTE, PASTED)
        lines.append(f"# {block.place}")
        if block.language == "bash":
            lines += [f"echo {block.place} >&2", "{", text, f"}} >{_output(block)}"]
        elif block.language == "python":
            lines += [f"echo {block.place} >&2", f"python3 - >{_output(block)} <<'END'", text, "END"]
        elif request := REQUEST.fullmatch(block.title):
            address = f'-X {request["method"]} {site.url}{request["path"]} -H "Authorization: Bearer $TOKEN"'
            lines += [f"echo {block.place} >&2", f"curl {address} --data {shlex.quote(text)} >{_output(block)}"]
        elif file := FILE.fullmatch(block.title):
            lines += [f"cat {'>>' if file['added'] else '>'}{file['name']} <<'END'", text, "END"]
    return "\n".join(lines)


def _output(block: Block) -> str:
    return f"output-{block.line}"


def _check_outputs(steps: list[Block], folder: Path) -> None:
    """Compare what blocks said that those before them print."""
    for before, block in pairwise(steps):
        if block.title in {RESPONSE, OUTPUT}:
            printed = (folder / _output(before)).read_text(encoding="utf-8")
            difference = (
                json_difference(json.loads(block.text), json.loads(printed))
                if block.title == RESPONSE
                else line_difference(block.text, printed)
            )
            assert difference is None, f"{block.place}: {difference}"
