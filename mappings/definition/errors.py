"""What is wrong with a mapping document, all of it, each with its place."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Fault(msgspec.Struct, frozen=True):
    """One thing wrong: where (`rules[3].verb`), on which line of the file (0 where it has none), and what to do."""

    place: str
    line: int
    message: str

    def __str__(self) -> str:
        at = f"line {self.line}, " if self.line else ""
        return f"{at}{self.place}: {self.message}"


class DefinitionError(ValueError):
    """A mapping document cannot be used. `faults` lists everything wrong with it."""

    def __init__(self, source: str, faults: Sequence[Fault]) -> None:
        self.source = source
        self.faults = tuple(faults)
        listed = "\n".join(f"  {fault}" for fault in self.faults)
        super().__init__(f"{source} is not a usable mapping:\n{listed}")
