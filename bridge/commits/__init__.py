"""The commit path: requests waiting for the writer, the batch that stores them in one transaction, and the answers.

This is the one place where the pure core and the storage meet.
"""

from __future__ import annotations
