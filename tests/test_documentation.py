"""What documents point to is there, and every code block has a test: `tests/documentation/` runs and reads them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.documentation.blocks import NOT_TESTED, PAGES, PLAIN, PROXIES, READ, RUN, SQL, blocks, unfenced_code

ROOT = Path(__file__).parents[1]
DECISIONS = sorted((ROOT / "docs/decisions").glob("*.md"))
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
PLACE = re.compile(r"`((?:bridge|mappings|storage|tests|benchmarks|docs)/[\w./*{}-]*)(?:::(\w+(?:\.\w+)*))?`")
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _anchors(path: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _is_defined(text: str, name: str) -> bool:
    """Return whether a Python module defines a class, function, method or value of a (dotted) name."""
    return all(
        re.search(rf"^\s*(?:(?:async )?def|class) {part}\b|^\s*{part}\b\s*(?::|=)", text, re.MULTILINE)
        for part in name.split(".")
    )


@pytest.mark.parametrize("path", DOCUMENTS, ids=_name)
def test_every_link_leads_somewhere(path: Path) -> None:
    # what only the site shows, it has; MkDocs looks for it
    text = re.sub(r"<!-- site: .*? -->", "", FENCE.sub("", path.read_text(encoding="utf-8")), flags=re.DOTALL)
    for link in LINK.findall(text):
        if re.match(r"https?:|mailto:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target), link


@pytest.mark.parametrize("path", DOCUMENTS, ids=_name)
def test_every_place_in_the_code_exists(path: Path) -> None:
    for file, name in PLACE.findall(path.read_text(encoding="utf-8")):
        if "*" in file or "{" in file:
            assert list(ROOT.glob(re.sub(r"{[^}]*}", "*", file))), file
            continue
        assert (ROOT / file).exists(), file
        assert not name or _is_defined((ROOT / file).read_text(encoding="utf-8"), name), f"{file}::{name}"


@pytest.mark.parametrize("path", PAGES, ids=_name)
def test_every_code_block_has_a_test_or_says_why_it_has_none(path: Path) -> None:
    assert unfenced_code(path) == [], "code is fenced (```), so that its language is known"
    for block in blocks(path):
        if not block.is_tested:
            assert block.title.removeprefix(NOT_TESTED).strip(), f"{block.place}: say why it is not tested"
        elif (ROOT / block.title).is_file():
            assert block.text in (ROOT / block.title).read_text(encoding="utf-8"), f"{block.place}: not as in the file"
        else:
            assert block.language in RUN + READ + PROXIES + SQL + PLAIN, (
                f'{block.place}: nothing tests {block.language or "this"}; title="{NOT_TESTED}why" marks a block'
            )


@pytest.mark.parametrize("path", DECISIONS, ids=_name)
def test_a_decision_is_short_and_numbered_as_its_file_is(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()

    assert 20 <= len(lines) <= 60
    assert lines[0].startswith(f"# {int(path.name[:4])}. ")
