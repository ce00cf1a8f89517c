"""Whether a statement is valid under xAPI 1.0.3 and 2.0.0.

Pure functions over decoded JSON. The bridge validates what it makes with them, the sandbox LRS what it is sent.
"""

from __future__ import annotations

from mappings.xapi.validation.activities import check_activity
from mappings.xapi.validation.statement import Edition, check_result, check_statement

__all__ = ["Edition", "check_activity", "check_result", "check_statement"]
