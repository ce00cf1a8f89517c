"""Adds the SCORM player of the sandbox, scorm-again, to wheels and source distributions.

It is npm's package, in the release and with the digest that `bridge/sandbox/player/package-lock.json` names; it is not
kept in the repository. Where it is not installed yet, npm installs it. Without npm everything is built except for it,
and the sandbox says so; `make dist` insists on it.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PLAYER = "bridge/sandbox/player"
FILES = tuple(f"{PLAYER}/node_modules/scorm-again/{name}" for name in ("dist/scorm-again.min.js", "LICENSE"))
INSTALL = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")


class PlayerHook(BuildHookInterface[Any]):
    """Hatch's build hook."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the player's files to what is built; an editable installation has them in its checkout."""
        if version == "editable":
            return
        root = Path(self.root)
        if not _is_complete(root) and (npm := shutil.which("npm")) is not None:
            subprocess.run([npm, *INSTALL], cwd=root / PLAYER, check=False)  # noqa: S603 -- as the lock says
        if _is_complete(root):
            build_data["force_include"].update({str(root / file): file for file in FILES})
        else:
            self.app.display_warning(
                "scorm-again is not installed and npm did not install it: the sandbox's course cannot be played."
            )


def _is_complete(root: Path) -> bool:
    return all((root / file).is_file() for file in FILES)
