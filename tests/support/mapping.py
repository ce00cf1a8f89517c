"""The mapping as it is shipped, and mappings that differ from it a little."""

from __future__ import annotations

from bridge.mapping_library.documents import compile_text, load_mapping, read_document
from mappings.definition import CompiledMapping

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
    """Return the shipped mapping with a rule more, without the rules of a trigger, or with other words in it."""
    head, *rules = SHIPPED.split("[[rules]]")
    text = "[[rules]]".join([head, *(rule for rule in rules if not drop or f'when = "{drop}"' not in rule)])
    for old, new in replaced.items():
        assert old in text
        text = text.replace(old, new)
    return compile_text(text + add, "variant")
