"""State and profile documents: what an LRS keeps of an attempt beside the statements.

Each is computed from the attempt's state alone, so writing it late, twice or not at all between two changes does no
harm: the newest content is the whole truth. Source of the shapes: the ADL xAPI SCORM Profile, "SCORM xAPI Data
Objects"; what a shape has no room for (a negative audio level, a language that is none) is left out.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from operator import attrgetter
from typing import Any

import msgspec

from mappings.attempt.state import AttemptState
from mappings.cmi.snapshot import Item, Snapshot
from mappings.cmi.times import CENTISECONDS, CmiTimeError, duration, read_time
from mappings.cmi.tree import scalar
from mappings.document.compiled import CompiledMapping
from mappings.document.facts import DocumentPlace, Facts, Values, fill_iri, fill_text, of_attempt
from mappings.document.model import Document, DocumentPart, XapiDocument
from mappings.document.outlines import as_uuid
from mappings.judge.syntax import check_timestamp

JSON, TEXT = "application/json", "text/plain"

_PLACES = hashlib.sha1(uuid.UUID("6f0d6f0a-6a0e-5d0c-9d2b-7d8f2a4b1c3e").bytes, usedforsecurity=False)
"""The namespace of the ids of places, hashed: any that never changes."""
_encode = msgspec.json.Encoder().encode
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Z]{2,3}(?:-[a-zA-Z]{4})?)?")  # as the profile's schema has it
_ACTIONS = frozenset({"exit,message", "continue,message", "exit,no message", "continue,no message"})


class Content(msgspec.Struct, frozen=True):
    """A document as it should be at the LRS; `every` is the mapping document's."""

    name: str
    place: DocumentPlace
    content_type: str
    content: bytes
    every: int


def documents(
    mapping: CompiledMapping,
    facts: Facts,
    before: AttemptState,
    after: AttemptState,
    *,
    names: Collection[str],
    whole: bool = False,
    attempts: Sequence[tuple[str, int]] = (),
) -> list[Content]:
    """Give the documents of these names whose content a commit may have changed.

    `whole` asks for all, as when a session begins or ends. `attempts` are the id and number of the enrollment's
    attempts that have begun, in their order; where there are none, their list is not told.
    """
    found = []
    for one in mapping.document.documents:
        if one.name not in names or not (whole or _touched(one.content, before, after)):
            continue
        content = _content(mapping, one, facts, after, attempts)
        if content:
            kind = TEXT if _is_text(one) else JSON
            found.append(Content(one.name, _place(mapping, one, facts), kind, content, one.every))
    return found


def _is_text(one: XapiDocument) -> bool:
    return one.content == ("suspend_data",)


def _place(mapping: CompiledMapping, one: XapiDocument, facts: Facts) -> DocumentPlace:
    outline = mapping.outline(facts)
    known = outline.places.get(one.name)
    if known is None:
        known = outline.places[one.name] = _make_place(mapping.document, one, outline.values)
    return known


def _make_place(mapping: Document, one: XapiDocument, values: Values) -> DocumentPlace:
    parameters = {}
    if one.activity is not None:
        parameters["activityId"] = fill_iri(mapping.activities[one.activity].id, values)
    if one.resource != "activities/profile":
        actor = mapping.actor
        account = {"homePage": fill_iri(actor.home_page, values), "name": fill_text(actor.account, values)}
        parameters["agent"] = _encode({"account": account, "objectType": "Agent"}).decode()
    parameters["stateId" if one.resource == "activities/state" else "profileId"] = one.id
    written = _encode(parameters)
    digest = _PLACES.copy()
    digest.update(one.resource.encode() + b"\n" + written)
    return DocumentPlace(as_uuid(digest.hexdigest()), one.resource, written.decode())


def _touched(parts: Sequence[DocumentPart], before: AttemptState, after: AttemptState) -> bool:
    old, new = before.snapshot, after.snapshot
    if "total_time" in parts and before.total_time != after.total_time:
        return True
    fields = _fields(parts)
    return old is not new and fields is not None and fields(old) != fields(new)


@cache
def _fields(parts: Sequence[DocumentPart]) -> Callable[[Snapshot], Any] | None:
    names = [field for part in parts for field in _FIELDS.get(part, (part,))]
    return attrgetter(*names) if names else None


_FIELDS: Mapping[DocumentPart, tuple[str, ...]] = {
    "attempts": (),
    "learner_id": (),
    "learner_name": (),
    "preferences": ("audio_level", "language", "delivery_speed", "audio_captioning"),
    "scaled_passing_score": ("scaled_passing_score", "mastery_score"),
    "total_time": (),
}
"""The snapshot's fields that parts are made of, where it is not the one of the same name."""


def _content(
    mapping: CompiledMapping,
    one: XapiDocument,
    facts: Facts,
    attempt: AttemptState,
    attempts: Sequence[tuple[str, int]],
) -> bytes:
    known = attempt.snapshot
    if _is_text(one):
        return (known.suspend_data or "").encode()
    told: dict[str, Any] = {}
    for part in one.content:
        value: Any
        if part == "attempts":
            template = mapping.document.activities[one.attempts or ""].id
            values = mapping.outline(facts).values
            value = [fill_iri(template, of_attempt(values, uid, number)) for uid, number in attempts]
        elif part == "total_time":
            value = duration(attempt.total_time)
        elif part == "learner_id":
            value = facts.learner_id
        elif part == "learner_name":
            value = facts.learner_name
        else:
            value = _OF_SNAPSHOT[part](known)
        if value not in (None, "", [], {}):
            told[part] = value
    return _encode(told) if told else b""


def _preferences(known: Snapshot) -> dict[str, Any]:
    return {
        name: value
        for name, value, fits in (
            ("audio_level", known.audio_level, (known.audio_level or 0) >= 0),
            ("language", known.language, _LANGUAGE.fullmatch(known.language or "") is not None),
            ("delivery_speed", known.delivery_speed, (known.delivery_speed or 0) >= 0),
            ("audio_captioning", known.audio_captioning, known.audio_captioning in {-1, 0, 1}),
        )
        if value is not None and fits
    }


def _comments(known: Snapshot) -> list[dict[str, str]]:
    listed = sorted((known.comments_from_lms or {}).items(), key=lambda one: int(one[0]))
    return [told for _, item in listed if (told := _comment(item))]


def _comment(item: Item) -> dict[str, str]:
    told = {name: scalar(item.get(name)) for name in ("comment", "location", "timestamp")}
    if any(check_timestamp(told["timestamp"], "")):
        told["timestamp"] = None
    return {name: value for name, value in told.items() if value}


def _passing_score(known: Snapshot) -> float | None:
    if known.scaled_passing_score is not None:
        return known.scaled_passing_score
    mastery = known.mastery_score
    return None if mastery is None or not 0 <= mastery <= 100 else mastery / 100


def _seconds(known: Snapshot) -> float | None:
    try:
        seconds = read_time(known.max_time_allowed or "") / CENTISECONDS
    except CmiTimeError:
        return None
    return int(seconds) if seconds.is_integer() else seconds


_OF_SNAPSHOT: Mapping[str, Callable[[Snapshot], Any]] = {
    "comments_from_lms": _comments,
    "completion_threshold": lambda known: known.completion_threshold,
    "credit": lambda known: known.credit,
    "launch_data": lambda known: known.launch_data,
    "location": lambda known: known.location,
    "max_time_allowed": _seconds,
    "mode": lambda known: known.mode,
    "preferences": _preferences,
    "scaled_passing_score": _passing_score,
    "time_limit_action": lambda known: known.time_limit_action if known.time_limit_action in _ACTIONS else None,
}
