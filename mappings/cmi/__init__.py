"""The SCORM run-time data model (CMI) of SCORM 1.2 and SCORM 2004, read leniently into one typed snapshot."""

from __future__ import annotations

from mappings.cmi.merge import merge
from mappings.cmi.reader import Reading, read
from mappings.cmi.snapshot import Snapshot
from mappings.cmi.warnings import CmiWarning

__all__ = ["CmiWarning", "Reading", "Snapshot", "merge", "read"]
