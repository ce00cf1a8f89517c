"""Output of commands: JSON for programs, tables for people."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

MAX_WIDTH = 10_000
"""Columns of a line that goes to a pipe: it is not wrapped there."""


def print_json(value: object) -> None:
    """Print a value as indented JSON."""
    click.echo(msgspec.json.format(msgspec.json.encode(value)).decode())


def print_items(items: Sequence[object], following: str | None = None) -> None:
    """Print a list as JSON: `items`, and as `next` the value that continues it, null where it is complete."""
    print_json({"items": items, "next": following})


def print_end_of_page(noun: str, *, is_empty: bool, following: str | None) -> None:
    """Print on standard error how a table of a page continues, or that there are no rows."""
    if following is not None:
        click.echo(f"There may be more: --after {following}", err=True)
    elif is_empty:
        click.echo(f"No matching {noun}.", err=True)


def open_console(*, markup: bool = False) -> Console:
    """Return a console that wraps lines to the terminal's width, and not at all in a pipe."""
    return Console(emoji=False, markup=markup, width=None if sys.stdout.isatty() else MAX_WIDTH)


@contextmanager
def show_progress(total: int | None, what: str) -> Iterator[Callable[[int], None]]:
    """Show a bar on standard error while the block runs; yield what is told how much more is done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda more: progress.advance(task, more)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows as a table; a cell without a value (None) is empty."""
    table = Table(*columns, box=None)
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    open_console().print(table)
