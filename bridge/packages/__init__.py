"""SCORM content packages that bring the recording script along."""

from __future__ import annotations


class PackageError(ValueError):
    """A package cannot be read, wrapped or unwrapped. The message says why, and where in it."""
