"""Words that people write in mappings, each with what it means: defined once, and read by code, guide and pages."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class DescribedEnum(StrEnum):
    """An enum of words, each of which has its meaning beside it: `WORD = "word", "what it means"`."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> Self:
        """Create the member of a word."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member
