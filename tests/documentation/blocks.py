"""The code blocks of the documentation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *(path for path in sorted((ROOT / "docs").rglob("*.md")) if path.parent.name != "decisions"),
)
"""What people read and copy from; decisions quote what was."""
NOT_TESTED = "Not tested: "
"""The title of a block that no test runs begins with it; a reason follows."""
RUN = ("bash", "python")
"""Languages of blocks that `test_commands` runs."""
READ = ("json", "js", "toml", "yaml")
"""Languages of blocks that `test_blocks` reads."""
PROXIES = ("nginx", "caddyfile")
"""Languages of blocks that `tests/attack/test_proxy_logs.py` runs."""
SQL = ("sql",)
"""Languages of blocks that `tests/storage/test_report_views.py` runs."""
PLAIN = ("text", "mermaid")
"""Output and drawings: what nobody copies. `test_site` builds the diagrams."""

_OPENING = re.compile(r'(?P<indent> *)```(?P<language>[\w-]*)(?: title="(?P<title>[^"]*)")?(?P<rest>.*)')


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: where its text begins, its language, the title that readers see, and its text."""

    page: Path
    line: int
    language: str
    title: str
    text: str

    @property
    def place(self) -> str:
        """Return where it is: `docs/api.md:12`."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def is_tested(self) -> bool:
        """Return whether a test has to do something with it."""
        return not self.title.startswith(NOT_TESTED)


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page.

    Raises:
        ValueError: an opening line is not understood, or a fence is not closed.
    """
    lines = iter(enumerate(page.read_text(encoding="utf-8").splitlines(), 1))
    for number, line in lines:
        if not line.lstrip().startswith("```"):
            continue
        opening = _OPENING.fullmatch(line)
        if opening is None or opening["rest"]:
            raise ValueError(f"{page}:{number}: not the opening line of a block: {line!r}")
        indent, text = opening["indent"], []
        for _, inner in lines:
            if inner == f"{indent}```":
                break
            text.append(inner.removeprefix(indent))
        else:
            raise ValueError(f"{page}:{number}: the block has no end")
        yield Block(page, number + 1, opening["language"], opening["title"] or "", "\n".join(text))


def all_blocks(*languages: str) -> list[Block]:
    """Return the blocks in these languages that tests have to do something with, of all pages."""
    return [block for page in PAGES for block in blocks(page) if block.is_tested and block.language in languages]


def unfenced_code(page: Path) -> list[int]:
    """Return the numbers of the lines at which code begins that is indented instead of fenced."""
    numbers, fenced, in_list, blank = [], False, False, True
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced and line:
            if not line.startswith(" "):
                in_list = re.match(r"(?:[-*]|\d+\.) ", line) is not None
            elif blank and line.startswith(" " * (8 if in_list else 4)):
                numbers.append(number)
        blank = not line
    return numbers
