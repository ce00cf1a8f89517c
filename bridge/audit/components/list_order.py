"""What a list is sorted by, as the head of its table shows it and the address has it."""

from __future__ import annotations

from typing import NamedTuple


class ListOrder(NamedTuple):
    """The order of a list: `column`, or `-column` for descending."""

    value: str

    @property
    def can_be_sorted(self) -> bool:
        """Return that it can: an index has each of the orders."""
        return True

    def toggled(self, column: str) -> str:
        """Return the parameter that sorts by a column, the other way round where the list is sorted by it."""
        return f"-{column}" if self.value == column else column

    def direction(self, column: str) -> str:
        """Return in which direction the list is sorted by a column, empty where it is not."""
        return {column: "ascending", f"-{column}": "descending"}.get(self.value, "")
