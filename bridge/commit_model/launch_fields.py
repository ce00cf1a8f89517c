"""What an LMS says of learners and activities beside their ids and names, checked and brought into the kept form."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from bridge.commit_model.launch import MAX_ID_BYTES
from bridge.errors import MalformedField
from mappings.definition.placeholders import ATTRIBUTE_NAME

MAX_ATTRIBUTES = 20
MAX_ATTRIBUTE_BYTES = 500
"""UTF-8 bytes that the value of an attribute may have."""
MAX_DESCRIPTION_BYTES = 4_000
"""UTF-8 bytes of a description that are kept."""
MAX_COURSE_ACTIVITIES = 500
MAX_COURSE_ACTIVITIES_BYTES = 100_000
"""UTF-8 bytes that their ids may have together."""
MAX_EMAIL = 254
"""Characters of an e-mail address (RFC 5321)."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_EMAIL = re.compile(r"[A-Za-z0-9.!$&'*+/=_~-]+@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9-]+)+")
"""What can stand in a `mailto:` IRI as it is."""
_encode = msgspec.json.Encoder(order="sorted").encode


def parse_attributes(attributes: Mapping[str, Any] | None) -> str | None:
    """Return a learner's attributes as JSON, None where the LMS said nothing of them.

    Numbers, true and false are kept as their text; null is an attribute that there is not.

    Raises:
        MalformedField: there are too many, or one has a name or value that cannot be used.
    """
    if attributes is None:
        return None
    if len(attributes) > MAX_ATTRIBUTES:
        raise MalformedField(
            f"learner.attributes has {len(attributes)} attributes; at most {MAX_ATTRIBUTES} are taken."
        )
    texts: dict[str, str] = {}
    for name, value in attributes.items():
        if ATTRIBUTE_NAME.fullmatch(name) is None:
            raise MalformedField(
                f"learner.attributes has the name {name[:80]!r}; names have 1 to 64 letters, digits, - and _."
            )
        if value is None:
            continue
        if not isinstance(value, str | int | float):
            raise MalformedField(f"learner.attributes.{name} must be text, a number, true or false.")
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        if len(text.encode()) > MAX_ATTRIBUTE_BYTES:
            raise MalformedField(f"learner.attributes.{name} is longer than {MAX_ATTRIBUTE_BYTES} bytes.")
        texts[name] = _CONTROL.sub(" ", text)
    return _encode(texts).decode()


def parse_course_activities(activities: Sequence[str | int] | None) -> tuple[str, ...] | None:
    """Return the ids of a course's activities, each once; None where the LMS does not list them.

    Raises:
        MalformedField: there are too many, or one is none.
    """
    if activities is None:
        return None
    ids = tuple(dict.fromkeys(map(str, activities)))
    if len(ids) > MAX_COURSE_ACTIVITIES:
        raise MalformedField(f"course.activities has {len(ids)} activities; at most {MAX_COURSE_ACTIVITIES} are taken.")
    for activity_id in ids:
        if not activity_id.strip() or _CONTROL.search(activity_id) is not None:
            raise MalformedField("course.activities has an id that is blank or has a control character.")
        if len(activity_id.encode()) > MAX_ID_BYTES:
            raise MalformedField(f"course.activities has an id that is longer than {MAX_ID_BYTES} bytes.")
    if len("".join(ids).encode()) > MAX_COURSE_ACTIVITIES_BYTES:
        raise MalformedField(f"course.activities is longer than {MAX_COURSE_ACTIVITIES_BYTES} bytes; shorten the ids.")
    return ids


def parse_description(text: str | None) -> str:
    """Return a description as it is kept: without control characters, and cut where it is too long."""
    if not text:
        return ""
    return _CONTROL.sub(" ", text.encode()[:MAX_DESCRIPTION_BYTES].decode(errors="ignore")).strip()


def parse_email(text: str | None) -> str:
    """Return an e-mail address, empty where there is none that can be used."""
    address = (text or "").strip()
    return address if len(address) <= MAX_EMAIL and _EMAIL.fullmatch(address) else ""
