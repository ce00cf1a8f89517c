"""`scorm-bridge serve`: the bridge itself."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

import click
import structlog
from aiohttp import web
from sqlalchemy.exc import DBAPIError

from bridge import logs
from bridge.app import SchemaError, create_app
from bridge.cli.descriptors import affordable_connections
from bridge.cli.exit_codes import ExitCode
from bridge.cli.service_manager import ServiceState, notify_manager
from bridge.cli.workers import serve_together, stop_with_parent
from bridge.http.connection_server import BACKLOG, ConnectionRunner
from bridge.http.health import DRAINING
from bridge.settings import Settings, SettingsError
from bridge.settings.sources import unknown_variables
from mappings.definition import DefinitionError
from storage.database_url import parse_database_url
from storage.poolers import SharedConnectionsError
from storage.process_lock import CannotServeError, only_writer

with suppress(ImportError):  # not made for Windows
    import uvloop

log = structlog.get_logger(__name__)

GC_THRESHOLD = 10_000
"""New objects after which the garbage collector runs, instead of 700: a batch of commits has thousands, and the
collector took a twentieth of a commit's time."""
SWITCH_INTERVAL = 0.001
"""Seconds until a thread that builds a page or a file yields to another one, instead of 0.005: commits wait for it."""
SHUTDOWN_TIMEOUT = 10
"""Seconds that requests in flight have to finish after SIGTERM."""


def fail(code: ExitCode, text: str) -> None:
    """Print an error and exit."""
    logs.announce(text)
    sys.exit(code)


def run_app(
    app: web.Application,
    settings: Settings,
    loop: asyncio.AbstractEventLoop,
    listener: socket.socket | None = None,
    on_listening: Callable[[], None] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM, then finish requests in flight; a second signal ends the process at once.

    Prints the address once it listens, and calls `on_listening`. `listener` is a socket that listens already.
    """
    gc.set_threshold(GC_THRESHOLD)
    sys.setswitchinterval(SWITCH_INTERVAL)
    gc.collect()
    # modules and settings stay: to collect them stopped everything for a tenth of a second
    gc.freeze()
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(_serve(app, settings, listener, on_listening))
    finally:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def _serve(
    app: web.Application,
    settings: Settings,
    listener: socket.socket | None,
    on_listening: Callable[[], None] | None,
) -> None:
    server = settings.server
    limited = server.model_copy(update={"max_connections": affordable_connections(server.max_connections)})
    stopped = asyncio.Event()
    _stop_on_signals(app[DRAINING], stopped, server.drain_delay)
    runner = ConnectionRunner(app, limited, logs_access=settings.log.access, shutdown_timeout=SHUTDOWN_TIMEOUT)
    await runner.setup()
    try:
        site: web.BaseSite = (
            web.TCPSite(runner, server.host, server.port, backlog=BACKLOG)
            if listener is None
            else web.SockSite(runner, listener, backlog=BACKLOG)
        )
        await site.start()
        logs.announce(f"scorm-bridge listens on http://{server.host}:{server.port}")
        log.info(
            "started",
            version=version("scorm-xapi-bridge"),
            address=f"http://{server.host}:{server.port}",
            public_url=server.public_url or None,
            database=parse_database_url(settings.database.url).render_as_string(hide_password=True),
            mapping=settings.mapping.document,
            targets={target.name: target.endpoint for target in settings.targets},
            pid=os.getpid(),
        )
        notify_manager(ServiceState.READY)
        if on_listening is not None:
            on_listening()
        await stopped.wait()
    finally:
        await runner.cleanup()


def _stop_on_signals(draining: asyncio.Event, stopped: asyncio.Event, delay: float) -> None:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for number in numbers:
            # from here on a signal ends the process by itself: what was answered 200 is on disk, and leases run out
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        draining.set()
        notify_manager(ServiceState.STOPPING)
        log.info("stopping", after=delay)
        loop.call_later(delay, stopped.set)

    numbers = signal.SIGINT, signal.SIGTERM
    for number in numbers:
        loop.add_signal_handler(number, stop)


def new_loop() -> asyncio.AbstractEventLoop:
    """Return a new event loop: uvloop's where it is installed."""
    return uvloop.new_event_loop() if "uvloop" in sys.modules else asyncio.new_event_loop()


@contextmanager
def errors_as_exit_codes() -> Iterator[None]:
    """Exit with a message and an exit code where the bridge cannot run."""
    try:
        with logs.capture_uncaught():
            yield
    except (SchemaError, DefinitionError, SettingsError, SharedConnectionsError) as error:
        fail(ExitCode.CONFIG, str(error))
    except CannotServeError as error:
        fail(ExitCode.UNAVAILABLE, str(error))
    except DBAPIError as error:
        fail(ExitCode.UNAVAILABLE, f"The database does not answer: {error.orig}")
    except OSError as error:
        fail(ExitCode.UNAVAILABLE, f"The bridge cannot listen: {error}")
    except Exception:
        log.critical("uncaught_exception", exc_info=True)
        sys.exit(ExitCode.INTERNAL_ERROR)


@click.command()
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Number of processes (more than one needs PostgreSQL).",
)
@click.option("--listener", type=int, hidden=True, help="Descriptor of a socket that listens.")
@click.option("--parent", type=int, hidden=True, help="Descriptor of a pipe that ends with the parent process.")
@click.option("--metrics", type=click.Path(path_type=Path), hidden=True, help="Where metrics are shared, and a name.")
@click.pass_context
def serve(
    context: click.Context, *, workers: int, listener: int | None, parent: int | None, metrics: Path | None
) -> None:
    """Run the bridge."""
    settings: Settings = context.obj
    with errors_as_exit_codes():
        if workers > 1:
            if parse_database_url(settings.database.url).get_backend_name() == "sqlite":
                raise SettingsError("--workers needs PostgreSQL: SQLite has one writing process.")
            config = context.find_root().params["config"]
            arguments = [] if config is None else ["--config", str(config)]
            sys.exit(serve_together(workers, arguments, settings.server.host, settings.server.port))
        with only_writer(settings.database.url):
            loop = new_loop()
            if parent is not None:
                stop_with_parent(loop, parent)
            shared = None if listener is None else socket.socket(fileno=listener)
            if unknown := unknown_variables(settings):
                log.warning("unknown_environment_variables", names=[variable.name for variable in unknown])
            run_app(create_app(settings, shared_metrics=metrics), settings, loop, shared)
