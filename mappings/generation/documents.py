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
from operator import attrgetter
from typing import Any

import msgspec

from mappings.attempt.state import AttemptState
from mappings.cmi.snapshot import Item, Snapshot
from mappings.cmi.times import CENTISECONDS, CmiTimeError, duration, read_time
from mappings.cmi.tree import scalar
from mappings.definition.bound_templates import BoundTemplates, as_uuid
from mappings.definition.compiled import CompiledMapping
from mappings.definition.model import DocumentDefinition, DocumentPart, MappingDefinition
from mappings.definition.statement_context import DocumentAddress, StatementContext, fill_iri, of_attempt
from mappings.generation.target_forms import AttemptForm
from mappings.xapi.validation.syntax import check_timestamp

JSON, TEXT = "application/json", "text/plain"

_PLACES = hashlib.sha1(uuid.UUID("6f0d6f0a-6a0e-5d0c-9d2b-7d8f2a4b1c3e").bytes, usedforsecurity=False)
"""The namespace of the ids of places, hashed: any that never changes."""
_encode = msgspec.json.Encoder().encode
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Z]{2,3}(?:-[a-zA-Z]{4})?)?")  # as the profile's schema has it
_ACTIONS = frozenset({"exit,message", "continue,message", "exit,no message", "continue,no message"})


class DocumentContent(msgspec.Struct, frozen=True):
    """A document as it should be at the LRS; `every` is the mapping document's."""

    name: str
    place: DocumentAddress
    content_type: str
    content: bytes
    every: int


def generate_documents(
    mapping: CompiledMapping,
    context: StatementContext,
    attempt: AttemptState,
    *,
    names: Collection[str],
    attempts: Sequence[tuple[str, int]] = (),
    form: AttemptForm | None = None,
) -> list[DocumentContent]:
    """Return the documents of these names that have something to tell.

    `attempts` are the id and number of the enrollment's attempts that have begun, in their order; where there are none,
    their list is not told. `form` is a target's, None for the mapping's own.
    """
    contents = []
    bound_templates = mapping.bind(context)
    for document in mapping.definition.documents:
        if document.name not in names:
            continue
        parts = document.content if form is None else form.document_parts(document.content)
        is_text = document.content == ("suspend_data",)
        content = b""
        if not is_text:
            content = _content(mapping, document, parts, bound_templates, attempt, attempts, form)
        elif parts:
            content = (attempt.snapshot.suspend_data or "").encode()
        if content:
            place = _place(mapping, document, bound_templates, form)
            contents.append(DocumentContent(document.name, place, TEXT if is_text else JSON, content, document.every))
    return contents


def _place(
    mapping: CompiledMapping, document: DocumentDefinition, bound_templates: BoundTemplates, form: AttemptForm | None
) -> DocumentAddress:
    if form is not None:
        return _make_place(mapping.definition, document, bound_templates, form)
    cached = bound_templates.addresses.get(document.name)
    if cached is None:
        cached = bound_templates.addresses[document.name] = _make_place(
            mapping.definition, document, bound_templates, form
        )
    return cached


def _make_place(
    mapping: MappingDefinition, document: DocumentDefinition, bound_templates: BoundTemplates, form: AttemptForm | None
) -> DocumentAddress:
    parameters = {}
    if document.activity is not None:
        parameters["activityId"] = fill_iri(mapping.activities[document.activity].id, bound_templates.values)
    if document.resource != "activities/profile":
        parameters["agent"] = bound_templates.agent if form is None else form.agent
    parameters["stateId" if document.resource == "activities/state" else "profileId"] = document.id
    encoded = _encode(parameters)
    digest = _PLACES.copy()
    digest.update(document.resource.encode() + b"\n" + encoded)
    if form is not None:
        # another content may belong to the same place at another LRS
        digest.update(b"\n" + form.description.encode())
    return DocumentAddress(as_uuid(digest.hexdigest()), document.resource, encoded.decode())


def _content(
    mapping: CompiledMapping,
    document: DocumentDefinition,
    parts: Sequence[DocumentPart],
    bound_templates: BoundTemplates,
    attempt: AttemptState,
    attempts: Sequence[tuple[str, int]],
    form: AttemptForm | None,
) -> bytes:
    """Return a document's content as JSON, empty where nothing of it is known."""
    fields: dict[str, Any] = {}
    for part in parts:
        value: Any
        of_snapshot = _OF_SNAPSHOT.get(part)
        if of_snapshot is not None:
            value = of_snapshot(attempt.snapshot)
        elif part == "total_time":
            value = duration(attempt.total_time)
        elif part == "attempts":
            template = mapping.definition.activities[document.attempts or ""].id
            value = [fill_iri(template, of_attempt(bound_templates.values, uid, number)) for uid, number in attempts]
        elif part == "learner_id":
            value = bound_templates.context.learner_id if form is None else form.learner_id
        else:
            value = bound_templates.context.learner_name
        if value or value == 0:
            fields[part] = value
    return _encode(fields) if fields else b""


_PREFERENCES = attrgetter("audio_level", "language", "delivery_speed", "audio_captioning")
_NO_PREFERENCES = (None, None, None, None)


def _preferences(snapshot: Snapshot) -> dict[str, Any]:
    if _PREFERENCES(snapshot) == _NO_PREFERENCES:
        return {}
    return {
        name: value
        for name, value, fits in (
            ("audio_level", snapshot.audio_level, (snapshot.audio_level or 0) >= 0),
            ("language", snapshot.language, _LANGUAGE.fullmatch(snapshot.language or "") is not None),
            ("delivery_speed", snapshot.delivery_speed, (snapshot.delivery_speed or 0) >= 0),
            ("audio_captioning", snapshot.audio_captioning, snapshot.audio_captioning in {-1, 0, 1}),
        )
        if value is not None and fits
    }


def _comments(snapshot: Snapshot) -> list[dict[str, str]]:
    if not snapshot.comments_from_lms:
        return []
    listed = sorted(snapshot.comments_from_lms.items(), key=lambda entry: int(entry[0]))
    return [comment for _, item in listed if (comment := _comment(item))]


def _comment(item: Item) -> dict[str, str]:
    fields = {name: scalar(item.get(name)) for name in ("comment", "location", "timestamp")}
    if any(check_timestamp(fields["timestamp"], "")):
        fields["timestamp"] = None
    return {name: value for name, value in fields.items() if value}


def _passing_score(snapshot: Snapshot) -> float | None:
    if snapshot.scaled_passing_score is not None:
        return snapshot.scaled_passing_score
    mastery = snapshot.mastery_score
    return None if mastery is None or not 0 <= mastery <= 100 else mastery / 100


def _seconds(snapshot: Snapshot) -> float | None:
    if not snapshot.max_time_allowed:
        return None
    try:
        seconds = read_time(snapshot.max_time_allowed) / CENTISECONDS
    except CmiTimeError:
        return None
    return int(seconds) if seconds.is_integer() else seconds


_OF_SNAPSHOT: Mapping[str, Callable[[Snapshot], Any]] = {
    "comments_from_lms": _comments,
    "completion_threshold": attrgetter("completion_threshold"),
    "credit": attrgetter("credit"),
    "launch_data": attrgetter("launch_data"),
    "location": attrgetter("location"),
    "max_time_allowed": _seconds,
    "mode": attrgetter("mode"),
    "preferences": _preferences,
    "scaled_passing_score": _passing_score,
    "time_limit_action": lambda known: known.time_limit_action if known.time_limit_action in _ACTIONS else None,
}
