"""The judge finds every kind of broken promise: otherwise its silence would say nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.chaos.clients import Ledger
from tests.chaos.judge import Issued, Stored, violations

FIRST = Issued("a", 1, 1, b"{1}", "delivered", 1)
SECOND = Issued("b", 1, 2, b"{2}", "delivered", 1)
OTHER = Issued("c", 2, 1, b"{3}", "dead", 1)
LEDGER = Ledger(issued={("u1", 1), ("u2", 1)}, acked={("u1", 1): ["a", "b"], ("u2", 1): ["c"]})
KEPT = Stored([FIRST, SECOND, OTHER], {"u1": [1], "u2": [1]})
ARRIVED = {"a": b"{1}", "b": b"{2}"}


def test_kept_promises_are_no_violations() -> None:
    assert violations(LEDGER, KEPT, ARRIVED) == []


@pytest.mark.parametrize(
    ("bridge", "arrived", "words"),
    [
        (Stored(KEPT.statements, {"u1": [], "u2": [1]}), ARRIVED, "answered 200 and is not in the journal"),
        (Stored([FIRST, OTHER], KEPT.commits), {"a": b"{1}"}, "b was promised and is not stored"),
        (Stored(KEPT.statements, {"u1": [1, 1], "u2": [1]}), ARRIVED, "taken twice"),
        (Stored(KEPT.statements, {"u1": [1, 7], "u2": [1]}), ARRIVED, "commit 7 of u1 was never sent"),
        (KEPT, {"a": b"{1}"}, "b counts as delivered and the LRS does not have it"),
        (Stored([FIRST, SECOND, replace(OTHER, tries=0)], KEPT.commits), ARRIVED, "nothing says why"),
        (Stored([FIRST, replace(SECOND, state="waiting"), OTHER], KEPT.commits), ARRIVED, "b is waiting"),
        (KEPT, ARRIVED | {"c": b"{3}"}, "c counts as dead and the LRS has it"),
        (KEPT, ARRIVED | {"x": b"{}"}, "x arrived and was never made"),
        (KEPT, ARRIVED | {"b": b"{2 }"}, "b arrived with other bytes"),
        (KEPT, {"b": b"{2}", "a": b"{1}"}, "a arrived after later ones"),
    ],
)
def test_a_broken_promise_is_found(bridge: Stored, arrived: dict[str, bytes], words: str) -> None:
    (violation,) = violations(LEDGER, bridge, arrived)

    assert words in violation


def test_a_statement_with_two_contents_is_found() -> None:
    assert violations(LEDGER, KEPT, ARRIVED, ["a"]) == ["statement a was sent with two contents"]
