"""The marks by which statements are known that this bridge may have sent to a target, by all its mappings and LMSs."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection

from bridge.mapping_library.activation import compile_stored
from bridge.routing import build_forms
from bridge.settings import TargetSettings
from mappings.definition import CompiledMapping
from mappings.generation.statement_marks import StatedLms, StatementMarks, statement_marks
from mappings.generation.target_forms import TargetForm
from storage import lms, mapping_versions


class KnownMarks(NamedTuple):
    """Marks, and names of mappings that have none: their statements do not say which LMS they are of."""

    marks: list[StatementMarks]
    unrecognizable: list[str]


def load_marks(
    connection: Connection, target: TargetSettings, document: CompiledMapping, lms_name: str | None
) -> KnownMarks:
    """Return the marks of all versions that were ever active, and of the document of the settings, for a target.

    `lms_name`: of the only LMS that is meant, None for all.

    Raises:
        DefinitionError: a version has faults: another release of the bridge stored it.
    """
    activations = mapping_versions.activations(connection)
    versions = {each.mapping_version_id for each in activations if each.mapping_version_id is not None}
    mappings = [document, *(compile_stored(connection, version_id) for version_id in sorted(versions))]
    form = build_forms([target]).get(target.name, TargetForm())
    marks: dict[StatementMarks, None] = {}
    unrecognizable: dict[str, None] = {}
    for each, _ in lms.all_of_them(connection):
        if lms_name not in {None, each.name}:
            continue
        for mapping in mappings:
            its_marks = statement_marks(mapping.definition, form, StatedLms(each.id, each.name, each.home_page))
            if its_marks is None:
                unrecognizable[mapping.definition.name] = None
            else:
                marks[its_marks] = None
    return KnownMarks(list(marks), list(unrecognizable))
