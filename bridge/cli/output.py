"""How commands print what was found: JSON for programs, tables for people."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table

AS_JSON = click.option("--json", "as_json_", is_flag=True, help="Print JSON.")


def as_json(value: object) -> None:
    """Print a value as JSON, a line for each part of it."""
    click.echo(msgspec.json.format(msgspec.json.encode(value)).decode())


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows as a table; a pipe gets whole lines whatever the terminal's width is. None is left empty."""
    shown = Table(*columns, box=None)
    for row in rows:
        shown.add_row(*("" if one is None else str(one) for one in row))
    Console(emoji=False, markup=False, width=None if sys.stdout.isatty() else 10_000).print(shown)
