"""The running service: HTTP in, commit handling, forwarding out, and the command line."""

from __future__ import annotations
