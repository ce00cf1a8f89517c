"""Tables that are printed and kept as Markdown in `benchmarks/results`."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).with_name("results")
WIDTH = 140
"""Characters of a line where it is not a terminal that tells how many it has."""


class Report:
    """What a benchmark has to say. `name` is that of its file, which is written unless it is not to be kept."""

    def __init__(self, name: str, about: str, *, kept: bool = True) -> None:
        self._is_kept = kept
        self._path = RESULTS / f"{name}.md"
        self._console = Console()
        if not self._console.is_terminal:
            self._console.width = WIDTH
        machine = f"Python {platform.python_version()}, {platform.system()}, {os.cpu_count()} processors"
        self._parts = [f"# {name}", f"{about}\n\nMade with `python -m benchmarks.{name}` on {machine}."]

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print a table and keep it. The first column is words, all others are numbers."""
        table = Table(title=title)
        table.add_column(columns[0])
        for column in columns[1:]:
            table.add_column(column, justify="right")
        lines = [" | ".join(columns), " | ".join(["---", *["---:"] * (len(columns) - 1)])]
        for row in rows:
            table.add_row(*row)
            lines.append(" | ".join(row))
        self._console.print(table)
        self._parts.append(f"## {title}\n\n" + "\n".join(f"| {line} |" for line in lines))
        self._keep()

    def text(self, text: str) -> None:
        """Print a sentence and keep it."""
        self._console.print(text)
        self._parts.append(text)
        self._keep()

    def _keep(self) -> None:
        if not self._is_kept:
            return
        RESULTS.mkdir(exist_ok=True)
        self._path.write_text("\n\n".join(self._parts) + "\n", encoding="utf-8")


def median(values: Iterable[float]) -> float:
    """Return the median, 0 of nothing."""
    return statistics.median(list(values) or [0.0])


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of what each round gives beside the other's in the same round."""
    return median(our / their for our, their in zip(ours, theirs, strict=True) if their)
