"""Cursors of pages: what `cursor` gave is read back, and nothing else is."""

from __future__ import annotations

import contextlib
import json
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.audit.pages import CursorError, Page, cursor, cut, key


@given(st.integers(-(2**62), 2**62), st.text(st.characters(exclude_categories=("Cs",))))
def test_a_key_comes_back_as_it_was(number: int, text: str) -> None:
    assert key(cursor((number, text)), int, str) == (number, text)
    assert "=" not in cursor((number, text))


@given(st.text())
def test_any_other_text_is_told_from_a_cursor(text: str) -> None:
    with contextlib.suppress(CursorError):
        assert [*map(type, key(text, int))] == [int]


@pytest.mark.parametrize("told", [[1.5], ["1"], [True], [None], [2**63], [1, 2], [], {"a": 1}, 1, [[1]]])
def test_a_key_of_other_parts_is_refused(told: object) -> None:
    with pytest.raises(CursorError):
        key(urlsafe_b64encode(json.dumps(told).encode()).decode(), int)


def test_the_last_page_has_no_next_one() -> None:
    assert cut([3, 2, 1], 2, lambda one: (one,)) == Page([3, 2], cursor((2,)))
    assert cut([3, 2], 2, lambda one: (one,)) == Page([3, 2], None)
    assert cut([], 2, lambda one: (one,)) == Page([], None)
