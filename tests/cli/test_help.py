"""Every command explains itself: what it does, each of its options, and an example that can be run."""

from __future__ import annotations

import shlex
from contextlib import ExitStack
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bridge.cli import main
from bridge.cli.examples import EXAMPLES, NAME, leaf_commands
from tests.cli.conftest import Run

COMMANDS = leaf_commands(main)
FILES = ("mine.toml", "commit.json", "new-password.txt")
"""Files that examples read."""
WORD = {"bash": "1", "zsh": "1", "fish": "tok"}
"""How each shell says which word is to be completed."""


def test_there_are_examples_of_all_commands_and_of_nothing_else() -> None:
    assert {path for path, command in COMMANDS.items() if not command.hidden} == EXAMPLES.keys()


@pytest.mark.parametrize("path", COMMANDS)
def test_the_help_of_a_command_says_what_it_does_and_shows_its_example(run: Run, path: str) -> None:
    result = run(*path.split(), "--help")

    assert result.exit_code == 0
    assert COMMANDS[path].help
    for example in EXAMPLES[path]:
        assert f"  {NAME} {example}\n" in result.stdout


@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_and_argument_is_explained(path: str) -> None:
    command = COMMANDS[path]

    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.hidden or parameter.help, parameter.name
        else:
            assert (parameter.metavar or parameter.name or "").upper() in (command.help or "").upper(), parameter.name


@pytest.mark.parametrize(
    ("path", "example"), [pytest.param(path, text, id=text) for path, texts in EXAMPLES.items() for text in texts]
)
def test_an_example_is_of_its_command_with_arguments_that_it_takes(path: str, example: str) -> None:
    for name in FILES:
        Path(name).touch()
    words = shlex.split(example)
    with ExitStack() as contexts:
        context = contexts.enter_context(main.make_context(NAME, words))
        called: list[str] = []
        while isinstance(context.command, click.Group):
            word, command, words = context.command.resolve_command(context, [*context._protected_args, *context.args])
            assert command is not None
            context = contexts.enter_context(command.make_context(word, words, parent=context))
            called.append(str(word))

    assert " ".join(called) == path


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_can_complete_commands_and_options(shell: str) -> None:
    def answer(instruction: str, **words: str) -> str:
        environment = {"_SCORM_BRIDGE_COMPLETE": f"{shell}_{instruction}", **words}
        return CliRunner().invoke(main, prog_name=NAME, env=environment).stdout

    assert "_SCORM_BRIDGE_COMPLETE" in answer("source")
    completed = answer("complete", COMP_WORDS="scorm-bridge tok", COMP_CWORD=WORD[shell])
    assert ("tokens" in completed, "targets" in completed) == (True, False)
