"""What is to be said of a page beside which LMS it is of: what may keep it from recording, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from bridge.clock import format_timestamp
from bridge.lms_pages.instructions import ConnectionWay, guide_of
from bridge.lms_pages.recognition import Recognition, restricts_scripts, tap_in
from bridge.lms_pages.visit import VisitedPage
from bridge.operations.browser_keys import PLACEHOLDER_URL
from storage.browser_keys import BrowserKey
from storage.states import TokenStatus


def describe_page(
    page: VisitedPage, recognition: Recognition, key: BrowserKey | None, public_url: str, now: int
) -> list[str]:
    """Return sentences about a page, and about the key that it is to have, at a time in milliseconds."""
    return [
        *_about_the_visit(page, recognition),
        *_about_the_line(page, recognition, key),
        *(() if key is None else _about_the_key(page, key, now)),
        *_about_the_bridge(page, public_url),
    ]


def _about_the_visit(page: VisitedPage, recognition: Recognition) -> Iterator[str]:
    if page.leads_to:
        yield (
            f"It leads to {page.leads_to}, on another host, which was not visited: a single sign-on, mostly. Should"
            " that be the LMS itself, give that address."
        )
    if page.asks_to_sign_in:
        yield "It asks people to sign in, which this command does not: what is said here is what it shows to everybody."
    elif page.status >= 400:
        yield f"It answered {page.status}: give the address of a page that there is, best of one that plays a course."
    if recognition.product is None:
        yield (
            "It has no mark of an LMS that is known here. Where this is the page of a portal or a sign-on in front of"
            " the LMS, give the address of one of the LMS's own pages, best of one that plays a course."
        )


def _about_the_line(page: VisitedPage, recognition: Recognition, key: BrowserKey | None) -> Iterator[str]:
    line = tap_in(page)
    if line is None:
        if key is not None and ConnectionWay.TAP in guide_of(recognition.product).ways and page.status < 400:
            yield "This page does not have the line yet."
        return
    if key is not None and line.key != key.key:
        yield f"This page has the line already, with another key: {line.key}."
    elif line.is_outdated:
        yield (
            "This page has the line already, for another release of the script: where it has an `integrity`, browsers"
            " refuse the present one. Replace it."
        )
    else:
        yield "This page has the line already."


def _about_the_key(page: VisitedPage, key: BrowserKey, now: int) -> Iterator[str]:
    status = key.status(now)
    if status is TokenStatus.REVOKED:
        yield f"Key {key.id} was revoked: nothing is recorded with it. `scorm-bridge keys create` makes another one."
    elif status is TokenStatus.EXPIRED:
        yield (
            f"Key {key.id} expired at {format_timestamp(key.expires_at)}: nothing is recorded with it."
            " `scorm-bridge keys create` makes another one."
        )
    if page.origin not in key.origins:
        yield (
            f"Key {key.id} is for pages of {', '.join(key.origins)}, and this one is of {page.origin}: what it sends is"
            f" refused. `scorm-bridge keys create --lms {key.lms.name} --origin {page.origin}` makes a key for it."
        )


def _about_the_bridge(page: VisitedPage, public_url: str) -> Iterator[str]:
    bridge = public_url or PLACEHOLDER_URL
    if not public_url:
        yield f"In place of {PLACEHOLDER_URL} goes the address of this bridge; [server] public_url sets it."
    elif page.origin.startswith("https:") and bridge.startswith("http:"):
        yield f"Browsers load nothing of {bridge} into a page of https: give the bridge an address with TLS."
    parts = urlsplit(bridge)
    origin = f"{parts.scheme}://{parts.netloc}"
    if restricts_scripts(page, origin):
        yield f"Its Content-Security-Policy has to permit the bridge: add {origin} to script-src and connect-src."
