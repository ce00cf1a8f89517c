"""Mapping documents: read with all their errors, compiled once into statement skeletons."""

from __future__ import annotations

from mappings.definition.compiled import CompiledMapping, compile_document
from mappings.definition.errors import DocumentError, Fault
from mappings.definition.loader import load

__all__ = ["CompiledMapping", "DocumentError", "Fault", "compile_document", "load"]
