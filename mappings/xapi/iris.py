"""What counts as an IRI, a language tag, a UUID in statements, and how ids become parts of IRIs.

One judge decides what is made, sent and taken for an IRI: RFC 3987, as far as LRSs look, and no further characters than
they take.
"""

from __future__ import annotations

import re
from urllib.parse import quote

_IRI = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*):(?://(?P<authority>[^/?#]*))?(?P<rest>[^\s<>\"{}|\\^`\x00-\x20\x7f-\x9f]*)"
)
_OWN_IRI = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.\-]*://(?!/)|urn:|tag:)[^\s<>\"{}|\\^`\x00-\x20\x7f]+")
_AUTHORITY = re.compile(
    r"(?:[^@\[\]]*@)?(?P<host>\[(?:[0-9A-Fa-f:.]+|[vV][0-9A-Fa-f]+\.[\w.~!$&'()*+,;=:-]+)\]|[^@:\[\]\s<>\"{}|\\^`\x00-\x20\x7f-\x9f]*)"
    r"(?::(?P<port>[0-9]{0,5}))?"
)
_CHARACTERS = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*"
_PLAIN = re.compile(rf"https?://[A-Za-z0-9.-]+(?::[0-9]{{1,4}})?(?:[/?]{_CHARACTERS})?(?:#{_CHARACTERS})?")
"""What nearly all IRIs are, which is seen at a tenth of the cost."""
_HEAD = re.compile(r"[^:]*:(?://[^/?#]*)?")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNSENDABLE = re.compile(
    # controls, marks of direction, private use, what is no character, and specials (RFC 3987, 2.2 and 4.1)
    "[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\uf8ff\ufdd0-\ufdef\ufff0-\uffff"
    + "".join(f"{chr(plane * 0x10000 + 0xFFFE)}{chr(plane * 0x10000 + 0xFFFF)}" for plane in range(1, 15))
    + "\U000f0000-\U0010ffff]"
)
_MAX_PORT = 65_535
_UNRESERVED = re.compile(r"[A-Za-z0-9_.~-]*")  # what `quote` leaves as it is, at many times its cost
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*", re.ASCII)


def is_iri(text: str) -> bool:
    """Return whether a text is an absolute IRI as LRSs take it: with a scheme, without spaces (RFC 3987)."""
    return iri_problem(text) is None


def iri_problem(text: str) -> str | None:
    """Return what an IRI must be that this text is not, None where it is one."""
    if _PLAIN.fullmatch(text) is not None:
        return None
    match = _IRI.fullmatch(text)
    if match is None or not (match["rest"] or match["authority"]):
        return "an IRI with a scheme"
    rest, authority = match["rest"], match["authority"]
    place = None if authority is None else _AUTHORITY.fullmatch(authority)
    has_host = place is not None and bool(place["host"])
    conditions = {
        "an IRI whose every % is followed by two hexadecimal digits": _BAD_ESCAPE.search(text) is None,
        "an IRI without control, private-use and non-characters": _UNSENDABLE.search(text) is None,
        "an IRI without brackets behind its host, and with one # at most": "[" not in rest
        and "]" not in rest
        and rest.count("#") <= 1,
        "an IRI whose host and port are well-formed": authority is None
        or (place is not None and int(place["port"] or 0) <= _MAX_PORT),
        "an IRI with a host after http://": has_host or match["scheme"].lower() not in {"http", "https"},
    }
    return next((problem for problem, holds in conditions.items() if not holds), None)


def own_iri(text: str) -> str | None:
    """Return an LMS's id as an IRI that can be sent, None where it is no IRI but an id.

    `unit:5` is an id with a colon; `https://…` and `urn:…` are IRIs. What an IRI cannot hold, as a lone `%` or a second
    `#`, is escaped; one that no escape makes an IRI, such as `https://?x=1`, is an id.
    """
    if _PLAIN.fullmatch(text) is not None:
        return text
    if _OWN_IRI.fullmatch(text) is None:
        return None
    sendable = sendable_iri(text)
    return sendable if is_iri(sendable) else None


def is_own_iri(text: str) -> bool:
    """Return whether an LMS's id is an IRI already, which is taken as it is."""
    return own_iri(text) == text


def sendable_iri(text: str) -> str:
    """Escape what an IRI cannot hold; a text that is an IRI stays as it is."""
    if is_iri(text):
        return text
    text = _UNSENDABLE.sub(lambda match: quote(match[0], safe="", errors="replace"), _BAD_ESCAPE.sub("%25", text))
    match = _HEAD.match(text)
    head = "" if match is None else match[0]
    before, mark, fragment = text[len(head) :].partition("#")
    rest = before + mark + fragment.replace("#", "%23")
    return head + rest.replace("[", "%5B").replace("]", "%5D")


def is_language(tag: str) -> bool:
    """Return whether a text has the form of a language tag (RFC 5646)."""
    return _LANGUAGE.fullmatch(tag) is not None


def percent_encode(text: str) -> str:
    """Write an id so that it can be one segment of an IRI's path or a value of its query.

    What is an escape already (`%E2`) stays one: an id that was made for a URL is not escaped a second time.
    """
    if _UNRESERVED.fullmatch(text):
        return text
    return quote(_BAD_ESCAPE.sub("%25", text), safe="%")
