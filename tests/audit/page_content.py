"""Reading pages as people do: by what is shown."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from typing import Any


class _Table(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._within = False

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")
            self._within = True

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"}:
            self._within = False

    def handle_data(self, data: str) -> None:
        if self._within:
            self.rows[-1][-1] += data


def table(page: str, label: str) -> list[list[str]]:
    """Return the rows of the table in the region of this label, below its head, with spaces put together."""
    region = re.search(rf'aria-label="{re.escape(label)}".*?</table>', page, re.DOTALL)
    if region is None:
        return []
    parser = _Table()
    parser.feed(region[0])
    return [[" ".join(cell.split()) for cell in row] for row in parser.rows[1:]]


def fact(page: str, name: str) -> str:
    """Return what stands under a name in a list of facts."""
    match = re.search(rf"<dt>{re.escape(name)}</dt>\s*<dd[^>]*>(.*?)</dd>", page, re.DOTALL)
    assert match is not None, name
    return " ".join(unescape(re.sub(r"<[^>]+>", "", match[1])).split())
