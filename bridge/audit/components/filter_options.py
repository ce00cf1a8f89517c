"""What the filters of searches offer: the verbs, rules and documents of the stored mapping versions, and the LMSs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import Connection

from mappings.definition import DefinitionError, load_definition
from mappings.definition.describe import display_name
from mappings.definition.model import MappingDefinition
from storage import lms, mapping_versions

_MAX_VERSIONS = 20
"""The newest ones: a verb of older ones can be found by its IRI."""


class FilterOptions(NamedTuple):
    """What forms offer; `verbs` are IRI -> name."""

    verbs: Mapping[str, str]
    rules: tuple[str, ...]
    documents: tuple[str, ...]
    lms: tuple[str, ...]

    def verb_iri(self, text: str) -> str:
        """Return the IRI of a verb that is given by its name, any other text as it is."""
        return next((iri for iri, name in self.verbs.items() if name.lower() == text.lower()), text)


@lru_cache(maxsize=64)
def load_document(text: str, name: str) -> MappingDefinition | DefinitionError:
    """Return a stored mapping document, or its faults: another release may have stored it."""
    try:
        return load_definition(text, name)
    except DefinitionError as error:
        return error


def filter_options(connection: Connection) -> FilterOptions:
    """Return the options of all searches."""
    verbs: dict[str, str] = {}
    rules: dict[str, None] = {}
    documents: dict[str, None] = {}
    for version in mapping_versions.newest(connection, _MAX_VERSIONS):
        document = load_document(version.definition, version.name)
        if isinstance(document, MappingDefinition):
            for verb in document.verbs.values():
                verbs.setdefault(verb.id, display_name(verb.display, document.language))
            rules |= dict.fromkeys(rule.name for rule in document.rules)
            documents |= dict.fromkeys(template.name for template in document.documents)
    return FilterOptions(verbs, tuple(rules), tuple(documents), tuple(lms.names(connection)))
