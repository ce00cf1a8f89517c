"""The SCORM run-time data model (CMI) of SCORM 1.2 and SCORM 2004, read leniently into one typed snapshot."""

from __future__ import annotations

from mappings.cmi.merge import merge
from mappings.cmi.parser import ParsedCmi, parse_cmi
from mappings.cmi.snapshot import Snapshot
from mappings.cmi.warnings import CmiWarning

__all__ = ["CmiWarning", "ParsedCmi", "Snapshot", "merge", "parse_cmi"]
