"""Mapping documents ready for use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import msgspec

from mappings.attempt.changes import Trigger
from mappings.cmi.snapshot import Snapshot
from mappings.document.errors import DocumentError, Fault
from mappings.document.facts import Facts
from mappings.document.model import Document, DocumentPart, Rule, XapiDocument
from mappings.document.outlines import Outline, Outlines
from mappings.document.skeletons import Skeletons
from mappings.document.templates import OPTIONAL
from mappings.gate import Gate


class KeptDocument(msgspec.Struct, frozen=True):
    """A state or profile document, with what of an attempt it is made of.

    `fields` gives those of the snapshot, None where there are none; `timed` says that it tells the total time, `text`
    that it is a text and no JSON.
    """

    document: XapiDocument
    fields: Callable[[Snapshot], Any] | None
    timed: bool
    text: bool


class CompiledMapping(msgspec.Struct, frozen=True):
    """A mapping document ready for use."""

    document: Document
    documents: Sequence[KeptDocument]
    rules: Mapping[Trigger, Sequence[Rule]]
    outline: Callable[[Facts], Outline]
    gate: Gate


def compile_document(document: Document, source: str) -> CompiledMapping:
    """Compile a document.

    Raises:
        DocumentError: tincan takes no statement of some rule.
    """
    rules: dict[Trigger, list[Rule]] = {}
    faults: list[Fault] = []
    skeletons = Skeletons(document)
    for index, rule in enumerate(document.rules):
        rules.setdefault(rule.when, []).append(rule)
        for absent in (frozenset[str](), OPTIONAL):
            try:
                skeletons.of_rule(rule, absent)
            except (TypeError, ValueError) as error:  # what tincan raises for values it does not take
                faults.append(Fault(f"rules[{index}]", 0, f"makes no statement: {error}"))
                break
    if faults:
        raise DocumentError(source, faults)
    kept = [_kept(one) for one in document.documents]
    return CompiledMapping(document, kept, rules, Outlines(document, skeletons).of, Gate())


def _kept(one: XapiDocument) -> KeptDocument:
    names = [field for part in one.content for field in _FIELDS.get(part, (part,))]
    return KeptDocument(
        one,
        fields=attrgetter(*names) if names else None,
        timed="total_time" in one.content,
        text=one.content == ("suspend_data",),
    )


_FIELDS: Mapping[DocumentPart, tuple[str, ...]] = {
    "attempts": (),
    "learner_id": (),
    "learner_name": (),
    "preferences": ("audio_level", "language", "delivery_speed", "audio_captioning"),
    "scaled_passing_score": ("scaled_passing_score", "mastery_score"),
    "total_time": (),
}
"""The snapshot's fields that parts are made of, where it is not the one of the same name."""
