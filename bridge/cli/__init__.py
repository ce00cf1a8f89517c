"""The command line: `scorm-bridge [--config FILE] COMMAND`."""

from __future__ import annotations

from bridge.cli.commands import main

__all__ = ["main"]
