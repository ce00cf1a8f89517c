"""Tables that name the tests which prove each row: on the site their long names are folded away."""

from __future__ import annotations

import re

FOLDED = {"proof", "shown by"}
"""Heads of columns that name tests and benchmarks."""
_NAME = re.compile(r"`((?:tests|benchmarks)/[^`]+)`")
_BORDER = re.compile(r"\|[\s|:-]+\|")


def fold_proofs(markdown: str) -> str:
    """Return a page whose cells of these columns show how many proofs there are, and unfold to their names."""
    lines, column = [], None
    above = ""
    for line in markdown.split("\n"):
        if not line.startswith("|"):
            column = None
        elif _BORDER.fullmatch(line):
            heads = [cell.strip() for cell in above.split("|")]
            column = next((index for index, head in enumerate(heads) if head in FOLDED), None)
        elif column is not None:
            cells = line.split("|")
            cells[column] = _folded(cells[column])
            lines.append("|".join(cells))
            continue
        lines.append(line)
        above = line
    return "\n".join(lines)


def _folded(cell: str) -> str:
    names = _NAME.findall(cell)
    if not names:
        return cell
    rest = _NAME.sub("", cell).strip()
    count = "1 proof" if len(names) == 1 else f"{len(names)} proofs"
    shown = "<br>".join(f"<code>{name}</code>" for name in names)
    return f" <details><summary>{count}</summary>{shown}</details> {rest} "
