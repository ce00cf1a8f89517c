"""HTML pages of strangers, into which a script is put before all others; no other byte of them changes.

Source: HTML Living Standard, 13.2.5 (where tags begin and end) and 4.2.5.4 (the encoding must be declared early).
"""

from __future__ import annotations

import codecs
import re
from html import escape, unescape
from typing import NamedTuple

from bridge.packages import PackageError

_BOMS = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_TOKEN = re.compile(
    r"""<!--.*?(?:-->|\Z)|<[!?][^>]*>|<(?P<tag>/?[A-Za-z][A-Za-z0-9:-]*)(?P<attributes>(?:[^>"']|"[^"]*"|'[^']*')*+)>""",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(r"""([^\s"'<>/=]+)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s"'=<>`]+))?""")
_MARKS = ("\ufeff", codecs.BOM_UTF8.decode("latin-1"))
"""Byte order marks as they are read."""
_BEFORE_CONTENT = frozenset({"html", "head"})
_HARMLESS = frozenset({"title", "/title"})
_SEARCHED_CHARACTERS = 64 * 1024
"""How far into a page its head is looked for."""


class ChangedPage(NamedTuple):
    """A page with the script, and whether its Content-Security-Policy was widened for it."""

    content: bytes
    widened_policy: bool


def with_script(content: bytes, script: str, bridge: str) -> ChangedPage:
    """Return a page with a script element before all others.

    It stands behind what declares the encoding, which browsers look for in the first 1,024 bytes only. Where the page
    has a Content-Security-Policy of its own, that lets the script reach `bridge`, an origin.

    Raises:
        PackageError: its text cannot be read.
    """
    encoding = next((name for bom, name in _BOMS if content.startswith(bom)), "latin-1")
    try:
        text = content.decode(encoding)  # Latin-1 takes any bytes, and gives them back
    except UnicodeError as error:
        raise PackageError(f"it is no UTF-16, as it says: {error}") from None
    place = _place(text)
    policies = list(_policies(text[place : place + _SEARCHED_CHARACTERS], bridge))
    for start, end, policy in reversed(policies):
        text = text[: place + start] + policy + text[place + end :]
    return ChangedPage((text[:place] + script + text[place:]).encode(encoding), bool(policies))


def _place(text: str) -> int:
    """Return where the script goes: into the head, behind its declared encoding if no other script comes before it."""
    place = next((len(mark) for mark in _MARKS if text.startswith(mark)), 0)
    at = place
    while (token := _TOKEN.search(text, at, at + _SEARCHED_CHARACTERS)) is not None:
        tag = (token["tag"] or "").lower()
        if text[at : token.start()].strip() and tag != "/title":
            return place  # text: the body has begun
        at = token.end()
        if tag in _BEFORE_CONTENT:
            place = at
        elif tag == "meta":
            attributes = _attributes(token["attributes"])
            kind = attributes.get("http-equiv", "").lower()
            if "charset" in attributes or kind == "content-type":
                return at
            if kind == "content-security-policy":
                return place
        elif tag and tag not in _HARMLESS:
            return place
        elif not tag and token[0].lower().startswith(("<!doctype", "<?xml")):
            place = at
    return place


def _policies(text: str, bridge: str) -> list[tuple[int, int, str]]:
    """Return the content of each Content-Security-Policy that is to be changed: where it lies, and what it becomes."""
    changed: list[tuple[int, int, str]] = []
    for token in _TOKEN.finditer(text):
        if (token["tag"] or "").lower() != "meta":
            continue
        if _attributes(token["attributes"]).get("http-equiv", "").lower() != "content-security-policy":
            continue
        for attribute in _ATTRIBUTE.finditer(token["attributes"]):
            if attribute[1].lower() == "content" and attribute[2]:
                start = token.start("attributes") + attribute.start(2)
                policy = _widened(_value(attribute[2]), bridge)
                if policy is not None:
                    changed.append((start, start + len(attribute[2]), f'"{escape(policy, quote=False)}"'))
    return changed


def _widened(policy: str, bridge: str) -> str | None:
    """Return a policy under which a page may also connect to the bridge, None where it may already."""
    directives = {
        words[0].lower(): words[1:] for directive in policy.split(";") if (words := directive.split()) and words
    }
    sources = directives.get("connect-src", directives.get("default-src"))
    if sources is None or "*" in sources or bridge in sources:
        return None
    allowed = [source for source in sources if source.lower() != "'none'"]
    directives["connect-src"] = [*allowed, bridge]
    return "; ".join(" ".join((name, *words)) for name, words in directives.items())


def _attributes(text: str) -> dict[str, str]:
    return {name.lower(): _value(value) for name, value in _ATTRIBUTE.findall(text)}


def _value(text: str) -> str:
    return unescape(text[1:-1] if text[:1] in {'"', "'"} else text)
