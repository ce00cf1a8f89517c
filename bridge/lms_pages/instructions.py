"""How to connect the LMS that a page is of: what to put where, with the addresses and the key filled in."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from bridge.lms_pages.marks import LmsProduct
from bridge.lms_pages.mirror_lines import mirror_lines
from bridge.operations.browser_keys import PLACEHOLDER_URL, script_tag

GUIDES = "docs/guides"


class ConnectionWay(StrEnum):
    """How what courses tell an LMS comes to the bridge."""

    TAP = "tap"
    """A line in the LMS's pages."""
    WRAP = "wrap"
    """Course packages that record for themselves."""
    MIRROR = "mirror"
    """The LMS's proxy sends the bridge a copy of what players post."""
    SERVER = "server"
    """The LMS's server or player posts to the bridge."""


@dataclass(frozen=True, slots=True)
class LmsGuide:
    """What is known of an LMS. `head` is where its administrators put a line into the `<head>` of its pages."""

    name: str
    guide: str
    ways: tuple[ConnectionWay, ...]
    head: str = ""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One way to connect an LMS: what to do, and the lines to paste or to run."""

    way: ConnectionWay
    text: str
    lines: tuple[str, ...]


_TAP, _WRAP = ConnectionWay.TAP, ConnectionWay.WRAP
_MIRROR, _SERVER = ConnectionWay.MIRROR, ConnectionWay.SERVER
LMS_GUIDES: Mapping[LmsProduct, LmsGuide] = {
    LmsProduct.MOODLE: LmsGuide(
        "Moodle", "moodle.md", (_TAP, _WRAP),
        "Site administration, Appearance, Additional HTML, Within HEAD (setting additionalhtmlhead)",
    ),
    LmsProduct.OPEN_EDX: LmsGuide(
        "Open edX", "open-edx.md", (_TAP, _WRAP), "the theme's file lms/templates/head-extra.html"
    ),
    LmsProduct.ILIAS: LmsGuide(
        "ILIAS", "ilias.md", (_TAP, _WRAP, _MIRROR), "the templates of the skin that begin the SCORM players' pages"
    ),
    LmsProduct.CHAMILO: LmsGuide(
        "Chamilo", "chamilo.md", (_TAP, _WRAP, _MIRROR),
        "Administration, Extra content in header (setting header_extra_content; administrators do not get it)"
    ),
    LmsProduct.SAKAI: LmsGuide("Sakai", "sakai.md", (_TAP, _WRAP), "portal.include.extrahead in sakai.properties"),
    LmsProduct.CANVAS: LmsGuide("Canvas", "canvas.md", (_WRAP,)),
    LmsProduct.SCORM_AGAIN: LmsGuide(
        "a page with scorm-again", "scorm-again.md", (_SERVER, _TAP), "the page that makes the API, before it does"
    ),
    LmsProduct.SCORM_CLOUD: LmsGuide("SCORM Cloud or Rustici Engine", "scorm-cloud.md", (_SERVER, _WRAP)),
    LmsProduct.DOCEBO: LmsGuide("Docebo", "hosted-lms.md", (_WRAP,)),
    LmsProduct.ABSORB: LmsGuide("Absorb", "hosted-lms.md", (_WRAP,)),
    LmsProduct.CORNERSTONE: LmsGuide("Cornerstone", "hosted-lms.md", (_WRAP,)),
}  # fmt: skip
ANY_LMS = LmsGuide("an LMS that is not known here", "index.md", (_TAP, _WRAP, _SERVER), "the page that plays courses")


def guide_of(product: LmsProduct | None) -> LmsGuide:
    """Return what is known of an LMS, or of those that are not told apart."""
    return ANY_LMS if product is None else LMS_GUIDES[product]


def build_instructions(
    product: LmsProduct | None, page_url: str, origin: str, key: str | None, public_url: str
) -> list[Instruction]:
    """Return the ways to connect an LMS, the one first that is the simplest there.

    `key` is a browser key; where there is none, how to make one is said. `public_url` is the bridge's own address.
    """
    guide = guide_of(product)
    build = {_TAP: _tap, _WRAP: _wrap, _MIRROR: _mirror, _SERVER: _server}
    case = _Case(product, guide, page_url, origin, key, public_url.rstrip("/") or PLACEHOLDER_URL)
    return [build[way](case) for way in guide.ways]


@dataclass(frozen=True, slots=True)
class _Case:
    product: LmsProduct | None
    guide: LmsGuide
    page_url: str
    origin: str
    key: str | None
    bridge: str

    @property
    def create_key(self) -> str:
        """Return the command that makes a key; the LMS is called after its host."""
        # a page decides by its redirects what its address is: it must not decide what a shell runs
        return f"scorm-bridge keys create --lms {shlex.quote(self.lms)} --origin {shlex.quote(self.origin)}"

    @property
    def lms(self) -> str:
        """Return a name for the LMS: its host."""
        return urlsplit(self.origin).hostname or "campus"


def _tap(case: _Case) -> Instruction:
    if case.key is None:
        return Instruction(
            _TAP,
            f"Record with one line in its pages. First make a key for it, then ask again with the key for the line to"
            f" paste; it goes into: {case.guide.head}.",
            (
                case.create_key,
                f"scorm-bridge connect {shlex.quote(case.page_url)} --key pk_…",
            ),
        )
    return Instruction(
        _TAP, f"Put this line first into the <head>: {case.guide.head}.", (script_tag(case.bridge, case.key),)
    )


def _wrap(case: _Case) -> Instruction:
    create = () if case.key else (case.create_key,)
    return Instruction(
        _WRAP,
        "Wrap its course packages, and import the wrapped ones in place of the originals. The key is for the origin"
        " that courses themselves are served from: where that is another one, name it (in the console of a course's"
        " frame, location.origin says it).",
        (*create, f"scorm-bridge wrap course.zip --key {case.key or 'pk_…'} -o course-wrapped.zip"),
    )


def _mirror(case: _Case) -> Instruction:
    name = shlex.quote(case.lms)
    return Instruction(
        _MIRROR,
        "Where nginx stands in front of it, nginx can mirror what players post, in place of the line and of wrapped"
        " packages. These locations go into its server, with what passes requests on as it stands there;"
        " deploy/nginx/scorm-mirror.conf is a whole configuration, docs/guides/mirror.md says what goes with it.",
        (
            f"scorm-bridge tokens create --lms {name} --home-page {shlex.quote(case.origin)} --scope mirror",
            "",
            *mirror_lines(case.product),
        ),
    )


def _server(case: _Case) -> Instruction:
    if case.product is LmsProduct.SCORM_CLOUD:
        return Instruction(
            _SERVER,
            "Have it post registrations' results to the bridge: the application's postback settings, with any user name"
            " and, as the password, a token of `scorm-bridge tokens create`.",
            (f"{case.bridge}/v1/formats/scorm-cloud",),
        )
    if case.product is LmsProduct.SCORM_AGAIN:
        return Instruction(
            _SERVER,
            "Have the page's server open a session for each launch with a token of `scorm-bridge tokens create`, and"
            " give its commit_url to the player.",
            ("lmsCommitUrl: commit_url, autocommit: true, useAsynchronousCommits: true,",
             'asyncModeBeaconBehavior: "on-terminate",'),
        )  # fmt: skip
    return Instruction(
        _SERVER,
        "Where its server can be changed, have it post commits with a token of `scorm-bridge tokens create`.",
        (f"POST {case.bridge}/v1/commits",),
    )
