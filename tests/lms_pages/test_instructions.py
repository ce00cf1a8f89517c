"""What is printed to connect each LMS: everything is filled in, and the lines are those that other tests run."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.lms_pages.instructions import LMS_GUIDES, ConnectionWay, build_instructions
from bridge.lms_pages.marks import LmsProduct
from storage.states import TokenScope

ROOT = Path(__file__).parents[2]
PAGE = "https://lms.example.org/play"
ORIGIN = "https://lms.example.org"


def _lines(product: LmsProduct | None, way: ConnectionWay, key: str | None = None) -> list[str]:
    instructions = build_instructions(product, PAGE, ORIGIN, key, "https://bridge.example.org")
    return [line for instruction in instructions if instruction.way is way for line in instruction.lines]


@pytest.mark.parametrize("product", [*LmsProduct, None])
def test_every_way_of_an_lms_has_words_and_lines(product: LmsProduct | None) -> None:
    instructions = build_instructions(product, PAGE, ORIGIN, "pk_key", "https://bridge.example.org/")

    assert instructions
    assert all(instruction.text.endswith(".") and instruction.lines for instruction in instructions)
    assert not [line for each in instructions for line in each.lines if "pk_…" in line or "keys create" in line]


@pytest.mark.parametrize(
    "product", [product for product, guide in LMS_GUIDES.items() if ConnectionWay.MIRROR in guide.ways]
)
def test_lines_for_nginx_are_those_of_the_configuration_that_is_tested(product: LmsProduct) -> None:
    """`tests/deployment/test_mirror.py` runs that one with a real nginx."""
    shipped = (ROOT / "deploy/nginx/scorm-mirror.conf").read_text(encoding="utf-8")
    create, _, *lines = _lines(product, ConnectionWay.MIRROR)
    block = "\n".join(f"    {line}" for line in lines)

    assert create.endswith(f"--scope {TokenScope.MIRROR}")
    assert len(lines) > 10
    assert [part for part in block.split("\n    }\n") if part.strip("\n }") not in shipped] == []
