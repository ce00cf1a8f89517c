"""The page of all commands, made of the commands themselves."""

from __future__ import annotations

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
        if (record := parameter.get_help_record(context)) and "--help" not in record[0]
    ]
    if records:
        yield "| option | meaning |\n|---|---|"
        for options, meaning in records:
            yield f"| {_code(options)} | {_cell(meaning)} |"
        yield ""
    if command.epilog:
        yield f"{_example(command.epilog)}\n"
    if isinstance(command, click.Group):
        yield "| command | does |\n|---|---|"
        for name, child in command.commands.items():
            if not child.hidden:
                anchor = f"{path} {name}".replace(" ", "-")
                yield f"| [`{name}`](#{anchor}) | {_cell(child.get_short_help_str(limit=200))} |"
        yield ""


def _paragraphs(text: str) -> str:
    """Return a command's help as Markdown, with what click must not wrap as code."""
    paragraphs = []
    for paragraph in text.strip().split("\n\n"):
        if paragraph.startswith("\b"):
            block = paragraph.removeprefix("\b").strip("\n")
            paragraphs.append(f"```text\n{block}\n```")
        else:
            paragraphs.append(_cell(paragraph))
    return "\n\n".join(paragraphs)


def _example(epilog: str) -> str:
    """Return the examples of a command, which click prints below its options."""
    lines = [line.strip() for line in epilog.replace("\b", "").splitlines() if line.strip()]
    text = "\n".join(re.sub(r"^Examples?: *", "", line) for line in lines).strip()
    return f"Example:\n\n```bash\n{text}\n```"


def _code(options: str) -> str:
    return "`" + options.replace("|", "\\|") + "`"


def _cell(text: str) -> str:
    """Return text on one line, in which nothing is taken for a tag or a cell's end."""
    return " ".join(text.split()).replace("<", "&lt;").replace("|", "\\|")
