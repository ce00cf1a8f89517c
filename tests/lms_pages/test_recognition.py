"""Which LMS a page is of: pages with the marks of each, as a server gives them, and pages that mislead."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from bridge.lms_pages.instructions import GUIDES, LMS_GUIDES, guide_of
from bridge.lms_pages.marks import MARKS, LmsProduct
from bridge.lms_pages.recognition import Certainty, Recognition, recognize, restricts_scripts, tap_in
from bridge.lms_pages.visit import PageAnswer, VisitedPage, visit_page
from bridge.tap.script import load_script
from tests.lms_pages import pages
from tests.lms_pages.pages import SamplePage, serve_page
from tests.support.http_server import LOOPBACK

ROOT = Path(__file__).parents[2]
KEY = "pk_7Jv2mWc1xQ"
LONG_PAGE = 200_000
"""Characters that are looked through in a tenth of a second."""


async def _recognize(page: SamplePage) -> Recognition:
    async with serve_page(page) as url:
        return recognize(await visit_page(LOOPBACK, url))


def _page(text: str = "", url: str = "https://lms.example.org/", **headers: str) -> VisitedPage:
    return VisitedPage([PageAnswer(url, 200, headers)], text)


@pytest.mark.parametrize(
    ("page", "product", "version"),
    [
        (pages.MOODLE, LmsProduct.MOODLE, "4.5"),
        (pages.OPEN_EDX, LmsProduct.OPEN_EDX, "sumac"),
        (pages.ILIAS, LmsProduct.ILIAS, "9.4"),
        (pages.CHAMILO, LmsProduct.CHAMILO, "1.11.26"),
        (pages.SAKAI, LmsProduct.SAKAI, "23.3"),
        (pages.CANVAS, LmsProduct.CANVAS, ""),
        (pages.SCORM_AGAIN, LmsProduct.SCORM_AGAIN, "3.0.2"),
        (pages.SCORM_CLOUD, LmsProduct.SCORM_CLOUD, ""),
        (pages.DOCEBO, LmsProduct.DOCEBO, ""),
        (pages.CORNERSTONE, LmsProduct.CORNERSTONE, ""),
    ],
    ids=lambda value: value.value if isinstance(value, LmsProduct) else "",
)
async def test_an_lms_is_recognized_by_its_page_with_its_version_and_the_evidence(
    page: SamplePage, product: LmsProduct, version: str
) -> None:
    recognition = await _recognize(page)

    assert (recognition.product, recognition.version) == (product, version)
    assert recognition.certainty is Certainty.CERTAIN
    assert recognition.evidence
    assert recognition.others == []


@pytest.mark.parametrize(
    ("url", "product"),
    [
        ("https://campus.instructure.com", LmsProduct.CANVAS),
        ("https://campus.docebosaas.com/learn", LmsProduct.DOCEBO),
        ("https://campus.myabsorb.com/#/login", LmsProduct.ABSORB),
        ("https://campus.myabsorb.eu/", LmsProduct.ABSORB),
        ("https://campus.csod.com/client/campus/default.aspx", LmsProduct.CORNERSTONE),
        ("https://cloud.scorm.com/content/player", LmsProduct.SCORM_CLOUD),
        ("https://campus.example.org/RusticiEngine/defaultui/player.html", LmsProduct.SCORM_CLOUD),
        ("https://lms.example.org/courses/course-v1:acme+a+1/course/", LmsProduct.OPEN_EDX),
        ("https://lms.example.org/ilias.php", LmsProduct.ILIAS),
    ],
)
def test_an_lms_is_recognized_by_its_address_where_the_page_is_empty(url: str, product: LmsProduct) -> None:
    assert recognize(_page(url=url)).product is product


@pytest.mark.parametrize(
    "url", ["https://instructure.com.example.org/", "https://csod.com.example.org/", "https://notcsod.com/"]
)
def test_a_host_that_only_looks_like_an_lms_s_is_of_none(url: str) -> None:
    assert recognize(_page(url=url)).product is None


@pytest.mark.parametrize(
    ("branch", "version"), [("39", "3.9"), ("311", "3.11"), ("401", "4.1"), ("405", "4.5"), ("500", "5.0")]
)
def test_moodle_s_version_is_the_one_that_its_documentation_is_of(branch: str, version: str) -> None:
    page = _page(f'M.cfg = {{"wwwroot":"https:"}}; <a href="https://docs.moodle.org/{branch}/de/">Hilfe</a>')

    assert recognize(page).version == version


async def test_a_link_to_an_lms_alone_makes_it_likely_and_not_certain() -> None:
    recognition = await _recognize(SamplePage(body='<a href="https://docs.moodle.org/405/en/">Moodle</a>'))

    assert (recognition.product, recognition.certainty) == (LmsProduct.MOODLE, Certainty.LIKELY)


async def test_an_lms_that_contains_another_one_s_player_is_itself_and_the_player_is_told() -> None:
    page = SamplePage(head=pages.MOODLE.head, body=pages.SCORM_CLOUD.body)
    recognition = await _recognize(page)

    assert (recognition.product, recognition.others) == (LmsProduct.MOODLE, [LmsProduct.SCORM_CLOUD])


async def test_a_page_of_no_lms_is_of_none() -> None:
    recognition = await _recognize(pages.OTHER)

    assert recognition == Recognition(None, "", Certainty.UNKNOWN, (), ())


@pytest.mark.parametrize(
    "piece",
    [
        "<script ",
        "<meta Content-Security-Policy ",
        'class="a b ',
        "ilias.php?a=1&",
        "<input ",
        "//a.",
        "<title ",
        "a" * 99,
    ],
)
def test_a_page_that_repeats_the_beginning_of_a_mark_takes_no_longer_for_it(piece: str) -> None:
    page = _page(piece * (LONG_PAGE // len(piece)))
    started = time.process_time()
    recognition = recognize(page)
    facts = (page.title, page.asks_to_sign_in, tap_in(page), restricts_scripts(page, "https://bridge.example.org"))

    assert (recognition.product, facts) == (None, ("", False, None, False))
    assert time.process_time() - started < 1


def test_every_lms_has_marks_and_a_guide() -> None:
    assert {mark.product for mark in MARKS} == set(LmsProduct)
    assert set(LMS_GUIDES) == set(LmsProduct)
    assert all(guide_of(product).ways for product in [*LmsProduct, None])
    assert all((ROOT / GUIDES / guide_of(product).guide).is_file() for product in [*LmsProduct, None])


def test_the_line_is_seen_in_a_page_and_whether_it_is_of_this_release() -> None:
    tag = load_script().element("https://bridge.example.org", KEY)
    present, older = tap_in(_page(f"<head>{tag}</head>")), tap_in(_page(tag.replace(load_script().version, "0" * 12)))
    bare = tap_in(_page(f"<script src=/tap.js data-key='{KEY}' async></script>"))

    assert present is not None
    assert older is not None
    assert bare is not None
    assert [(line.key, line.is_outdated) for line in (present, older, bare)] == [
        (KEY, False),
        (KEY, True),
        (KEY, False),
    ]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("script-src 'self'", True),
        ("default-src 'self'; img-src *", True),
        ("frame-ancestors 'self'", False),
        ("script-src 'self' https://bridge.example.org; connect-src https://bridge.example.org", False),
    ],
)
def test_a_policy_that_leaves_the_bridge_out_is_seen(policy: str, *, expected: bool) -> None:
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'

    assert restricts_scripts(_page(**{"Content-Security-Policy": policy}), "https://bridge.example.org") is expected
    assert restricts_scripts(_page(meta), "https://bridge.example.org") is expected
