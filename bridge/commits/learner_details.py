"""What an LMS says of a learner beside id and name: attributes, and an e-mail address where a document needs it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from bridge.commits.launch import Launch
from bridge.errors import MalformedField
from mappings.definition.model import Identifier
from mappings.definition.placeholders import ATTRIBUTE_NAME
from storage.attempts import Enrollment

MAX_ATTRIBUTES = 20
MAX_ATTRIBUTE_BYTES = 500
"""UTF-8 bytes that the value of an attribute may have."""
MAX_DESCRIPTION_BYTES = 4_000
"""UTF-8 bytes of a description that are kept."""
MAX_EMAIL = 254
"""Characters of an e-mail address (RFC 5321)."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_EMAIL = re.compile(r"[A-Za-z0-9.!$&'*+/=_~-]+@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9-]+)+")
"""What can stand in a `mailto:` IRI as it is."""
_encode = msgspec.json.Encoder(order="sorted").encode


def read_attributes(attributes: Mapping[str, Any] | None) -> str | None:
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


def read_description(text: str | None) -> str:
    """Return a description as it is kept: without control characters, and cut where it is too long."""
    if not text:
        return ""
    return _CONTROL.sub(" ", text.encode()[:MAX_DESCRIPTION_BYTES].decode(errors="ignore")).strip()


def read_email(text: str | None) -> str:
    """Return an e-mail address, empty where there is none that can be used."""
    address = (text or "").strip()
    return address if len(address) <= MAX_EMAIL and _EMAIL.fullmatch(address) else ""


def mbox_of(identifier: Identifier, launch: Launch) -> str | None:
    """Return what is kept of a launch's e-mail address, None where the LMS gave none or nothing needs it.

    That is `mailto:` and the address, or the SHA-1 of that where learners are known by it.
    """
    if identifier == "account" or not launch.learner.email:
        return None
    mbox = f"mailto:{launch.learner.email}"
    return mbox if identifier == "mbox" else _sha1(mbox)


def update_details(owner: Enrollment, launch: Launch, identifier: Identifier) -> None:
    """Bring an enrollment up to what its LMS says now, in place; what the LMS leaves out stays as it is.

    An e-mail address that no document in use needs any more is forgotten, or its hash kept where that is needed.
    """
    for name, told in (
        ("learner_name", launch.learner.name),
        ("activity_name", launch.activity.name),
        ("activity_description", launch.activity.description),
        ("activity_type", launch.activity.type),
        ("course_name", launch.course.name),
        ("course_description", launch.course.description),
    ):
        if told and told != getattr(owner, name):
            setattr(owner, name, told)
            owner.changed = True
    attributes = launch.learner.attributes
    if attributes is not None and attributes != owner.learner_attributes:
        owner.learner_attributes = attributes
        owner.changed = True
    mbox = mbox_of(identifier, launch) or _still_needed(owner.learner_mbox, identifier)
    if mbox != owner.learner_mbox:
        owner.learner_mbox = mbox
        owner.changed = True


def _still_needed(mbox: str | None, identifier: Identifier) -> str | None:
    if identifier == "account":
        return None
    return _sha1(mbox) if identifier == "mbox_sha1sum" and mbox and mbox.startswith("mailto:") else mbox


def _sha1(mbox: str) -> str:
    return hashlib.sha1(mbox.encode(), usedforsecurity=False).hexdigest()
