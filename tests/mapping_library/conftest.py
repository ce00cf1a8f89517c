"""Documents that differ a little, and a bridge whose versions are changed while it runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from bridge.mapping_documents import compile_text, load_mapping, read_document
from mappings.definition import CompiledMapping
from storage.engine import open_engine

SHIPPED = read_document("scorm-profile")
DEFAULT = load_mapping("scorm-profile")
MASTERED = """
[[rules]]
name = "mastered"
when = "score.changed"
if = "score.scaled >= 0.9"
verb = "scored"
object = "sco"
result = ["score"]
once = "attempt"
"""


def variant(*, add: str = "", drop: str = "", **replaced: str) -> CompiledMapping:
    """Give the default document with a rule more, without the rules of a trigger, or with other words in it."""
    head, *rules = SHIPPED.split("[[rules]]")
    text = "[[rules]]".join([head, *(rule for rule in rules if not drop or f'when = "{drop}"' not in rule)])
    for old, new in replaced.items():
        assert old in text
        text = text.replace(old, new)
    return compile_text(text + add, "variant")


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A look into the database."""
    opened = open_engine(database_url)
    yield opened
    opened.dispose()
