"""What pages of LMSs are recognized by: marks in addresses, headers, cookies and HTML.

They were read in the sources of the LMSs that are open, and in public descriptions of the others. No pattern can repeat
without bound, so that a page takes no longer than it is long.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class LmsProduct(StrEnum):
    """The LMSs and players that are told apart."""

    MOODLE = "moodle"
    """Moodle, and what is built on it."""
    OPEN_EDX = "open-edx"
    """The Open edX platform with an XBlock for SCORM."""
    ILIAS = "ilias"
    """ILIAS, with its players for SCORM 1.2 and 2004."""
    CHAMILO = "chamilo"
    """Chamilo LMS 1 and 2."""
    SAKAI = "sakai"
    """Sakai, with its SCORM tool."""
    CANVAS = "canvas"
    """Canvas by Instructure, which plays SCORM by tools of others."""
    SCORM_AGAIN = "scorm-again"
    """Any page that makes the API with scorm-again."""
    SCORM_CLOUD = "scorm-cloud"
    """SCORM Cloud, and Rustici Engine in somebody's LMS."""
    DOCEBO = "docebo"
    """Docebo, as a service."""
    ABSORB = "absorb"
    """Absorb, as a service."""
    CORNERSTONE = "cornerstone"
    """Cornerstone OnDemand, as a service."""


class MarkPlace(StrEnum):
    """Where a mark stands."""

    ADDRESS = "address"
    """Host and path of the page, or of a redirect to it."""
    HEADER = "header"
    """A line `Name: value` of an answer."""
    COOKIE = "cookie"
    """The name of a cookie that an answer sets."""
    HTML = "page"
    """The HTML itself."""


CERTAIN_WEIGHT = 3
"""What marks of one LMS weigh together where nothing else would have them all."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that pages of an LMS have.

    A group `version` of the pattern is the LMS's version. `weight` is how much the mark says: `CERTAIN_WEIGHT` where no
    other LMS has it, 1 where pages of others may mention it.
    """

    product: LmsProduct
    place: MarkPlace
    pattern: re.Pattern[str]
    weight: int
    meaning: str


def _mark(product: LmsProduct, place: MarkPlace, pattern: str, weight: int, meaning: str) -> Mark:
    return Mark(product, place, re.compile(pattern, re.IGNORECASE), weight, meaning)


