"""Versions of mapping documents: finding and activating them, and applying them to stored or pasted commits.

The audit pages and the command line share this package. Statements that were made already change only where people
re-issue them (`reissue`).
"""

from __future__ import annotations
