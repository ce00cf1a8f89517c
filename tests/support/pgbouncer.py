"""A PgBouncer before the PostgreSQL server of the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy.engine import URL

from storage.database_url import parse_database_url
from tests.support.server import free_port

DEADLINE = 30
SETTINGS = """
[databases]
* = host={socket} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = 20
logfile = {folder}/log
pidfile = {folder}/pid
"""


@contextmanager
def pgbouncer(url: str, mode: str) -> Iterator[str]:
    """Run one with a `pool_mode`; yield the URL of the same database through it."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        raise RuntimeError("The tests need pgbouncer: run `make test-tools`.")
    parsed = parse_database_url(url)
    folder = Path(tempfile.mkdtemp(prefix="pgbouncer-"))
    socket, port = str(parsed.query["host"]), free_port()
    settings = folder / "pgbouncer.ini"
    settings.write_text(
        SETTINGS.format(socket=socket, user=parsed.username, port=port, mode=mode, folder=folder), encoding="utf-8"
    )
    owner = Path(socket).stat()
    os.chown(folder, owner.st_uid, owner.st_gid)
    with (folder / "output").open("wb") as output:
        # it does not run as root
        process = subprocess.Popen(
            [program, settings], user=owner.st_uid, group=owner.st_gid, stdout=output, stderr=output
        )
    through = URL.create("postgresql", parsed.username, host="127.0.0.1", port=port, database=parsed.database)
    try:
        _wait(through.render_as_string())
        yield through.render_as_string()
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder)


def _wait(url: str) -> None:
    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)  # it sets no event
        else:
            return
