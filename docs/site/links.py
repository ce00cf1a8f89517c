"""Links of documents that leave `docs/`: on the site they lead to its own pages."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Mapping

_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<target>[^)\s#]+)(?P<anchor>#[^)\s]+)?\)")
_EXTERNAL = re.compile(r"[a-z]+:|/")
_FENCE = re.compile(r"(^ *```.*?^ *```)", re.DOTALL | re.MULTILINE)


def resolve_links(markdown: str, page: str, root_pages: Mapping[str, str], mappings: Collection[str]) -> str:
    """Return the text of a page with its links as the site has them; `page` is its path below `docs/`.

    `root_pages` names the pages made of documents beside `docs/`, and `mappings` the files in `mappings/` that are a
    section of the page of shipped mappings. What else is outside `docs/` is shown as text: the site does not have it.
    """

    def replace(match: re.Match[str]) -> str:
        target, anchor, text = match["target"], match["anchor"] or "", match["text"]
        if _EXTERNAL.match(target):
            return match[0]
        folder = posixpath.dirname(page)
        path = posixpath.normpath(posixpath.join("docs", folder, target))
        if path == "docs/decisions":
            path = "docs/decisions/index.md"
        elif path in root_pages:
            path = f"docs/{root_pages[path]}"
        elif path == "README.md":
            path = "docs/index.md"
        elif (mapping := re.fullmatch(r"mappings/([\w-]+)\.toml", path)) and mapping[1] in mappings:
            path, anchor = "docs/reference/shipped-mappings.md", f"#{mapping[1]}"
        if not path.startswith("docs/"):
            return text
        return f"[{text}]({posixpath.relpath(path, posixpath.join('docs', folder))}{anchor})"

    # what is inside fences is code, whatever it looks like
    parts = _FENCE.split(markdown)
    return "".join(part if index % 2 else _LINK.sub(replace, part) for index, part in enumerate(parts))
