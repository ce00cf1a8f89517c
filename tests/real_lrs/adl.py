"""ADL's LRS, the reference: strict, never idempotent, and the only one here that keeps documents.

It comes from no package index, so it runs where somebody has put it:

    git clone https://github.com/adlnet/ADL_LRS && cd ADL_LRS
    python3.11 -m venv .venv && .venv/bin/pip install -r requirements.txt

`ADL_LRS=…/ADL_LRS make test ARGS=tests/real_lrs` then runs the tests of it, which are skipped elsewhere.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import psycopg

from tests.real_lrs.service import PASSWORD, USERNAME, RealLrs

SOURCE = Path(os.environ.get("ADL_LRS", "no source of ADL's LRS"))
SERVER = Path(__file__).with_name("adl_server.py")


class AdlLrs(RealLrs):
    """It asks for the right Basic credentials and for a version. `server_url`: of a PostgreSQL server."""

    name = "ADL's LRS"
    heartbeat = "/xAPI/about"
    in_order = {"ascending": "true"}  # noqa: RUF012 -- never changed

    def __init__(self, server_url: str) -> None:
        super().__init__()
        server = urlsplit(server_url)._replace(path="/postgres")
        self._url = server._replace(path=f"/adl_{uuid.uuid4().hex}")
        with psycopg.connect(server.geturl(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {self._url.path[1:]}")

    def command(self) -> list[str]:
        # -P: this folder is no package of its
        return [str(SOURCE / ".venv/bin/python"), "-P", str(SERVER), str(SOURCE), USERNAME, PASSWORD]

    def environment(self, directory: Path, port: int) -> dict[str, str]:
        return {
            "PORT": str(port),
            "POSTGRESQL_HOST": parse_qs(self._url.query)["host"][0],
            "POSTGRESQL_DATABASE": self._url.path[1:],
        }

    def document(self, resource: str, **parameters: str) -> bytes:
        """Return what is kept as a document, "" where there is none."""
        status, content = self._ask("GET", f"/xAPI/{resource}?{urlencode(parameters)}")
        return content if status == 200 else b""

    def empty(self) -> None:
        """Forget all statements."""
        with psycopg.connect(self._url.geturl(), autocommit=True) as connection:
            connection.execute("TRUNCATE lrs_statement CASCADE")
