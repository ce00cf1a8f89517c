"""The guide to mapping documents lists what the code knows: nothing more, nothing less, in the code's words.

`REWRITE_GUIDE=1 make test ARGS=tests/mappings/test_guide.py` writes the tables anew.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import mappings
from mappings.attempt.changes import Trigger
from mappings.definition import compile_definition, load_definition
from mappings.definition.conditions import VARIABLES as CONDITIONS
from mappings.definition.model import (
    CONTEXT_LISTS,
    DOCUMENT_PARTS,
    ENDINGS,
    IDENTIFIERS,
    PARTS_OF,
    RESOURCES,
    Once,
    Overlap,
    ResultPart,
    ScaledScore,
)
from mappings.definition.placeholders import KINDS, VARIABLES
from mappings.described_enum import DescribedEnum


def _meanings(words: type[DescribedEnum]) -> Mapping[str, str]:
    return {word: word.meaning for word in words}


_RESOURCES = {
    name: f"{words}; holds {'any part' if PARTS_OF[name] == set(DOCUMENT_PARTS) else ', '.join(sorted(PARTS_OF[name]))}"
    for name, words in RESOURCES.items()
}
ROOT = Path(mappings.__file__).parent.parent
GUIDE = ROOT / "docs" / "mappings.md"
TABLES: Mapping[str, tuple[str, Mapping[Any, str]]] = {
    "triggers": ("`when`", _meanings(Trigger)),
    "once": ("`once`", _meanings(Once)),
    "result": ("`result`", _meanings(ResultPart)),
    "lists": ("`in`", CONTEXT_LISTS),
    "variables": ("in braces", VARIABLES),
    "conditions": ("variable", CONDITIONS),
    "resources": ("`resource`", _RESOURCES),
    "parts": ("`content`", DOCUMENT_PARTS),
    "endings": ("`idle`", ENDINGS),
    "overlaps": ("`overlap`", _meanings(Overlap)),
    "scaled": ("`scaled_score`", _meanings(ScaledScore)),
    "identifiers": ("`identifier`", IDENTIFIERS),
    "kinds": ("behind the name", {f":{name}": words for name, words in KINDS.items()}),
}


def _table(head: str, rows: Mapping[str, str]) -> str:
    return "\n".join([f"| {head} | means |", "|---|---|", *(f"| `{name}` | {words} |" for name, words in rows.items())])


def _section(text: str, mark: str) -> str:
    match = re.search(rf"<!-- {mark} -->\n(.*?)(?=\n\n#|\Z)", text, re.DOTALL)
    assert match is not None
    return match.group(1).strip()


@pytest.mark.parametrize("mark", TABLES)
def test_the_guide_tells_what_there_is(mark: str) -> None:
    text = GUIDE.read_text(encoding="utf-8")
    expected = _table(*TABLES[mark])
    if os.environ.get("REWRITE_GUIDE"):
        match = re.search(rf"<!-- {mark} -->\n.*?(?=\n\n#|\Z)", text, re.DOTALL)
        assert match is not None
        text = text.replace(match.group(), f"<!-- {mark} -->\n\n{expected}")
        GUIDE.write_text(text.rstrip() + "\n", encoding="utf-8")

    assert _section(text, mark) == expected


def test_the_guides_rule_works_as_it_stands_in_the_guide() -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    examples = [
        re.sub(r"(?m)^    ", "", example)
        for example in re.findall(r'    ```toml title="ours.toml, added"\n(.*?)    ```', guide, re.DOTALL)
    ]
    document = (ROOT / "mappings" / "minimal.toml").read_text(encoding="utf-8") + "\n" + "\n".join(examples)
    compiled = compile_definition(load_definition(document, "guide"), "guide")

    assert [rule.name for rule in compiled.rules[Trigger.SCORE_CHANGED]] == ["mastered"]
