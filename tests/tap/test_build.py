"""The script that is served is the one whose source is here, and small."""

from __future__ import annotations

import gzip
import subprocess
from pathlib import Path

import pytest

from bridge.tap.script import FILE, load_script

SOURCE = FILE.parent
MAX_COMPRESSED_LENGTH = 8_000


def _npm(*arguments: str) -> str:
    if not (SOURCE / "node_modules").is_dir():
        pytest.fail("These tests need esbuild and TypeScript: run `make test-tools`.")
    run = subprocess.run(("npm", *arguments), cwd=SOURCE, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def test_the_script_is_what_the_build_makes_of_its_source(tmp_path: Path) -> None:
    built = tmp_path / "tap.js"
    _npm("run", "--silent", "build", "--", f"--outfile={built}")

    assert built.read_text(encoding="utf-8") == FILE.read_text(encoding="utf-8"), "run `make tap`"


def test_the_source_has_no_errors_of_types() -> None:
    assert _npm("run", "--silent", "check") == ""


def test_the_script_is_small_and_has_only_its_own_code() -> None:
    script = load_script()

    assert len(script.compressed) < MAX_COMPRESSED_LENGTH
    assert gzip.decompress(script.compressed) == script.body
    assert b"import(" not in script.body
    assert b"require(" not in script.body
