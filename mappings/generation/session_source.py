"""Where a session comes from, as an extension of its statements' context: that a page's data can be forged shall show.

The statements of sessions that the LMS's server opened have none, and stay what they are to the byte.
"""

from __future__ import annotations

import msgspec

from mappings.definition.bound_templates import BoundTemplates
from mappings.definition.model import MappingDefinition
from mappings.definition.statement_context import fill_iri

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


def source_key(definition: MappingDefinition, bound_templates: BoundTemplates) -> str | None:
    """Return the key of the extension, None where the mapping leaves it out."""
    if not definition.context.session_source:
        return None
    return fill_iri(definition.source_extension, bound_templates.values)


def with_extension(statement: bytes, key: str, value: str) -> bytes:
    """Return a statement with one more extension in its context; all else of it stays as it is."""
    parts = _decode(statement)
    context = _decode(parts.get("context", b"{}"))
    extensions = _decode(context.get("extensions", b"{}"))
    extensions[key] = msgspec.Raw(_encode(value))
    context["extensions"] = msgspec.Raw(_encode(extensions))
    parts["context"] = msgspec.Raw(_encode(context))
    return _encode(parts)
