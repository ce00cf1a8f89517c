"""Checks of strings with a format: UUID, IRI, mailto IRI, timestamp, duration, language tag, hash.

Source: xAPI Data, sections 2.4.2.3 and 4.2 to 4.6, with RFC 3339 for timestamps and RFC 5646 for language tags.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from mappings.xapi.iris import iri_problem
from mappings.xapi.validation import shape

if TYPE_CHECKING:
    from collections.abc import Iterator

UUID_PATTERN: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
"""A UUID in its standard string form, of any version, in either case."""

_LOCAL_CHARACTER: Final = r"[^\s\x00-\x20@<>()\[\]:;,\\\"]"
_LABEL: Final = r"[^\s\x00-\x20@<>()\[\]:;,\\\"./?#]+"
_MAILTO: Final = re.compile(rf"mailto:{_LOCAL_CHARACTER}+@{_LABEL}(?:\.{_LABEL})*")
_SHA1: Final = re.compile(r"[0-9a-f]{40}", re.IGNORECASE)
_SHA2: Final = re.compile(r"(?:[0-9a-f]{56}|[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})", re.IGNORECASE)

_TIMESTAMP: Final = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)T(?P<time>\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d+))?(?P<zone>Z|[+-]\d\d:\d\d)?",
    re.ASCII | re.IGNORECASE,
)

_NUMBER: Final = r"\d+(?:[.,]\d+)?"
_DURATION: Final = re.compile(
    rf"P(?:{_NUMBER}W"
    rf"|(?=[\dT])(?:{_NUMBER}Y)?(?:{_NUMBER}M)?(?:{_NUMBER}D)?"
    rf"(?:T(?=\d)(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}S)?)?)",
    re.ASCII,
)
_EARLY_FRACTION: Final = re.compile(r"[.,]\d+[A-Z](?=.)", re.ASCII)

_LANGUAGE_TAG: Final = re.compile(
    r"""(?:
        (?:[a-z]{2,3}(?:-[a-z]{3}){0,3}|[a-z]{4}|[a-z]{5,8})    # language, extended languages
        (?:-[a-z]{4})?                                          # script
        (?:-(?:[a-z]{2}|[0-9]{3}))?                             # region
        (?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*                # variants
        (?:-[0-9a-wy-z](?:-[a-z0-9]{2,8})+)*                    # extensions
        (?:-x(?:-[a-z0-9]{1,8})+)?                              # private use
      | x(?:-[a-z0-9]{1,8})+
      | en-GB-oed|i-[a-z]{2,8}|sgn-(?:BE-FR|BE-NL|CH-DE)        # registered before the rules
    )""",
    re.IGNORECASE | re.VERBOSE | re.ASCII,
)


def check_uuid(value: object, at: str) -> Iterator[str]:
    """Validate a UUID in its standard string form, of any version, in either case."""
    if not isinstance(value, str) or not UUID_PATTERN.fullmatch(value):
        yield shape.must_be("a UUID such as 12345678-1234-5678-1234-567812345678", value, at)


def check_iri(value: object, at: str) -> Iterator[str]:
    """Validate an absolute IRI: a scheme, no spaces or quotes, whole percent escapes, a host for http(s)."""
    problem = iri_problem(value) if isinstance(value, str) else "an IRI with a scheme"
    if problem is not None:
        yield shape.must_be(problem, value, at)


def check_mailto(value: object, at: str) -> Iterator[str]:
    """Validate ``mailto:`` and one e-mail address, without display name, header fields or a second address."""
    if not isinstance(value, str) or not _MAILTO.fullmatch(value):
        yield shape.must_be("an IRI of the form mailto:name@example.org", value, at)


def check_sha1(value: object, at: str) -> Iterator[str]:
    """Validate a SHA-1 digest in hexadecimal."""
    if not isinstance(value, str) or not _SHA1.fullmatch(value):
        yield shape.must_be("a SHA-1 digest of 40 hexadecimal digits", value, at)


def check_sha2(value: object, at: str) -> Iterator[str]:
    """Validate a SHA-2 digest in hexadecimal: 224, 256, 384 or 512 bits."""
    if not isinstance(value, str) or not _SHA2.fullmatch(value):
        yield shape.must_be("a SHA-2 digest in hexadecimal digits", value, at)


def check_timestamp(value: object, at: str) -> Iterator[str]:
    """Validate an RFC 3339 date and time with a zone; the unknown zone ``-00:00`` is refused."""
    if not isinstance(value, str):
        yield shape.must_be("a timestamp", value, at)
        return
    try:
        instant(value)
    except ValueError as error:
        yield f"{at}: must be an RFC 3339 timestamp, but {value!r} {error}"


def instant(text: str) -> datetime:
    """Read an RFC 3339 timestamp as an aware datetime in UTC; digits beyond a microsecond are cut off.

    Raises:
        ValueError: it is none; the message goes on after the text itself, as in "… has no time zone".
    """
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise ValueError("is not of the form 2026-01-31T12:00:00.000Z")
    zone = match["zone"]
    if zone is None:
        raise ValueError("has no time zone")
    if zone == "-00:00":
        raise ValueError("has the zone -00:00, which says that the zone is unknown")
    fraction = (match["fraction"] or "")[:6].ljust(6, "0")
    try:
        return datetime.fromisoformat(f"{match['date']}T{match['time']}.{fraction}{zone.upper()}").astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"is not in the calendar ({error})") from error


def timestamp(at: datetime) -> str:
    """Write an instant in UTC as RFC 3339, to the millisecond."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def check_duration(value: object, at: str) -> Iterator[str]:
    """Validate an ISO 8601 duration with designators: no sign, weeks alone, a fraction in the last number only."""
    if not isinstance(value, str) or not _DURATION.fullmatch(value) or _EARLY_FRACTION.search(value):
        yield shape.must_be("an ISO 8601 duration such as PT1H30M or P4W", value, at)


def check_language_tag(value: object, at: str) -> Iterator[str]:
    """Validate a language tag built by the grammar of RFC 5646; whether its parts are registered is not asked."""
    if not isinstance(value, str) or not _LANGUAGE_TAG.fullmatch(value):
        yield shape.must_be("an RFC 5646 language tag such as en or de-CH", value, at)


check_language_map: Final = shape.map_of(check_language_tag, shape.check_string)
check_extensions: Final = shape.map_of(check_iri, None)
