"""Deciding which LMS a page is of, by the marks that it has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from bridge.lms_pages.marks import CERTAIN_WEIGHT, MARKS, LmsProduct, Mark, MarkPlace
from bridge.lms_pages.visit import VisitedPage
from bridge.tap.script import load_script

_TAP = re.compile(r"<script\b[^<>]{0,1000}\bdata-key=[\"']?(pk_[\w-]{1,100})[^<>]{0,500}>", re.IGNORECASE)
_TAP_VERSION = re.compile(r"/tap\.js\?v=(\w{1,64})")
_META_POLICY = re.compile(
    r"<meta\b[^<>]{0,200}\bContent-Security-Policy\b[^<>]{0,100}\bcontent\s?=\s?\"([^\"<]{1,4000})", re.IGNORECASE
)


class Certainty(StrEnum):
    """How sure it is which LMS a page is of."""

    CERTAIN = "certain"
    """It has what no other LMS's pages have."""
    LIKELY = "likely"
    """It has what others may mention, too."""
    UNKNOWN = "unknown"
    """It has no mark of any."""


@dataclass(frozen=True, slots=True)
class Recognition:
    """Which LMS a page seems to be of.

    Attributes:
        product: the LMS; None where it is not known.
        version: as the page says it, or a part of it such as 1; empty where it does not.
        evidence: what it was recognized by, in words.
        others: LMSs that the page has weaker marks of, such as one whose player it contains.
    """

    product: LmsProduct | None
    version: str
    certainty: Certainty
    evidence: Sequence[str]
    others: Sequence[LmsProduct]


@dataclass(frozen=True, slots=True)
class TapInPage:
    """The tap's line, as a page has it. `is_outdated` is whether it asks for another release of the script."""

    key: str
    is_outdated: bool


def recognize(page: VisitedPage) -> Recognition:
    """Return which LMS a page seems to be of."""
    matches = list(_matches(page))
    weights = {product: sum(mark.weight for mark, _ in matches if mark.product is product) for product in LmsProduct}
    # of equal ones the first: LMSs stand before the players that they may contain
    ranked = sorted((product for product in LmsProduct if weights[product]), key=lambda product: -weights[product])
    if not ranked:
        return Recognition(None, "", Certainty.UNKNOWN, (), ())
    product, *others = ranked
    own = [(mark, version) for mark, version in matches if mark.product is product]
    return Recognition(
        product,
        _describe_version(product, max((version for _, version in own), key=len)),
        Certainty.CERTAIN if weights[product] >= CERTAIN_WEIGHT else Certainty.LIKELY,
        [f"{mark.place}: {mark.meaning}" for mark, _ in own],
        others,
    )


def tap_in(page: VisitedPage) -> TapInPage | None:
    """Return the tap's line that a page has, None where it has none."""
    element = _TAP.search(page.text)
    if element is None:
        return None
    version = _TAP_VERSION.search(element[0])
    return TapInPage(element[1], version is not None and version[1] != load_script().version)


def restricts_scripts(page: VisitedPage, origin: str) -> bool:
    """Return whether a page has a Content-Security-Policy that says which scripts it runs, without the bridge."""
    meta = _META_POLICY.search(page.text)
    policies = [page.policy, "" if meta is None else meta[1]]
    return any(
        re.search(r"\b(?:script-src|default-src|connect-src)\b", policy) is not None and origin not in policy
        for policy in policies
    )


def _matches(page: VisitedPage) -> Iterator[tuple[Mark, str]]:
    """Yield the marks of a page, each with the version that it says, or empty."""
    texts = {
        MarkPlace.ADDRESS: [
            parts.netloc + (parts.path or "/") for parts in (urlsplit(answer.url) for answer in page.answers)
        ],
        MarkPlace.HEADER: [f"{name}: {value}" for answer in page.answers for name, value in answer.headers.items()],
        MarkPlace.COOKIE: [name for answer in page.answers for name in answer.cookies],
        MarkPlace.HTML: [page.text],
    }
    for mark in MARKS:
        match = next(filter(None, (mark.pattern.search(text) for text in texts[mark.place])), None)
        if match is not None:
            yield mark, (match.groupdict().get("version") or "").rstrip(".")


def _describe_version(product: LmsProduct, version: str) -> str:
    """Return a version as people know it: Moodle's documentation has 3.9 as 39, and 4.1 as 401."""
    if product is LmsProduct.MOODLE and version:
        return f"{version[0]}.{int(version[1:])}"
    return version
