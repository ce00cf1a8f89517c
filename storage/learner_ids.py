"""How ids of learners are rewritten that pages of an LMS say: each page may write them in its own way.

The LMS's server says ids as they are. A pattern is a text with places, and no regular expression: it is matched from
the left in one pass, whatever a page sends.
"""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

ID_PLACE = "{id}"
"""Stands in a pattern for the id."""
ANY_PLACE = "*"
"""Stands in a pattern for any text, which is left out."""
MAX_RULE_LENGTH = 200
"""Characters of a pattern and of a prefix."""

_PLACES = re.compile(r"(\{id\}|\*)")


class LearnerCase(StrEnum):
    """What becomes of the letters of an id."""

    KEEP = "keep"
    """They stay as they are."""
    LOWER = "lower"
    """They become lower-case letters."""
    UPPER = "upper"
    """They become upper-case letters."""


class LearnerIdRules(msgspec.Struct, frozen=True, omit_defaults=True):
    """The rules of an LMS, applied in this order.

    Attributes:
        trim: whether spaces around an id are left out.
        pattern: how pages write ids: `{id}` stands for the id, `*` for any text; empty: as they are.
        case: what becomes of letters.
        prefix: what is put before the id.
    """

    trim: bool = False
    pattern: str = ""
    case: LearnerCase = LearnerCase.KEEP
    prefix: str = ""

    def rewrite(self, learner_id: str) -> str | None:
        """Return the id that a page means; None where it is not written as the pattern says, or nothing is left."""
        text = learner_id.strip() if self.trim else learner_id
        extracted = text if not self.pattern else _extract(self.pattern, text)
        if not extracted or not extracted.strip():
            return None
        if self.case is LearnerCase.LOWER:
            extracted = extracted.lower()
        elif self.case is LearnerCase.UPPER:
            extracted = extracted.upper()
        return self.prefix + extracted

    def describe(self) -> str:
        """Return the rules in words; empty where there is none."""
        parts = ["spaces around left out"] * self.trim
        parts += [f"written as {self.pattern}"] * bool(self.pattern)
        parts += [f"in {self.case} case"] * (self.case is not LearnerCase.KEEP)
        parts += [f"with {self.prefix} before"] * bool(self.prefix)
        return ", ".join(parts)


AS_THEY_ARE = LearnerIdRules()


class LearnerIdRuleError(ValueError):
    """A rule that cannot be applied; the text says why."""


def check_rules(rules: LearnerIdRules) -> None:
    """Check that rules can be applied.

    Raises:
        LearnerIdRuleError: one cannot.
    """
    for name, text in (("pattern", rules.pattern), ("prefix", rules.prefix)):
        if len(text) > MAX_RULE_LENGTH or not text.isprintable():
            raise LearnerIdRuleError(f"The {name} has at most {MAX_RULE_LENGTH} printable characters.")
    places = _PLACES.findall(rules.pattern)
    if not rules.pattern:
        return
    if places.count(ID_PLACE) != 1:
        raise LearnerIdRuleError(
            f"A pattern has {ID_PLACE} once, where the id stands, such as user-{ID_PLACE}; {rules.pattern!r} has it"
            f" {places.count(ID_PLACE)} times."
        )
    if "" in _PLACES.split(rules.pattern)[2:-1:2]:
        raise LearnerIdRuleError(f"Between two places of a pattern stands some text; {rules.pattern!r} has none there.")


def encode_rules(rules: LearnerIdRules) -> str | None:
    """Serialize rules as they are stored, None where there is none."""
    return None if rules == AS_THEY_ARE else msgspec.json.encode(rules).decode()


def decode_rules(text: str | None) -> LearnerIdRules:
    """Parse rules as they are stored."""
    return AS_THEY_ARE if text is None else msgspec.json.decode(text, type=LearnerIdRules)


def _extract(pattern: str, text: str) -> str | None:
    """Return what stands in a text where a pattern has the id: each place reaches to the first of the text behind it.

    What stands behind the last place must be the text's end.
    """
    first, *rest = _PLACES.split(pattern)
    if not text.startswith(first):
        return None
    extracted, start = None, len(first)
    places = list(zip(rest[::2], rest[1::2], strict=True))
    for number, (place, literal) in enumerate(places, start=1):
        is_last = number == len(places)
        end = len(text) - len(literal) if is_last else text.find(literal, start)
        if end < start or (is_last and not text.endswith(literal)):
            return None
        if place == ID_PLACE:
            extracted = text[start:end]
        start = end + len(literal)
    return extracted
