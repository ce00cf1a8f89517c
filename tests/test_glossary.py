"""The glossary and the ten tasks name places that are there; `test_documentation` looks at each of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GLOSSARY = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (?!term \|)(?!---)(.+) \|$", re.MULTILINE)
TERMS = [[cell.strip() for cell in row.split(" | ")] for row in ROW.findall(GLOSSARY)]
TASKS = re.findall(r"^\| (.+) \| `([^`]+)` \|$", ARCHITECTURE.partition("<!-- tasks -->")[2], re.MULTILINE)


def test_there_are_many_terms_and_none_twice() -> None:
    names = [row[0] for row in TERMS]

    assert len(names) == len(set(names)) > 80


@pytest.mark.parametrize("row", TERMS, ids=lambda row: row[0])
def test_a_term_has_a_sentence_a_standard_and_a_place(row: list[str]) -> None:
    _, meaning, standard, where = row
    assert meaning.endswith(".")
    assert standard
    path = re.fullmatch(r"`([^:`]+)(?:::\w+)?`", where)
    assert path is not None
    assert (ROOT / path[1]).exists()


def test_there_are_ten_tasks_whose_files_exist() -> None:
    assert len(TASKS) == 10
    assert [path for _, path in TASKS if not (ROOT / path).is_file()] == []
