"""Every promise names what proves it, and that is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs/promises.md").read_text(encoding="utf-8").splitlines()
    if re.match(r"\| P\d+ \|", line)
]


def test_promises_are_numbered_from_one_and_none_is_missing() -> None:
    assert [row[0] for row in ROWS] == [f"P{number}" for number in range(1, len(ROWS) + 1)]
    assert len(ROWS) > 30


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_promise_has_a_proof_that_is_there_or_says_that_it_is_none(row: list[str]) -> None:
    _, promise, proof, _ = row
    assert promise
    if proof.startswith("not promised: "):
        return
    named = re.findall(r"`([^`]+)`", proof)
    assert named
    for reference in named:
        file, _, test = reference.partition("::")
        text = (ROOT / file).read_text(encoding="utf-8")
        assert not test or re.search(rf"^ *(?:async )?def {test}\(", text, re.MULTILINE), reference
