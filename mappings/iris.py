"""What counts as an IRI, a language tag, a UUID in statements, and how ids become parts of IRIs."""

from __future__ import annotations

import re
from urllib.parse import quote

_IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[^\s<>\"{}|\\^`\x00-\x20\x7f]+")
_OWN_IRI = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.\-]*://(?!/)|urn:|tag:)[^\s<>\"{}|\\^`\x00-\x20\x7f]+")
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNRESERVED = re.compile(r"[A-Za-z0-9_.~-]*")  # what `quote` leaves as it is, at many times its cost
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*", re.ASCII)


def is_iri(text: str) -> bool:
    """Tell whether a text is an absolute IRI as xAPI wants it: with a scheme, without spaces (RFC 3987)."""
    return _IRI.fullmatch(text) is not None


def is_own_iri(text: str) -> bool:
    """Tell whether an LMS's id is an IRI already. `unit:5` is an id with a colon; `https://…` and `urn:…` are IRIs."""
    return _OWN_IRI.fullmatch(text) is not None


def is_language(tag: str) -> bool:
    """Tell whether a text has the form of a language tag (RFC 5646)."""
    return _LANGUAGE.fullmatch(tag) is not None


def percent_encode(text: str) -> str:
    """Write an id so that it can be one segment of an IRI's path or a value of its query.

    What is an escape already (`%E2`) stays one: an id that was made for a URL is not escaped a second time.
    """
    if _UNRESERVED.fullmatch(text):
        return text
    return quote(_LONE_PERCENT.sub("%25", text), safe="%")
