"""What compares shown output with printed output sees differences, and only those."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.documentation.blocks import blocks, unfenced_code
from tests.documentation.outputs import json_difference, line_difference

FIRST, SECOND = "01a22aca-cbf3-727a-8b24-b3e8d6971f2d", "d5076253-d096-42b9-9f7a-156ec2208311"


@pytest.mark.parametrize(
    ("shown", "actual"),
    [
        ({"a": 1}, {"a": 1}),
        ({"a": 1, "…": "…"}, {"a": 1, "b": 2}),
        ({"id": FIRST}, {"id": SECOND}),
        ({"at": "2026-01-31T12:00:00Z"}, {"at": "2027-12-01T00:00:01.250Z"}),
        ({"url": "http…/commits?token=…"}, {"url": "http://127.0.0.1/v1/commits?token=x"}),
        ([1, "…"], [1, 2, 3]),
        ([{"a": 1, "…": "…"}], [{"a": 1, "b": 2}]),
    ],
)
def test_json_that_is_as_shown_has_no_difference(shown: Any, actual: Any) -> None:
    assert json_difference(shown, actual) is None


@pytest.mark.parametrize(
    ("shown", "actual", "difference"),
    [
        ({"a": 1}, {}, "the response has no ['a']"),
        ({"a": 1}, {"a": 1, "b": 2}, "the response has ['b'], too"),
        ({"a": {"b": "x"}}, {"a": {"b": "y"}}, "the response.a.b is 'y'"),
        ({"id": FIRST}, {"id": "none"}, "the response.id is 'none'"),
        ([1], [1, 2], "the response has 2 items"),
        ([1, 2, "…"], [1], "the response has 1 items"),
        ({"a": None}, {"a": 0}, "the response.a is 0"),
    ],
)
def test_where_json_is_not_as_shown_is_said(shown: Any, actual: Any, difference: str) -> None:
    assert json_difference(shown, actual) == difference


def test_lines_are_looked_for_in_their_order() -> None:
    assert line_difference("one …\n  three", "one 1\ntwo\nthree\n") is None
    assert line_difference("three\none", "one\nthree\n") == "'one' is not in\none\nthree\n"
    assert line_difference("on", "one\n") == "'on' is not in\none\n"


def test_blocks_are_found_in_lists_and_code_without_a_fence_is_too(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        '1. Do:\n\n    ```bash title="Not tested: no"\n    ls\n    ```\n\nThen\n\n    pwd\n', encoding="utf-8"
    )

    [block] = blocks(page)

    assert (block.line, block.language, block.text, block.is_tested) == (4, "bash", "ls", False)
    assert unfenced_code(page) == [9]


@pytest.mark.parametrize("text", ["```bash attr\nls\n```\n", "```bash\nls\n", '```bash title="a" more\nls\n```\n'])
def test_a_block_that_is_not_understood_is_refused(tmp_path: Path, text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")

    with pytest.raises(ValueError, match=r"page\.md:1: "):
        list(blocks(page))
