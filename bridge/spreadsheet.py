"""CSV for spreadsheets, in which no cell becomes a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from typing import Any

_FORMULA = re.compile("^(?=[\t\r\n])|((?:^|[;,:|\t\r\n])[ \u00a0]*)(?=[=+\\-@\uff1d\uff0b\uff0d\uff20])")
"""Where a spreadsheet may take text for a formula: at its beginning, and after whatever it may be set to take for the
end of a cell. It ignores spaces before a formula. The last four characters are full-width forms."""

UTF8_MARK = "\ufeff".encode()
"""What a file begins with, by which spreadsheets know UTF-8."""


def csv_lines(rows: Iterable[Iterable[Any]]) -> bytes:
    """Return rows as CSV in UTF-8.

    Every cell is quoted, and an apostrophe stands before what a spreadsheet would take for a formula, also where it
    takes another character for the separator.
    """
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return _FORMULA.sub(r"\1'", value)
    if isinstance(value, Mapping):
        return _cell(", ".join(f"{key or '(no LRS yet)'}: {text}" for key, text in value.items()))
    return value
