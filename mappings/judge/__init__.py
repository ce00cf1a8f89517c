"""The judge: says whether a statement is valid under xAPI 1.0.3 and 2.0.0, and whether two statements are the same one.

Pure functions over decoded JSON. The bridge judges what it makes with it, the sandbox LRS what it is sent.
"""

from __future__ import annotations

from mappings.judge.activities import check_activity
from mappings.judge.equality import Fingerprint, fingerprint
from mappings.judge.statement import Edition, check_result, check_statement

__all__ = ["Edition", "Fingerprint", "check_activity", "check_result", "check_statement", "fingerprint"]
