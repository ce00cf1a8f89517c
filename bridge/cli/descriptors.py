"""How many files and sockets the process may have open, against how many connections it is to serve."""

from __future__ import annotations

import sys

import structlog

from bridge.http.connection_server import BACKLOG

if sys.platform != "win32":
    import resource

log = structlog.get_logger(__name__)

RESERVED = 256
"""Descriptors for everything but clients: databases, LRSs, files."""
MIN_CONNECTIONS = 16


def affordable_connections(wanted: int) -> int:
    """Raise the limit of open descriptors as far as the system allows; return how many connections fit.

    It is `wanted`, or less with a warning in the log. Room is left for what the kernel has accepted before the bridge
    can turn it away.
    """
    if sys.platform == "win32":
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY in {soft, hard}:
        return wanted
    needed = wanted + BACKLOG + RESERVED
    if soft < needed:
        soft = min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    room = soft - RESERVED
    affordable = max(MIN_CONNECTIONS, room - min(BACKLOG, room // 4))
    if affordable >= wanted:
        return wanted
    log.warning(
        "max_connections_lowered",
        wanted=wanted,
        to=affordable,
        consequence="the system allows too few open files; raise its limit (ulimit -n, LimitNOFILE=)",
    )
    return affordable
