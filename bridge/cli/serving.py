"""`scorm-bridge serve`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click
from aiohttp import web
from sqlalchemy.exc import DBAPIError

from bridge.app import SchemaError, create_app
from bridge.settings import WRONG, Settings, SettingsError
from mappings.document import DocumentError

with suppress(ImportError):  # not made for Windows
    import uvloop

UNAVAILABLE = 69
"""Exit status when the database does not answer at start-up (EX_UNAVAILABLE of sysexits.h)."""
IN_FLIGHT_TIME = 10
"""Seconds that requests under way have to finish after SIGTERM."""


def fail(status: int, text: str) -> None:
    """Tell what is wrong and leave."""
    click.echo(text, err=True)
    sys.exit(status)


def run_app(app: web.Application, settings: Settings, loop: asyncio.AbstractEventLoop) -> None:
    """Serve until SIGINT or SIGTERM, then finish what is under way. Says so as soon as it listens."""
    web.run_app(
        app,
        host=settings.server.host,
        port=settings.server.port,
        access_log=None,
        print=lambda *_: click.echo(
            f"scorm-bridge listens on http://{settings.server.host}:{settings.server.port}", err=True
        ),
        shutdown_timeout=IN_FLIGHT_TIME,
        loop=loop,
    )


def new_loop() -> asyncio.AbstractEventLoop:
    """Make the event loop: uvloop's where there is one."""
    return uvloop.new_event_loop() if "uvloop" in sys.modules else asyncio.new_event_loop()


@contextmanager
def told() -> Iterator[None]:
    """Tell in words, with an exit status, why the bridge cannot run."""
    try:
        yield
    except (SchemaError, DocumentError, SettingsError) as error:
        fail(WRONG, str(error))
    except DBAPIError as error:
        fail(UNAVAILABLE, f"The database does not answer: {error.orig}")
    except OSError as error:
        fail(UNAVAILABLE, f"The bridge cannot listen: {error}")


@click.command()
@click.pass_obj
def serve(settings: Settings) -> None:
    """Run the bridge."""
    with told():
        run_app(create_app(settings), settings, new_loop())
