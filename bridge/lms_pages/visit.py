"""Loading a page of an LMS, of which nothing is known yet.

Nothing is sent that identifies anybody: no cookie, no credentials. What comes back is read to a limit, in a limited
time, and every address on the way is checked (`bridge/outgoing.py`).
"""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urljoin, urlsplit

import aiohttp

from bridge.http_client import HttpResponse, open_session, send_request
from bridge.outgoing import OutgoingAddressError, OutgoingGuard

VISIT_TIMEOUT = 20
"""Seconds for a page with all redirects to it: somebody is waiting."""
MAX_PAGE_BYTES = 1_048_576
"""Bytes of a page that are read: what tells LMSs apart stands at its beginning or is repeated."""
MAX_REDIRECTS = 5
MAX_URL_LENGTH = 2_000
MAX_TITLE_LENGTH = 120
"""Characters of a page's title that are shown."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HEADERS = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.1", "User-Agent": "scorm-bridge"}
_TITLE = re.compile(r"<title[^<>]{0,200}>([^<]{1,2000})", re.IGNORECASE)
_PASSWORD = re.compile(r"<input\b[^<>]{0,500}\btype\s?=\s?[\"']?password\b", re.IGNORECASE)
_SIGN_IN_PATH = re.compile(r"/(?:log-?in|sign-?in|xlogin|logon|sso|saml2?|cas|auth)(?:[/.?]|$)", re.IGNORECASE)


class PageVisitError(Exception):
    """A page that was not loaded; the text says why and what to do.

    `is_forbidden` is whether the settings do not allow its address: nothing was asked.
    """

    def __init__(self, message: str, *, is_forbidden: bool = False) -> None:
        super().__init__(message)
        self.is_forbidden = is_forbidden


@dataclass(frozen=True, slots=True)
class PageAnswer:
    """One answer on the way to a page: of a redirect, or of the page itself."""

    url: str
    status: int
    headers: Mapping[str, str]

    @property
    def cookies(self) -> list[str]:
        """Return the names of the cookies that it sets."""
        names: list[str] = []
        # a header that came several times is there as often
        for name, value in self.headers.items():
            with suppress(CookieError):
                names += SimpleCookie(value) if name.lower() == "set-cookie" else ()
        return names


@dataclass(frozen=True, slots=True)
class VisitedPage:
    """A page as a visitor sees it who has not signed in.

    Attributes:
        answers: those of redirects to it, and its own as the last.
        text: its HTML, or the beginning of it.
        leads_to: the address of another site that it redirects to, which was not visited; empty where it does not.
    """

    answers: Sequence[PageAnswer]
    text: str
    leads_to: str = ""

    @property
    def url(self) -> str:
        """Return its address, that of the last redirect where there were some."""
        return self.answers[-1].url

    @property
    def status(self) -> int:
        """Return its HTTP status."""
        return self.answers[-1].status

    @property
    def origin(self) -> str:
        """Return its origin, as browsers send it."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower()}"

    @property
    def title(self) -> str:
        """Return its title, empty where it has none."""
        match = _TITLE.search(self.text)
        return "" if match is None else printable(html.unescape(match[1]), MAX_TITLE_LENGTH)

    @property
    def asks_to_sign_in(self) -> bool:
        """Return whether it is for people to sign in, or refuses those who have not."""
        place = self.leads_to or self.url
        return (
            self.status in {401, 403}
            or _PASSWORD.search(self.text) is not None
            or _SIGN_IN_PATH.search(urlsplit(place).path) is not None
        )

    @property
    def policy(self) -> str:
        """Return its Content-Security-Policy, empty where it has none."""
        return self.answers[-1].headers.get("Content-Security-Policy", "")


def printable(text: str, max_length: int) -> str:
    """Return what a stranger wrote as one line that can do nothing to a terminal."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= max_length else f"{line[: max_length - 1]}…"


def check_page_url(url: str) -> str:
    """Return the address of a page without its fragment.

    Raises:
        ValueError: it is none; the text says what is wrong.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("the address of a page begins with https:// or http:// and a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("the address contains a user name or password; leave them out")
    if len(url) > MAX_URL_LENGTH:
        raise ValueError(f"the address is longer than {MAX_URL_LENGTH:,} characters")
    _ = parts.port  # raises where it is no number
    return parts._replace(fragment="").geturl()


async def visit_page(guard: OutgoingGuard, url: str, *, timeout_seconds: float = VISIT_TIMEOUT) -> VisitedPage:
    """Load a page, by redirects on its own site at most.

    Raises:
        PageVisitError: it was not loaded.
    """
    try:
        async with (
            asyncio.timeout(timeout_seconds),
            open_session(guard, timeout_seconds=timeout_seconds) as session,
        ):
            return await _follow(session, url)
    except TimeoutError:
        raise PageVisitError(f"{url} gave no whole answer within {timeout_seconds:g} s.") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise _visit_error(url, error) from None


async def _follow(session: aiohttp.ClientSession, url: str) -> VisitedPage:
    answers: list[PageAnswer] = []
    while True:
        response = await send_request(session, "GET", url, max_bytes=MAX_PAGE_BYTES, headers=_HEADERS)
        answers.append(PageAnswer(url, response.status, response.headers))
        following = _following(url, response)
        if following is None:
            return VisitedPage(answers, response.text)
        if not _is_same_site(url, following):
            return VisitedPage(answers, response.text, leads_to=printable(following, MAX_URL_LENGTH))
        if len(answers) > MAX_REDIRECTS or following in {answer.url for answer in answers}:
            # those who bring no cookie are often sent in circles: what was seen on the way tells enough
            return VisitedPage(answers, response.text)
        url = following


def _following(url: str, response: HttpResponse) -> str | None:
    """Return where an answer redirects to, None where it does not."""
    location = response.headers.get("Location")
    if response.status not in _REDIRECTS or not location:
        return None
    return urljoin(url, location).partition("#")[0]


def _is_same_site(url: str, following: str) -> bool:
    """Return whether a redirect stays on the same host, and does not give up encryption.

    Anything else is another server, which nobody named: that of a single sign-on, mostly, and no page of the LMS.
    """
    if not (following.isascii() and following.isprintable()):
        return False
    here, there = urlsplit(url), urlsplit(following)
    same_host = _bare_host(here.hostname) == _bare_host(there.hostname)
    if here.scheme == there.scheme:
        return same_host and here.port == there.port
    return same_host and (here.scheme, there.scheme) == ("http", "https")


def _bare_host(host: str | None) -> str:
    return (host or "").removeprefix("www.")


def _visit_error(url: str, error: Exception) -> PageVisitError:
    reason: BaseException | None = error
    while reason is not None:
        if isinstance(reason, OutgoingAddressError):
            return PageVisitError(f"{url} was not visited: {reason.strerror}.", is_forbidden=True)
        reason = getattr(reason, "os_error", None) or reason.__cause__
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return PageVisitError(
            f"{url}: its certificate is not trusted here ({error.certificate_error}). Install the authority that"
            " issued it, or give another address of the LMS."
        )
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return PageVisitError(f"{url}: the name {error.host} is not known here. Check its spelling.")
    if isinstance(error, aiohttp.ClientConnectorError):
        return PageVisitError(
            f"{url}: no connection ({error.strerror or error}). Check the address, and that this machine can reach it."
        )
    return PageVisitError(
        f"{url}: no answer that could be read ({type(error).__name__}: {printable(str(error), 300)})."
    )
