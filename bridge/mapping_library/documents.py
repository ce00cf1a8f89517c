"""Loads mapping documents, shipped ones and files."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import mappings
from mappings.definition import CompiledMapping, DefinitionError, Fault, compile_definition, load_definition

SHIPPED = Path(mappings.__file__).parent
MAX_COMPILED = 16
"""Documents that are kept compiled: it takes some 30 ms, and each start, activation and preview asks for the same."""


def load_mapping(document: str) -> CompiledMapping:
    """Load and compile a shipped document by its name, or any by its path.

    Raises:
        DefinitionError: it is not there, or has faults.
    """
    return compile_text(read_document(document), document)


def read_document(document: str) -> str:
    """Read the text of a shipped document by its name, or of any by its path.

    Raises:
        DefinitionError: it is not there.
    """
    path = Path(document) if document.endswith(".toml") else SHIPPED / f"{document}.toml"
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        names = ", ".join(sorted(path.stem for path in SHIPPED.glob("*.toml")))
        raise DefinitionError(document, [Fault("file", 0, f"cannot be read ({error}); shipped are {names}")]) from None


def compile_text(text: str, source: str) -> CompiledMapping:
    """Compile a document's text; `source` names it in messages.

    Raises:
        DefinitionError: it has faults, all of which are told.
    """
    return _compile_once(text, source).with_empty_caches()


@lru_cache(maxsize=MAX_COMPILED)
def _compile_once(text: str, source: str) -> CompiledMapping:
    return compile_definition(load_definition(text, source), source)
