"""Search results as files, sent while they are read: a large one takes no more memory than a small one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, TypeVar

import msgspec
import structlog
from aiohttp import web
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from bridge.audit.access.auth_middleware import is_still_authorized
from bridge.audit.access.roles import may_see_names
from bridge.audit.dependencies import DEPENDENCIES
from bridge.clock import format_timestamp
from bridge.database import log_failure
from bridge.errors import BridgeError
from bridge.spreadsheet import UTF8_MARK, csv_lines
from mappings.cmi.times import duration
from storage.queries import keyset
from storage.queries.keyset import ResultPage

log = structlog.get_logger(__name__)
T = TypeVar("T")

STALL_TIMEOUT = 60.0
"""Seconds within which a client must receive a part of a file."""
REST_FACTOR = 3.0
"""Seconds of rest for each second of work on a file."""

_TYPES = {"csv": "text/csv", "ndjson": "application/x-ndjson"}


class SignedOutError(Exception):
    """The account may no longer have the file."""


def export_columns(
    request: web.Request, names: Sequence[str], **overrides: Callable[[Any], Any]
) -> dict[str, Callable[[Any], Any]]:
    """Return the columns of a file: name -> what a row has there, its field of that name or an override.

    Times are RFC 3339, durations ISO 8601; learners' names are only for who may see them.
    """
    return {
        name: overrides.get(name) or _column(name) for name in names if name != "learner_name" or may_see_names(request)
    }


def _column(name: str) -> Callable[[Any], Any]:
    field = attrgetter(name)
    if name == "total_time":
        return lambda row: duration(field(row))
    return (lambda row: format_timestamp(field(row))) if name.endswith("_at") else field


async def send_file(
    request: web.Request,
    name: str,
    page: Callable[[Connection, str | None, int], ResultPage[T]],
    columns: Mapping[str, Callable[[T], Any]],
) -> web.StreamResponse:
    """Send a file of the kind that the path ends in; `columns` are those of `export_columns`.

    CSV is for spreadsheets: it begins with the mark by which they know UTF-8, every cell is quoted, and an apostrophe
    stands before what they would take for a formula, also where they take another character for the separator. NDJSON
    is for programs: values are as they are. Where the database fails on the way, or the client signs out or receives
    nothing for a minute, the connection is aborted, so that nobody takes a part for the whole.

    Raises:
        CursorError: the cursor of the search is not valid.
    """
    kind = request.path.rpartition(".")[2]
    lane = request.app[DEPENDENCIES].exports
    row_lists = keyset.iterate_pages(lane.engine, page)

    def part() -> bytes | None:
        rows = next(row_lists, None)
        if rows is None:
            return None
        cells = [[cell(row) for cell in columns.values()] for row in rows]
        return csv_lines(cells) if kind == "csv" else _ndjson([*columns], cells)

    loop = asyncio.get_running_loop()
    content = await lane.run(part)
    response = web.StreamResponse(
        headers={
            "Content-Type": f"{_TYPES[kind]}; charset=utf-8",
            "Content-Disposition": f'attachment; filename="{name}.{kind}"',
        }
    )
    await response.prepare(request)
    try:
        if kind == "csv":
            await response.write(UTF8_MARK + csv_lines([columns]))
        while content is not None:
            async with asyncio.timeout(STALL_TIMEOUT):
                await response.write(content)
            started_at = loop.time()
            await _check(request)
            content = await lane.run(part)
            # reading and writing take processor time that commits need: never more than a share of it
            await asyncio.sleep((loop.time() - started_at) * REST_FACTOR)
    except ConnectionResetError:
        pass  # the client has left
    except (DBAPIError, BridgeError, TimeoutError, SignedOutError) as error:
        log_failure(log, "export_cut", error)
        if request.transport is not None:
            request.transport.abort()
    return response


async def _check(request: web.Request) -> None:
    if not await is_still_authorized(request):
        raise SignedOutError


def _ndjson(names: Sequence[str], rows: Iterable[Iterable[Any]]) -> bytes:
    return b"".join(msgspec.json.encode(dict(zip(names, row, strict=True))) + b"\n" for row in rows)
