"""Ralph, a real LRS that is lax with statements and has answers of its own to what it knows already."""

from __future__ import annotations

from pathlib import Path

from tests.real_lrs.service import PASSWORD, USERNAME, RealLrs

ROOT = Path(__file__).parents[2]
ENVIRONMENT = ROOT / ".judges"
SERVER = Path(__file__).with_name("ralph_server.py")


class Ralph(RealLrs):
    """It keeps its statements in a file, which it reads whole at every request, so keep it short.

    It asks for the right Basic credentials and for no version. It has no `about`.
    """

    name = "Ralph"
    heartbeat = "/__heartbeat__"
    # with `ascending` this backend gives the newest first, and the oldest without
    in_order = {}  # noqa: RUF012 -- never changed

    def command(self) -> list[str]:
        python = ENVIRONMENT / "bin/python"
        # an environment that was made for the statement model alone has no uvicorn
        if not (ENVIRONMENT / ".ready").exists() or not python.with_name("uvicorn").exists():
            raise RuntimeError("Ralph's server cannot be started: it is not installed. Run `make test-tools`.")
        # -P: this folder's ralph.py is not the package
        return [str(python), "-P", str(SERVER), USERNAME, PASSWORD]

    def environment(self, directory: Path, port: int) -> dict[str, str]:
        self._kept = directory / "statements"
        return {
            "PORT": str(port),
            "RALPH_APP_DIR": str(directory),
            "RALPH_AUTH_FILE": str(directory / "auth.json"),
            "RALPH_BACKENDS__LRS__FS__DEFAULT_DIRECTORY_PATH": str(self._kept),
            "RALPH_BACKENDS__LRS__FS__DEFAULT_LRS_FILE": "statements.jsonl",
            "RALPH_RUNSERVER_BACKEND": "fs",
        }

    def empty(self) -> None:
        """Forget all statements. Nothing may be on its way to it."""
        (self._kept / "statements.jsonl").unlink(missing_ok=True)
