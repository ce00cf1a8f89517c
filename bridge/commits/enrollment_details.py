"""What is kept of what an LMS says of a learner and an activity; an e-mail address only where a mapping needs it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from bridge.commit_model.launch import Launch
from mappings.attempt.launch import BROWSER
from mappings.definition.model import Identifier
from storage.attempts import Enrollment

_encode = msgspec.json.Encoder().encode
_SEARCHED = frozenset({"learner_name", "activity_name", "course_name"})


def mbox_of(identifier: Identifier, launch: Launch) -> str | None:
    """Return what is kept of a launch's e-mail address, None where the LMS gave none or nothing needs it.

    That is `mailto:` and the address, or the SHA-1 of that where learners are known by it.
    """
    if identifier == "account" or not launch.learner.email:
        return None
    mbox = f"mailto:{launch.learner.email}"
    return mbox if identifier == "mbox" else _sha1(mbox)


def update_details(owner: Enrollment, launch: Launch, identifier: Identifier, *, opening: bool = False) -> None:
    """Update an enrollment to what its LMS says now, in place; what the LMS leaves out stays as it is.

    An e-mail address that no mapping in use needs any more is forgotten, or its hash kept where that is needed. A page
    adds what is not known yet, and changes nothing.

    The activities of the course are the learner's, and this may not know that they were listed otherwise with another
    activity meanwhile: on `opening` a session they are stored in any case.
    """
    fills_only = launch.data.source == BROWSER
    if launch.course.activities is not None and not (fills_only and owner.activity_list_digest is not None):
        _update_activity_list(owner, launch.course.activities, opening=opening)
    for name, value in (
        ("learner_name", launch.learner.name),
        ("activity_name", launch.activity.name),
        ("activity_description", launch.activity.description),
        ("activity_type", launch.activity.type),
        ("course_name", launch.course.name),
        ("course_description", launch.course.description),
    ):
        stored = getattr(owner, name)
        if value and value != stored and not (fills_only and stored):
            setattr(owner, name, value)
            owner.changed = True
            owner.renamed = owner.renamed or name in _SEARCHED
    attributes = launch.learner.attributes
    if attributes is not None and attributes != owner.learner_attributes:
        owner.learner_attributes = attributes
        owner.changed = True
    mbox = mbox_of(identifier, launch) or _still_needed(owner.learner_mbox, identifier)
    if mbox != owner.learner_mbox:
        owner.learner_mbox = mbox
        owner.changed = True


def _update_activity_list(owner: Enrollment, activities: Sequence[str], *, opening: bool) -> None:
    text = _encode(activities)
    digest = hashlib.sha256(text).hexdigest()
    if opening or digest != owner.activity_list_digest:
        owner.has_new_activity_list = owner.activity_list_digest is None
        owner.activity_list, owner.activity_list_digest = text.decode(), digest
        owner.changed = True


def _still_needed(mbox: str | None, identifier: Identifier) -> str | None:
    if identifier == "account":
        return None
    return _sha1(mbox) if identifier == "mbox_sha1sum" and mbox and mbox.startswith("mailto:") else mbox


def _sha1(mbox: str) -> str:
    return hashlib.sha1(mbox.encode(), usedforsecurity=False).hexdigest()
