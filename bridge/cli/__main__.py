"""`python -m bridge.cli`, as worker processes are started."""

from __future__ import annotations

from bridge.cli.commands import main

main(prog_name="scorm-bridge")
