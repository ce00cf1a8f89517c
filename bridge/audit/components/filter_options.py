"""The verbs, rules and documents that there can be: those of the stored versions of mapping documents."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import Connection

from mappings.definition import DefinitionError, load_definition
from mappings.definition.describe import display_name
from mappings.definition.model import MappingDefinition
from storage import lms, mapping_versions

_VERSIONS = 20
"""The newest ones: whoever looks for a verb of long ago knows its IRI."""


class Vocabulary(NamedTuple):
    """What forms offer. `verbs` gives an IRI its name for people."""

    verbs: Mapping[str, str]
    rules: tuple[str, ...]
    documents: tuple[str, ...]
    lms: tuple[str, ...]

    def verb_iri(self, told: str) -> str:
        """Return the IRI of a verb that was told by its name, anything else as it is."""
        return next((iri for iri, name in self.verbs.items() if name.lower() == told.lower()), told)


@lru_cache(maxsize=64)
def read(text: str, name: str) -> MappingDefinition | DefinitionError:
    """Return a stored mapping document, or what is wrong with it: another release may have stored it."""
    try:
        return load_definition(text, name)
    except DefinitionError as error:
        return error


def vocabulary(connection: Connection) -> Vocabulary:
    """Read it."""
    verbs: dict[str, str] = {}
    rules: dict[str, None] = {}
    documents: dict[str, None] = {}
    for version in mapping_versions.newest(connection, _VERSIONS):
        document = read(version.definition, version.name)
        if isinstance(document, MappingDefinition):
            for verb in document.verbs.values():
                verbs.setdefault(verb.id, display_name(verb.display, document.language))
            rules |= dict.fromkeys(rule.name for rule in document.rules)
            documents |= dict.fromkeys(one.name for one in document.documents)
    return Vocabulary(verbs, tuple(rules), tuple(documents), tuple(lms.names(connection)))
