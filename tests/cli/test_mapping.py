"""`scorm-bridge mapping`."""

from __future__ import annotations

from pathlib import Path

import pytest

import mappings
from tests.cli.conftest import Run

SHIPPED = Path(mappings.__file__).parent


@pytest.mark.parametrize("name", sorted(path.stem for path in SHIPPED.glob("*.toml")))
def test_every_shipped_document_is_without_faults(run: Run, name: str) -> None:
    result = run("mapping", "check", name)

    assert (result.exit_code, result.stderr) == (0, "")
    assert "no faults" in result.stdout


def test_all_faults_of_a_document_are_listed_with_their_lines(run: Run, tmp_path: Path) -> None:
    text = (SHIPPED / "minimal.toml").read_text(encoding="utf-8")
    text = text.replace('verb = "passed"', 'verb = "past"').replace('once = "attempt"', 'once = "always"', 1)
    document = tmp_path / "ours.toml"
    document.write_text(text, encoding="utf-8")
    lines = text.splitlines()
    result = run("mapping", "check", str(document))
    assert (result.exit_code, result.stdout) == (1, "")
    verb, once = lines.index('verb = "past"') + 1, lines.index('once = "always"') + 1
    assert f"line {verb}, rules[1].verb: 'past' is not a verb" in result.stderr
    assert f"line {once}, rules[0].once: 'always' is not one of" in result.stderr


def test_a_document_that_is_not_there_is_told_with_those_that_are(run: Run) -> None:
    result = run("mapping", "check", "none-such")

    assert result.exit_code == 1
    assert "cmi5, minimal, scorm-profile" in result.stderr
