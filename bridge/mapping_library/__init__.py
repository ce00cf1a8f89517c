"""Versions of mapping documents in use: activating them, taking them back, and what they would change.

The audit pages and the command line share what is here. Nothing here goes back on what was made: statements of the
past change only where people ask for it (`reissue`).
"""

from __future__ import annotations
