"""Mapping definitions: loaded with all their faults, compiled once into statement templates."""

from __future__ import annotations

from mappings.definition.compiled import CompiledMapping, compile_definition
from mappings.definition.errors import DefinitionError, Fault
from mappings.definition.loader import load_definition

__all__ = ["CompiledMapping", "DefinitionError", "Fault", "compile_definition", "load_definition"]
