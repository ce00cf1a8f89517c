"""What commands print for programs has one form, and what they end with has one table: `docs/cli.md` says both."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from bridge.cli import main
from bridge.cli.exit_codes import ExitCode
from tests.cli.conftest import Run

KEY = "SCORM_BRIDGE_DATABASE__URL"
DOCUMENT = (Path(__file__).parents[2] / "docs/cli.md").read_text(encoding="utf-8")


def _commands(group: click.Group, *path: str) -> Iterator[tuple[str, ...]]:
    """Yield the path of every command that prints JSON."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, *path, name)
        elif any("--json" in parameter.opts for parameter in command.params):
            yield (*path, name)


LISTS = sorted({path for path in _commands(main) if path[-1] == "list"})


@pytest.mark.parametrize("path", LISTS, ids=" ".join)
def test_every_list_has_items_and_what_continues_it(path: tuple[str, ...], run: Run, database_url: str) -> None:
    result = run(*path, "--json", **{KEY: database_url})

    assert result.exit_code == ExitCode.OK, result.output
    assert json.loads(result.stdout) == {"items": [], "next": None}


@pytest.mark.parametrize("command", ["deliveries", "sessions", "statements"])
def test_what_continues_no_list_is_refused(command: str, run: Run, database_url: str) -> None:
    result = run(command, "list", "--after", "nonsense", **{KEY: database_url})

    assert result.exit_code == ExitCode.USAGE
    assert "--after" in result.stderr


def test_every_command_that_prints_json_is_documented() -> None:
    named = set(re.findall(r"`([a-z]+(?: [a-z]+)?)`", DOCUMENT.partition("## Exit codes")[0].replace("\n", " ")))

    assert {" ".join(path) for path in _commands(main)} - {"deliveries explain"} <= named


def test_the_table_of_exit_codes_is_that_of_the_code() -> None:
    rows = re.findall(r"^\| (\d+) \| `([A-Z_]+)` \|", DOCUMENT, re.MULTILINE)

    assert rows == [(str(int(code)), code.name) for code in ExitCode]
    assert click.ClickException.exit_code == ExitCode.FAILED
    assert click.UsageError.exit_code == ExitCode.USAGE
