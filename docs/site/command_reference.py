"""The page of all commands, made of the commands themselves."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import click

from bridge.cli import main

NAME = "scorm-bridge"
INTRODUCTION = """\
# Commands

Every command with its options. [The command line](../cli.md) says what they have in common: JSON, lists, exit codes.
"""


def command_reference() -> str:
    """Return the page, in Markdown: every command with its arguments, options and examples."""
    parts = [INTRODUCTION]
    for path, command in commands(main, NAME):
        parts.extend(_section(path, command))
    return "\n".join(parts)


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """Yield each visible command with its path (`scorm-bridge tokens create`), groups before what is in them."""
    yield path, command
    if isinstance(command, click.Group):
        for name in command.commands:
            if not command.commands[name].hidden:
                yield from commands(command.commands[name], f"{path} {name}")


def _section(path: str, command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=path)
    level = "##" if path.count(" ") < 2 else "###"
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    yield f"{level} {path}\n"
    yield f"{_paragraphs(command.help or '')}\n"
    yield f"```text\n{usage}\n```\n"
    records = [
        record
        for parameter in command.get_params(context)
        if (record := parameter.get_help_record(context)) and record[1] and "--help" not in record[0]
    ]
    if records:
        yield "| option | meaning |\n|---|---|"
        for options, meaning in records:
            yield f"| {_code(options)} | {_range_in_words(_cell(meaning))} |"
        yield ""
    if command.epilog:
        yield f"{_paragraphs(command.epilog)}\n"
    if isinstance(command, click.Group):
        yield "| command | does |\n|---|---|"
        for name, child in command.commands.items():
            if not child.hidden:
                anchor = f"{path} {name}".replace(" ", "-")
                yield f"| [`{name}`](#{anchor}) | {_cell(child.get_short_help_str(limit=200))} |"
        yield ""


def _paragraphs(text: str) -> str:
    """Return a command's help as Markdown, with examples and what click must not wrap as code."""
    paragraphs = []
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        block = paragraph.removeprefix("\b").strip("\n")
        if example := re.fullmatch(r"Examples?:\s*(?P<lines>.+)", block, re.DOTALL):
            lines = "\n".join(line.strip() for line in example["lines"].splitlines())
            paragraphs.append(f"```bash\n{lines}\n```")
        elif block != paragraph:
            paragraphs.append(f"```text\n{block}\n```")
        else:
            paragraphs.append(_cell(block))
    return "\n\n".join(paragraphs)


def _code(options: str) -> str:
    return "`" + options.replace(" RANGE", "").replace("|", "\\|") + "`"


def _range_in_words(meaning: str) -> str:
    """Return the meaning of an option without the inequality by which click states its range."""
    return re.sub(r"(-?\d+)&lt;=x&lt;=(-?\d+)", r"from \1 to \2", meaning)


def _cell(text: str) -> str:
    """Return text on one line, in which nothing is taken for a tag or a cell's end."""
    return " ".join(text.split()).replace("<", "&lt;").replace("|", "\\|")
