"""Where the script goes in a page, and that nothing else of the page changes."""

from __future__ import annotations

import codecs
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.packages import PackageError
from bridge.packages.page import with_script

BRIDGE = "https://bridge.example.org"
SCRIPT = '<script src="tap.js"></script>'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<!doctype html><html><head>", "<title>t</title><script>1</script></head><body></body></html>"),
        ("<html><HEAD profile='a>b'>", "<script>1</script></HEAD></html>"),
        ("<!-- <head> --><html><!--[if IE]><head><![endif]--><head>", "<script>1</script></head>"),
        ('<head><meta charset="iso-8859-1">', "<script>1</script></head>"),
        ('<head><title>t</title><meta http-equiv="Content-Type" content="text/html; charset=x">', "<script>1</script>"),
        ('<?xml version="1.0"?><!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml"><head>', "<link/></head>"),
        ("<!doctype html>", "<script>1</script>no head"),
        ("<!doctype html>", "<p>text</p>"),
        ("", "text alone"),
        ("", ""),
        ("<html>", "<frameset cols='*'><frame src='a.html'></frameset></html>"),
        ("<html><head>", "<script>1</script><meta charset='utf-8'></head>"),
        ("<html><head>", "text < here <meta charset='utf-8'></head>"),
    ],
)
def test_the_script_comes_first_and_behind_the_declared_encoding(before: str, after: str) -> None:
    page = with_script(f"{before}{after}".encode(), SCRIPT, BRIDGE)

    assert page.content.decode() == f"{before}{SCRIPT}{after}"


def test_a_policy_that_comes_first_does_not_hold_the_script() -> None:
    """A policy in a page holds for what comes after it."""
    policy = """<meta http-equiv="Content-Security-Policy" content="script-src 'nonce-1'">"""
    page = with_script(f"<head>{policy}<meta charset='utf-8'></head>".encode(), SCRIPT, BRIDGE)

    assert page.content.decode() == f"<head>{SCRIPT}{policy}<meta charset='utf-8'></head>"


@pytest.mark.parametrize(
    ("policy", "widened"),
    [
        ("default-src 'self'", f"default-src 'self'; connect-src 'self' {BRIDGE}"),
        ("default-src 'self'; connect-src https://a.example", None),
        ("connect-src 'none'", f"connect-src {BRIDGE}"),
        ("default-src 'none'; img-src *", f"default-src 'none'; img-src *; connect-src {BRIDGE}"),
    ],
)
def test_a_page_with_a_policy_of_its_own_may_reach_the_bridge(policy: str, widened: str | None) -> None:
    html = f'<head><META HTTP-EQUIV=content-security-policy content="{policy}"></head>'
    page = with_script(html.encode(), SCRIPT, BRIDGE)

    expected = widened or f"{policy} {BRIDGE}"

    assert page.content.decode() == html.replace("<head>", f"<head>{SCRIPT}").replace(policy, expected)
    assert page.widened_policy


@pytest.mark.parametrize("policy", ["script-src 'self'", "connect-src *", f"default-src {BRIDGE}"])
def test_a_policy_that_lets_it_reach_the_bridge_stays_as_it_is(policy: str) -> None:
    html = f'<head><meta http-equiv="Content-Security-Policy" content="{policy}"></head>'
    page = with_script(html.encode(), SCRIPT, BRIDGE)

    assert page.content.decode() == html.replace("<head>", f"<head>{SCRIPT}")
    assert not page.widened_policy


@pytest.mark.parametrize(
    ("bom", "encoding"),
    [(codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")],
)
def test_a_byte_order_mark_stays_the_first_of_a_page(bom: bytes, encoding: str) -> None:
    page = with_script(bom + "<p>Größe</p>".encode(encoding), SCRIPT, BRIDGE)

    assert page.content == bom + f"{SCRIPT}<p>Größe</p>".encode(encoding)


def test_a_page_that_is_no_utf_16_is_told() -> None:
    with pytest.raises(PackageError, match="it is no UTF-16, as it says"):
        with_script(codecs.BOM_UTF16_LE + b"odd", SCRIPT, BRIDGE)


class _Scripts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script":
            self.sources.append(dict(attrs).get("src"))


_TAGS = ["<html>", "<head>", "<meta charset=utf-8>", "<title>t</title>", "<script src='x'>\n</script>", "<p>", "t"]
_PIECES = [
    *_TAGS, "</head>", "<body>", "<title>", "</title>", "<script src='x'>", "</script>", "<!-- ", " -->",
    "<!doctype html>", "<?xml version='1.0'?>", "<p class='a>b'>", "<", '"', "'", "é", "<link rel=x>",
    "<base href='/'>", "<frameset>", "\n",
]  # fmt: skip


@given(st.lists(st.sampled_from(_PIECES), max_size=30).map("".join))
def test_of_any_page_all_bytes_stay_in_order_around_the_script(html: str) -> None:
    before = html.encode()
    after = with_script(before, SCRIPT, BRIDGE).content

    at = after.index(SCRIPT.encode())

    assert after[:at] + after[at + len(SCRIPT) :] == before


@given(st.lists(st.sampled_from(_TAGS), max_size=9).map("".join))
def test_a_browser_meets_the_script_before_any_other(html: str) -> None:
    scripts = _Scripts()
    scripts.feed(with_script(html.encode(), SCRIPT, BRIDGE).content.decode())

    assert scripts.sources[0] == "tap.js"