_P, _M = LmsProduct, MarkPlace
MARKS: tuple[Mark, ...] = (
    _mark(_P.MOODLE, _M.COOKIE, r"^MoodleSession", 3, "a cookie MoodleSession…"),
    _mark(_P.MOODLE, _M.HTML, r'\bM\.cfg\s?=\s?\{\s?"wwwroot"', 3, "a script that sets M.cfg.wwwroot"),
    _mark(_P.MOODLE, _M.HTML, r'<meta name="keywords" content="moodle,', 3, "keywords that begin with moodle"),
    _mark(_P.MOODLE, _M.HTML, r"/theme/(?:styles|yui_combo|image)\.php", 2, "files of theme/….php"),
    _mark(_P.MOODLE, _M.HTML, r"/lib/javascript\.php", 2, "scripts of lib/javascript.php"),
    _mark(_P.MOODLE, _M.ADDRESS, r"/mod/scorm/(?:player|loadSCO|view)\.php$", 2, "an address of mod/scorm"),
    # the branch of the release: 39 is 3.9, 401 is 4.1
    _mark(_P.MOODLE, _M.HTML, r"//docs\.moodle\.org/(?P<version>\d{2,3})/", 1, "a link to Moodle's documentation"),
    _mark(
        _P.OPEN_EDX, _M.HTML, r'<meta name="openedx-release-line" content="(?P<version>[\w./-]{0,60})"', 3,
        "the meta element openedx-release-line",
    ),
    _mark(_P.OPEN_EDX, _M.HTML, r'\bdata-usage-id="(?:block-v1:|i4x:)', 3, "a block with its usage key"),
    _mark(_P.OPEN_EDX, _M.ADDRESS, r"/courses?/(?:course-v1:|course-v1%3A)", 3, "a course key in the address"),
    _mark(_P.OPEN_EDX, _M.ADDRESS, r"/xblock/(?:block-v1:|block-v1%3A)", 3, "a block's key in the address"),
    _mark(_P.OPEN_EDX, _M.HTML, r"\bopenedx-logos/", 2, "the logo of Open edX"),
    _mark(_P.OPEN_EDX, _M.COOKIE, r"^(?:edxloggedin|edx-user-info)$", 2, "a cookie edxloggedin or edx-user-info"),
    _mark(_P.ILIAS, _M.COOKIE, r"^ilClientId$", 3, "a cookie ilClientId"),
    _mark(
        _P.ILIAS, _M.HTML, r"\bpowered by ILIAS(?: \(v(?P<version>\d{1,2}[\w.-]{0,20}))?", 3, "powered by ILIAS",
    ),
    _mark(_P.ILIAS, _M.HTML, r"\bilias\.php\?(?:[\w&;=%-]{0,200}[&;])?baseClass=", 3, "links to ilias.php?baseClass="),
    _mark(_P.ILIAS, _M.ADDRESS, r"/ilias\.php$", 3, "an address of ilias.php"),
    _mark(_P.ILIAS, _M.HTML, r"/delos\.css\b", 2, "the style sheet delos.css"),
    _mark(_P.CHAMILO, _M.HEADER, r"^X-Powered-By: Chamilo(?: (?P<version>[\d.]{1,20}))?", 3, "X-Powered-By: Chamilo"),
    _mark(
        _P.CHAMILO, _M.HTML, r'<meta name="generator" content="Chamilo(?: (?P<version>[\d.]{1,20}))?', 3,
        "the meta element Generator: Chamilo",
    ),
    _mark(_P.CHAMILO, _M.COOKIE, r"^ch_sid$", 3, "a cookie ch_sid"),
    _mark(_P.CHAMILO, _M.HTML, r"\bhttps?://(?:www\.)?chamilo\.org/", 2, "links to chamilo.org"),
    _mark(_P.CHAMILO, _M.HTML, r">\s?Chamilo (?P<version>\d[\d.]{0,15})", 2, "its name and version in the footer"),
    _mark(_P.CHAMILO, _M.ADDRESS, r"/main/lp/lp_controller\.php$", 2, "an address of lp_controller.php"),
    _mark(_P.SAKAI, _M.COOKIE, r"^SAKAIID$", 3, "a cookie SAKAIID"),
    _mark(_P.SAKAI, _M.HTML, r"\bclass=\"[\w -]{0,100}\bMrphs-", 3, "classes Mrphs-… of its portal"),
    _mark(_P.SAKAI, _M.HTML, r'"portalPath"\s?:\s?"', 2, "a script with portalPath"),
    _mark(_P.SAKAI, _M.HTML, r"- Sakai (?P<version>[\w.-]{1,30}) - Server", 3, "Sakai's version in the footer"),
    _mark(_P.SAKAI, _M.HTML, r"/library/skin/", 1, "files of library/skin"),
    _mark(_P.CANVAS, _M.HEADER, r"^X-Canvas-Meta:", 3, "a header X-Canvas-Meta"),
    _mark(_P.CANVAS, _M.ADDRESS, r"^[\w.-]{1,200}\.instructure\.com(?::\d+)?/", 3, "a host of instructure.com"),
    _mark(_P.CANVAS, _M.COOKIE, r"^canvas_session$", 2, "a cookie canvas_session"),
    _mark(_P.CANVAS, _M.HTML, r"/dist/brandable_css/", 3, "style sheets of dist/brandable_css"),
    _mark(
        _P.SCORM_AGAIN, _M.HTML, r"\bscorm-again@(?P<version>\d{1,3}(?:\.\d{1,4}){0,2})", 3,
        "a script of the package scorm-again",
    ),
    _mark(_P.SCORM_AGAIN, _M.HTML, r"\bscorm-again(?:\.min)?\.js\b", 3, "a script scorm-again.js"),
    _mark(_P.SCORM_AGAIN, _M.HTML, r"\bnew (?:\w{1,40}\.)?Scorm(?:12|2004)API\(", 3, "a call of its constructor"),
    _mark(_P.SCORM_CLOUD, _M.ADDRESS, r"^(?:[\w-]{1,60}\.)?cloud\.scorm\.com/", 3, "a host of cloud.scorm.com"),
    _mark(_P.SCORM_CLOUD, _M.ADDRESS, r"/(?:ScormEngineInterface|RusticiEngine)/", 3, "an address of its engine"),
    _mark(_P.SCORM_CLOUD, _M.HTML, r"/(?:ScormEngineInterface|RusticiEngine)/", 2, "links to its engine"),
    _mark(_P.SCORM_CLOUD, _M.HTML, r"//(?:[\w-]{1,60}\.)?cloud\.scorm\.com/", 1, "links to cloud.scorm.com"),
    _mark(_P.DOCEBO, _M.ADDRESS, r"^[\w.-]{1,200}\.docebosaas\.com(?::\d+)?/", 3, "a host of docebosaas.com"),
    _mark(_P.DOCEBO, _M.HTML, r"//[\w.-]{1,60}\.dcbstatic\.com/", 3, "files of dcbstatic.com"),
    _mark(_P.DOCEBO, _M.HTML, r"//[\w.-]{1,60}\.docebosaas\.com\b", 1, "links to docebosaas.com"),
    _mark(_P.ABSORB, _M.ADDRESS, r"^[\w.-]{1,200}\.myabsorb\.[a-z.]{2,6}(?::\d+)?/", 3, "a host of myabsorb.com"),
    _mark(_P.ABSORB, _M.HTML, r"//[\w.-]{1,60}\.myabsorb\.[a-z.]{2,6}\b", 2, "links to myabsorb.com"),
    _mark(_P.CORNERSTONE, _M.ADDRESS, r"^[\w.-]{1,200}\.csod\.com(?::\d+)?/", 3, "a host of csod.com"),
    _mark(_P.CORNERSTONE, _M.HTML, r"\bcsod\.context\s?=", 3, "a script that sets csod.context"),
    _mark(_P.CORNERSTONE, _M.HTML, r"//[\w.-]{1,60}\.csod\.com\b", 1, "links to csod.com"),
)  # fmt: skip
"""All marks, those of an LMS together."""
