"""The tables of docs/privacy.md: which words about people are where."""

from __future__ import annotations

import re
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs/privacy.md"
_ROW = re.compile(r"^\| `?([^|`]+?)`? \| ([^|]+?) \|", re.MULTILINE)


def disclosed(heading: str) -> dict[str, set[str]]:
    """Return the first column of the table below a heading -> the kinds in its second one; `none` is no kind."""
    text = DOCUMENT.read_text(encoding="utf-8")
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = _ROW.findall(section)[1:]
    assert rows, f"docs/privacy.md has no table below {heading!r}"
    return {
        place: {kind.strip() for kind in kinds.split(",")} - {"none"}
        for place, kinds in rows
        if not place.startswith("---")
    }
