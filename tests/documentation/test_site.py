"""The documentation as a web site: it builds strictly, is whole, and loads nothing from other hosts."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from bridge.cli import main
from bridge.http.openapi import description
from docs.site.api_reference import METHODS
from docs.site.command_reference import NAME, commands
from tests.documentation.blocks import ROOT
from tests.documentation.site import build_site

LOADED = re.compile(r"""<(?:script|img|iframe|source|link)\b[^>]*?(?:src|href)="(?P<address>[^"]*)\"""")
IMPORTED = re.compile(r"url\(\s*['\"]?(?P<address>[^)'\"]+)|@import\s+['\"](?P<import>[^'\"]+)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` builds it."""
    folder = tmp_path_factory.mktemp("site")
    build_site(folder)
    return folder


def test_nothing_is_loaded_from_another_host(site: Path) -> None:
    outside = [
        f"{page.relative_to(site)}: {match['address']}"
        for page in site.rglob("*.html")
        for match in LOADED.finditer(page.read_text(encoding="utf-8"))
        if re.match(r"[a-z]+:|//", match["address"])
    ]
    outside += [
        f"{sheet.relative_to(site)}: {address}"
        for sheet in site.rglob("*.css")
        for match in IMPORTED.finditer(sheet.read_text(encoding="utf-8"))
        if re.match(r"https?:|//", address := match["address"] or match["import"])
    ]

    assert outside == []


def test_every_page_has_one_title_and_no_list_that_became_text(site: Path) -> None:
    pages = [page for page in site.rglob("*.html") if page.name != "404.html"]
    assert len(pages) > 40
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert len(re.findall(r"<h1\b", text)) == 1, page
        assert re.search(r"<p>[^<]*\n(?:- |\d+\. )", text) is None, page
        assert "<p>|" not in text, page
        assert re.search(r"<p>[^<]*```", text) is None, page


def test_every_command_has_its_options_on_the_page_of_commands(site: Path) -> None:
    text = html.unescape((site / "reference/commands.html").read_text(encoding="utf-8"))
    for path, command in commands(main, NAME):
        section = re.search(
            rf'<h[23] id="{path.replace(" ", "-")}">(?P<text>.*?)(?:<h[23] id=|</article>)', text, re.DOTALL
        )
        assert section is not None, path
        options = [
            option
            for parameter in command.params
            if parameter.param_type_name == "option" and not getattr(parameter, "hidden", False)
            for option in parameter.opts
        ]
        assert [option for option in options if option not in section["text"]] == [], path


def test_every_operation_is_on_the_page_of_the_api(site: Path) -> None:
    text = html.unescape((site / "reference/operations.html").read_text(encoding="utf-8"))
    document = description()
    operations = [
        (f"{method.upper()} {path}", operations[method]["operationId"].lower())
        for path, operations in document["paths"].items()
        for method in METHODS
        if method in operations
    ]

    assert len(operations) > 10
    for title, anchor in operations:
        assert f'<h3 id="{anchor}"><code>{title}</code>' in text
    for name in document["components"]["schemas"]:
        assert f'<h3 id="{name.lower()}">' in text


def test_proofs_of_promises_are_folded_and_all_there(site: Path) -> None:
    source = (ROOT / "docs/promises.md").read_text(encoding="utf-8")
    text = (site / "promises.html").read_text(encoding="utf-8")
    rows = re.findall(r"^\| P\d+ \|.*$", source, re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`((?:tests|benchmarks)/[^`]+)`", row.split("|")[3])]

    assert len(rows) == 34
    assert [name for name in named if f"<code>{name}</code>" not in text] == []
    assert text.count("<details>") == sum("`" in row.split("|")[3] for row in rows)
