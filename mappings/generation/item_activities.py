"""The activities of interactions and objectives: what of a statement differs from item to item."""

from __future__ import annotations

from typing import Any

import msgspec

from mappings.cmi.interactions import Interaction
from mappings.cmi.objectives import Objective
from mappings.definition.bound_templates import BoundTemplates
from mappings.definition.statement_context import Slots
from mappings.definition.statement_templates import DEFINITION, ITEM_IRI
from mappings.xapi.iris import is_own_iri

MAX_OBJECTIVES = 16
"""Objectives of a session that are remembered as JSON, each of at most `MAX_OBJECTIVE_BYTES`."""
MAX_OBJECTIVE_BYTES = 600

_encode = msgspec.json.Encoder().encode


def item_slots(item: Interaction | Objective, beyond: Slots) -> Slots:
    """Return what an item fills into templates, above the slots that lie beyond it."""
    slots = Slots({"item.id": item.id, "item.description": item.description, ITEM_IRI: item.id}, beyond)
    if isinstance(item, Interaction):
        members: dict[str, Any] = {"interactionType": item.type}
        if item.patterns:
            members["correctResponsesPattern"] = item.patterns
        slots[DEFINITION] = _encode(members)[1:-1]
    return slots


def objective_activity(
    bound_templates: BoundTemplates,
    activity: str,
    objective_id: str,
    description: str,
    beyond: Slots,
    unknown: frozenset[str],
    *,
    of_commit: bool,
) -> bytes:
    """Return an objective as JSON: the mapping's `activity` of that name.

    A session's interactions name the same few objectives, which are remembered with its templates unless the activity
    is made `of_commit`.
    """
    remembered = bound_templates.objective_activities
    key = activity, objective_id, description
    if not of_commit and (body := remembered.get(key)) is not None:
        return body
    slots = item_slots(Objective(objective_id, description), beyond)
    parts = bound_templates.activity(
        activity, described=bool(description), own_iri=is_own_iri(objective_id), unknown=unknown
    )
    body = b"".join([part if isinstance(part, bytes) else slots[part] for part in parts])
    if not of_commit and len(remembered) < MAX_OBJECTIVES and len(body) <= MAX_OBJECTIVE_BYTES:
        remembered[key] = body
    return body
