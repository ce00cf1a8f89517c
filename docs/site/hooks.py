"""The hooks of MkDocs (`mkdocs.yml` names this file): generated pages, links that leave `docs/`, diagrams."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from docs.site.api_reference import api_reference
from docs.site.command_reference import command_reference
from docs.site.diagrams import format_states
from docs.site.links import resolve_links
from docs.site.proofs import fold_proofs

ROOT = Path(__file__).parents[2]
DECISIONS = "decisions"
ROOT_PAGES = {"CONTRIBUTING.md": "contributing.md", "SECURITY.md": "reporting.md", "CHANGELOG.md": "changelog.md"}
"""Documents beside `docs/`, and the pages that the site has of them."""
MAPPINGS = ("scorm-profile", "cmi5", "minimal")
_SITE_ONLY = re.compile(r"<!-- site: (.*?) -->", re.DOTALL)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the decisions to the navigation, and draw diagrams without scripts."""
    decisions = sorted(path.name for path in (ROOT / "docs" / DECISIONS).glob("*.md"))
    _nav_section(config.nav, "Decisions").extend(f"{DECISIONS}/{name}" for name in decisions)
    config.mdx_configs.setdefault("pymdownx.superfences", {})["custom_fences"] = [
        {"name": "mermaid", "class": "states", "format": format_states}
    ]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are generated, and those of documents beside `docs/`."""
    pages = {
        "reference/operations.md": api_reference(),
        "reference/commands.md": command_reference(),
        "reference/shipped-mappings.md": _shipped_mappings(),
        f"{DECISIONS}/index.md": _decisions(),
    }
    for name, page in ROOT_PAGES.items():
        pages[page] = (ROOT / name).read_text(encoding="utf-8").replace("](docs/", "](")
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Show what only the site has, fold proofs, and lead links out of `docs/` to pages of the site."""
    shown = fold_proofs(_SITE_ONLY.sub(r"\1", markdown))
    return resolve_links(shown, page.file.src_uri, ROOT_PAGES, MAPPINGS)


def _nav_section(nav: Any, title: str) -> list[Any]:
    """Return the list of a section of the navigation, at any depth."""
    for item in nav:
        for name, children in item.items() if isinstance(item, dict) else ():
            if isinstance(children, list):
                if name == title:
                    return children
                try:
                    return _nav_section(children, title)
                except LookupError:
                    continue
    raise LookupError(f"mkdocs.yml has no section {title!r} in its navigation")


def _decisions() -> str:
    titles = {
        path.name: path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        for path in sorted((ROOT / "docs" / DECISIONS).glob("*.md"))
    }
    lines = "\n".join(f"- [{title}]({name})" for name, title in titles.items())
    return f"# Decisions\n\nWhy things are as they are: one short page for each decision.\n\n{lines}\n"


def _shipped_mappings() -> str:
    parts = [
        "# The shipped mappings\n\nThe files as they are shipped: copy one to begin [your own](../mappings.md).\n",
    ]
    for name in MAPPINGS:
        text = (ROOT / "mappings" / f"{name}.toml").read_text(encoding="utf-8")
        parts.append(f"## {name}\n\n```toml\n{text.rstrip()}\n```\n")
    return "\n".join(parts)
