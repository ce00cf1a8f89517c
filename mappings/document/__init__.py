"""Mapping documents: read with all their errors, compiled once into statement skeletons."""

from __future__ import annotations

from mappings.document.compiled import CompiledMapping, compile_document
from mappings.document.errors import DocumentError, Fault
from mappings.document.loader import load

__all__ = ["CompiledMapping", "DocumentError", "Fault", "compile_document", "load"]
