"""`scorm-bridge wrap` and `unwrap`: what people read, and what programs do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bridge.packages import PackageError
from bridge.packages.proof import ScoProof
from bridge.tap.script import load_script
from tests.cli.conftest import Run
from tests.packages.courses import WRAPPER
from tests.packages.packing import pack, unpack

KEY = "pk_" + "k" * 43
SETTINGS = '[server]\npublic_url = "https://bridge.example.org/"\n'


def test_a_package_gets_the_script_of_this_release_and_the_bridges_address(run: Run) -> None:
    pack(Path("course.zip"), WRAPPER)
    result = run("wrap", "course.zip", "--key", KEY, file=SETTINGS)
    assert result.exit_code == 0, result.output
    files = unpack(Path("course-wrapped.zip"))
    assert files["scorm-bridge-tap.js"] == load_script().body
    assert f'data-key="{KEY}" data-bridge="https://bridge.example.org"'.encode() in files["index.html"]
    assert "has the script, as activity ITEM-1" in result.stdout
    assert result.stderr == "Created course-wrapped.zip. Import it into the LMS in place of the original.\n"


def test_programs_read_what_was_done(run: Run) -> None:
    pack(Path("course.zip"), WRAPPER)
    result = run("wrap", "course.zip", "--key", KEY, "--bridge", "https://b.example", "-o", "out.zip", "--json")

    answer = json.loads(result.stdout)

    assert (answer["output"], answer["proof"]) == ("out.zip", None)
    assert answer["files"][0] == {"path": "index.html", "done": "has the script, as activity ITEM-1"}


def test_the_original_is_had_again(run: Run) -> None:
    pack(Path("course.zip"), WRAPPER)
    run("wrap", "course.zip", "--key", KEY, file=SETTINGS)
    result = run("unwrap", "course-wrapped.zip", "-o", "again.zip")

    assert (result.exit_code, result.stderr) == (0, "Created again.zip.\n")
    assert Path("again.zip").read_bytes() == Path("course.zip").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("wrap", "course.zip", "--key", KEY), 2, "--bridge is needed"),
        (("wrap", "course.zip"), 2, "Missing option '--key'"),
        (("wrap", "none.zip", "--key", KEY, "--bridge", "https://b.example"), 1, "none.zip: No such file"),
        (("wrap", "text.zip", "--key", KEY, "--bridge", "https://b.example"), 1, "text.zip: It is no ZIP archive"),
        (
            ("wrap", "course.zip", "--key", KEY, "--bridge", "https://b.example", "-o", "text.zip"),
            1,
            "is there already",
        ),
        (("wrap", "course.zip", "--key", KEY, "--bridge", "https://b.example", "-o", "no/x.zip"), 1, "No such file"),
        (("unwrap", "course.zip"), 1, "course.zip: It is not wrapped"),
    ],
)
def test_what_cannot_be_done_is_said_in_words(run: Run, arguments: tuple[str, ...], status: int, words: str) -> None:
    pack(Path("course.zip"), WRAPPER)
    Path("text.zip").write_text("text", encoding="utf-8")
    result = run(*arguments, file='[server]\nhost = "127.0.0.1"\n')

    assert (result.exit_code, words in result.stderr) == (status, True), result.stderr


async def _differ(*_packages: object) -> list[ScoProof]:
    original = [("LMSInitialize", [""], "true"), ("LMSFinish", [""], "true")]
    return [ScoProof("a.html", original, original, 6), ScoProof("b.html", original, original[:1], 0)]


async def _refuse(*_packages: object) -> list[ScoProof]:
    raise PackageError("The proof needs Chromium.")


def test_a_proof_that_fails_is_told_and_ends_with_a_code(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.cli.packages.prove", _differ)
    pack(Path("course.zip"), WRAPPER)
    result = run("wrap", "course.zip", "--key", KEY, "--prove", file=SETTINGS)

    assert result.exit_code == 1
    assert "a.html: the LMS hears the same 2 calls; the script asks it 6 times who is there.\n" in result.stderr
    assert (
        "b.html: the LMS hears another course: the wrapped package makes 1 calls less: LMSFinish('') -> 'true'\n"
        in result.stderr
    )


def test_without_a_browser_the_package_is_there_and_the_proof_is_not(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.cli.packages.prove", _refuse)
    pack(Path("course.zip"), WRAPPER)
    result = run("wrap", "course.zip", "--key", KEY, "--prove", file=SETTINGS)

    assert (result.exit_code, result.stderr) == (1, "Error: course.zip: The proof needs Chromium.\n")
    assert Path("course-wrapped.zip").is_file()
