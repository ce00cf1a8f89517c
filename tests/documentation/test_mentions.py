"""Commands, options and settings that are mentioned in sentences and tables exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import click
import pytest
from pydantic import BaseModel

from bridge.cli import main
from bridge.settings import Settings
from docs.site.command_reference import NAME, commands
from tests.documentation.blocks import PAGES, ROOT

FENCE = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"`scorm-bridge\s+([^`]+)`")
OPTIONS = re.compile(r"--[a-z][\w-]*|(?<= )-[a-z]\b")
FILES = {"db", "json", "md", "py", "toml", "yaml", "yml"}
"""Endings of names that look like settings."""
SETTING = re.compile(r"`(\w+(?:\.\w+)+)`")


def _sentences(page: Path) -> str:
    return FENCE.sub("", page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_options_that_are_mentioned_exist(page: Path) -> None:
    for mention in COMMAND.findall(_sentences(page)):
        _check_mention(mention)


def test_examples_of_commands_name_commands_and_options_that_exist() -> None:
    for path, command in commands(main, NAME):
        for example in re.findall(rf"(?:^|Examples?: )\s*{NAME} (.+)$", _help(command), re.MULTILINE):
            _check_mention(example)
            assert _resolve(example)[0] is command, f"{path}: {example}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_settings_that_are_mentioned_exist(page: Path) -> None:
    for mention in SETTING.findall(_sentences(page)):
        section, *keys = mention.split(".")
        if section in Settings.model_fields and keys[-1] not in FILES:
            model: Any = Settings
            for key in (section, *keys):
                fields = {name: field for part in _models(model) for name, field in part.model_fields.items()}
                assert key in fields, mention
                model = fields[key].annotation


def _check_mention(mention: str) -> None:
    """Raise AssertionError if a mention of a command has an option that the command has not."""
    command, words = _resolve(mention)
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    known |= {"--help", "-h", "--version"} | {option for parameter in main.params for option in parameter.opts}
    assert [option for option in OPTIONS.findall(f" {words}") if option not in known] == [], mention


def _help(command: click.Command) -> str:
    return f"{command.help or ''}\n{command.epilog or ''}"


def _resolve(mention: str) -> tuple[click.Command, str]:
    """Return the command that a mention names, and the words after its name."""
    words = shlex.split(mention.replace("…", "").replace("'", ""))
    command: click.Command = main
    while words and isinstance(command, click.Group):
        if words[0] in command.commands:
            command = command.commands[words.pop(0)]
        elif words[0] == "--config" and command is main:
            del words[:2]
        else:
            # a placeholder such as COMMAND, options of the group itself, or alternatives (`pause|resume`)
            assert not re.match(r"[a-z]+$", words[0]), f"there is no command {mention!r}"
            break
    return command, " ".join(words)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models that a field's type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
