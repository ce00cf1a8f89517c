"""The two judges, each a program of its own: Learning Locker's validator (npm) and Ralph's statement model (PyPI)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
VALIDATOR = FOLDER / "npm/node_modules/@learninglocker/xapi-validation/package.json"
RALPH = ROOT / ".judges"


def _learning_locker() -> list[str]:
    node = shutil.which("node")
    if node is None or not VALIDATOR.exists():
        raise RuntimeError(
            "Learning Locker's validator cannot be asked: "
            + ("node was not found. Install Node.js, then" if node is None else "its packages are missing:")
            + " run `make test-tools`."
        )
    return [node, str(FOLDER / "learning_locker.cjs")]


def _ralph() -> list[str]:
    python = RALPH / "bin/python"
    if not (RALPH / ".ready").exists() or not python.exists():
        raise RuntimeError("Ralph's statement model cannot be asked: it is not installed. Run `make test-tools`.")
    return [str(python), str(FOLDER / "ralph_model.py")]


PANEL: dict[str, Callable[[], list[str]]] = {"Learning Locker": _learning_locker, "Ralph": _ralph}
"""Each judge's name with what gives its command."""


def verdicts(judge: str, statements: Sequence[str]) -> dict[str, list[str]]:
    """Return what a judge finds wrong with each statement, nothing where it accepts it; the judge is started once."""
    done = subprocess.run(
        PANEL[judge](),
        input="".join(f"{statement}\n" for statement in statements).encode(),
        capture_output=True,
        check=False,
        timeout=240,
        env={**os.environ, "PYTHONUTF8": "1"},
    )
    if done.returncode:
        raise RuntimeError(f"{judge} ended with status {done.returncode}.\n{done.stderr.decode(errors='replace')}")
    reasons = [json.loads(line) for line in done.stdout.splitlines()]
    return dict(zip(statements, reasons, strict=True))
