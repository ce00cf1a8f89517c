"""Versions of mapping documents in use: activating, following, replaying, re-issuing."""
