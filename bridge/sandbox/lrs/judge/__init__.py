"""The judge: says whether a statement is valid xAPI, and if two statements are the same one.

Pure functions over decoded JSON: no I/O, no clock. Useful without the sandbox LRS too, for instance to
hold every statement the bridge makes against the standard.
"""

from __future__ import annotations

from bridge.sandbox.lrs.judge.equality import Fingerprint, fingerprint
from bridge.sandbox.lrs.judge.statement import Edition, check_statement

__all__ = ["Edition", "Fingerprint", "check_statement", "fingerprint"]
