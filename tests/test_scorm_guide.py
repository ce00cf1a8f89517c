"""What the guide to SCORM says, each row tied to a test that is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROW = re.compile(r"^\| (?!what \|)(?!---)([^|]+) \|.*\| `([^`]+)` \|$", re.MULTILINE)
ROWS = ROW.findall((ROOT / "docs" / "scorm.md").read_text(encoding="utf-8"))


def test_every_row_of_the_guide_names_a_test() -> None:
    lines = (ROOT / "docs" / "scorm.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| ") and not line.startswith("| what |")]

    assert len(ROWS) == len(rows) > 20


@pytest.mark.parametrize(("subject", "shown_by"), ROWS, ids=[subject for subject, _ in ROWS])
def test_the_test_that_a_row_names_is_there(subject: str, shown_by: str) -> None:
    path, _, name = shown_by.partition("::")

    assert re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE), subject
