"""Several serving processes on one port: started, restarted when they die, and stopped together."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import structlog

from bridge import logs
from bridge.cli.service_manager import ServiceState, notify_manager, silence_manager
from bridge.clock import random_id
from bridge.metrics.exchange import retire

log = structlog.get_logger(__name__)

RESTART_DELAY = 1.0
"""Seconds before a process that died is replaced."""
BACKLOG = 1024


class WorkerProcesses:
    """`count` processes that run `scorm-bridge serve` on a socket, and share their metrics in a directory."""

    def __init__(self, count: int, arguments: list[str], listener: socket.socket, metrics: Path) -> None:
        self._count = count
        self._arguments = arguments
        self._listener = listener
        self._metrics = metrics
        self._stopping = asyncio.Event()
        self._running: set[asyncio.subprocess.Process] = set()
        self._status = 0

    async def run(self) -> int:
        """Serve until SIGINT or SIGTERM and return the exit code; a second signal kills the processes."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop)
        # a worker ends when this pipe does: none outlives its parent, however that ends
        watched, held_open = os.pipe()
        try:
            await asyncio.gather(*(self._keep_one(watched) for _ in range(self._count)))
        finally:
            os.close(held_open)
            os.close(watched)
        return self._status

    def _stop(self) -> None:
        number = signal.SIGKILL if self._stopping.is_set() else signal.SIGTERM
        self._stopping.set()
        for process in self._running:
            with suppress(ProcessLookupError):
                process.send_signal(number)

    async def _keep_one(self, watched: int) -> None:
        listener = self._listener.fileno()
        command = [*self._arguments, "serve", "--listener", str(listener), "--parent", str(watched), "--metrics"]
        while not self._stopping.is_set():
            name = random_id()
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "bridge.cli",
                *command,
                str(self._metrics / name),
                pass_fds=(listener, watched),
                start_new_session=True,
            )
            self._running.add(process)
            if self._stopping.is_set():  # it was asked while the process was made
                process.terminate()
            status = await process.wait()
            self._running.discard(process)
            retire(self._metrics, name)
            if self._stopping.is_set():
                # one that was asked before it could listen to signals ends by SIGTERM, as it should
                if status != -signal.SIGTERM:
                    self._status = self._status or (status if status >= 0 else 128 - status)
            elif status > 0:
                # it said what is wrong, and would say it again
                self._status = status
                self._stop()
            else:
                log.error("worker_died", signal=-status, consequence="it is replaced")
                with suppress(TimeoutError):
                    async with asyncio.timeout(RESTART_DELAY):
                        await self._stopping.wait()


def serve_together(count: int, arguments: list[str], host: str, port: int) -> int:
    """Serve with several processes and return the exit code. Prints the address once the port is bound.

    Raises:
        OSError: the port cannot be bound.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with (
        socket.create_server((host, port), family=family, backlog=BACKLOG) as listener,
        tempfile.TemporaryDirectory(prefix="scorm-bridge-metrics-") as metrics,
    ):
        listener.set_inheritable(True)
        logs.announce(f"scorm-bridge listens on http://{host}:{listener.getsockname()[1]} ({count} workers)")
        notify_manager(ServiceState.READY)
        silence_manager()
        return asyncio.run(WorkerProcesses(count, arguments, listener, Path(metrics)).run())


def stop_with_parent(loop: asyncio.AbstractEventLoop, parent: int) -> None:
    """Stop this process as by SIGTERM when its parent is gone; `parent` is the reading end of the parent's pipe."""

    def end() -> None:
        loop.remove_reader(parent)
        signal.raise_signal(signal.SIGTERM)

    loop.add_reader(parent, end)
