"""The gate: no statement passes that an LRS would refuse under either edition of xAPI.

What a rule makes for an attempt differs from one time to the next only in id, time and result, so the rest is judged
once; a statement about an interaction or objective is judged whole each time.
"""

from __future__ import annotations

from collections.abc import Hashable

import msgspec

from mappings.judge import Edition, check_result, check_statement

REMEMBERED = 10_000
"""Verdicts that are kept; when there are more, they are forgotten all at once."""

_decode = msgspec.json.Decoder().decode


class Gate:
    """Judges statements, remembering which parts it has seen to be sound."""

    def __init__(self) -> None:
        self._sound: set[Hashable] = set()

    def problem(self, body: bytes, result: bytes, constant: Hashable | None) -> str | None:
        """Say what is wrong with a statement, None when nothing is.

        Args:
            body: the statement.
            result: its result, empty where it has none.
            constant: what all of it but id, time and result is made of; None to judge it whole.
        """
        if constant is not None and constant in self._sound:
            faults = list(check_result(_decode(result), "result")) if result else []
        else:
            statement = _decode(body)
            faults = [fault for edition in Edition for fault in check_statement(statement, "statement", edition)]
            if not faults and constant is not None:
                if len(self._sound) >= REMEMBERED:
                    self._sound.clear()
                self._sound.add(constant)
        return "; ".join(dict.fromkeys(faults)) or None
