"""Learning Locker's own statements service, started as a real LRS that strictly follows xAPI 1.0.3."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.real_lrs.service import RealLrs

SERVICE = Path(__file__).parent / "node_modules/@learninglocker/xapi-statements/dist/index.js"


class LearningLocker(RealLrs):
    """It keeps its statements in memory, and takes any Basic credentials, but wants some."""

    name = "Learning Locker"
    heartbeat = "/xAPI/about"
    in_order = {"ascending": "true"}  # noqa: RUF012 -- never changed

    def command(self) -> list[str]:
        node = shutil.which("node")
        if node is None or not SERVICE.exists():
            raise RuntimeError(
                "Learning Locker's statements service cannot be started: "
                + ("node was not found. Install Node.js, then" if node is None else "its packages are missing:")
                + " run `make player test-tools`."
            )
        return [node, "--no-deprecation", "--unhandled-rejections=warn", str(SERVICE)]

    def environment(self, directory: Path, port: int) -> dict[str, str]:
        return {
            "AUTH_REPO": "test",
            "EVENTS_REPO": "test",
            "EXPRESS_BODY_PARSER_LIMIT": "5mb",
            "EXPRESS_PORT": str(port),
            "FS_LOCAL_STORAGE_DIR": str(directory),
            "MODELS_REPO": "memory",
            "SERVICE_AWAIT_UPDATES": "false",
            "STORAGE_REPO": "local",
            "WINSTON_CONSOLE_LEVEL": "error",
        }
