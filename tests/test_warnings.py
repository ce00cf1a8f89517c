"""Every warning there is has a row in the documentation, and every row a warning."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import bridge
import mappings
from mappings.cmi.warnings import MAX_WARNINGS, WarningCode

DOCS = Path(__file__).parent.parent / "docs" / "warnings.md"
SOURCES = [path for package in (bridge, mappings) for path in Path(package.__path__[0]).rglob("*.py")]
CODES = {code.value for code in WarningCode}


def test_the_documentation_lists_exactly_the_codes_that_there_are() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \|", DOCS.read_text("utf-8"), re.MULTILINE)

    assert len(rows) == len(set(rows))
    assert set(rows) == CODES


def test_the_documentation_tells_how_many_warnings_an_answer_has() -> None:
    text = DOCS.read_text("utf-8")

    assert f"A response has at most {MAX_WARNINGS} warnings." in text
    assert f"the {MAX_WARNINGS - 1} warnings before it" in text


@cache
def _used() -> set[str]:
    texts = [text for path in SOURCES if "WarningCode" in (text := path.read_text("utf-8"))]  # others need no parsing
    return {
        node.attr
        for text in texts
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "WarningCode"
    }


@pytest.mark.parametrize("code", WarningCode, ids=str)
def test_every_code_is_used(code: WarningCode) -> None:
    assert code.name in _used()
