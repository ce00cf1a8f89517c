"""Running commands: inside the test's process, and as the installed script."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner, Result

from bridge.cli import main

Run = Callable[..., Result]
Script = Callable[..., "subprocess.CompletedProcess[str]"]
SCRIPT = Path(sys.executable).with_name("scorm-bridge")


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run in an empty directory without settings in the environment; the log is set up as it was afterwards."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("SCORM_BRIDGE_")]:
        monkeypatch.delenv(name)
    yield
    structlog.reset_defaults()


@pytest.fixture
def run() -> Run:
    """Run a command in this process. `file` becomes scorm-bridge.toml, further keywords become the environment.

    However wrong things are, a command ends with words and a status, and never with a traceback.
    """

    def runner(*arguments: str, file: str | bytes | None = None, **environment: str) -> Result:
        if file is not None:
            Path("scorm-bridge.toml").write_bytes(file.encode() if isinstance(file, str) else file)
        result = CliRunner().invoke(main, arguments, env=environment)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return runner


@pytest.fixture
def script() -> Script:
    """Run the installed script as people do."""

    def runner(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [SCRIPT, *arguments], capture_output=True, text=True, timeout=60, check=False, env=os.environ | environment
        )

    return runner
