"""Files of all that a search finds, sent while it is read: a large one takes no more memory than a small one."""

from __future__ import annotations

import asyncio
import csv
import io
import re
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
from bridge.database import describe_error
from bridge.errors import BridgeError
from mappings.cmi.times import duration
from storage.queries import keyset
from storage.queries.keyset import ResultPage

log = structlog.get_logger(__name__)
T = TypeVar("T")

_FORMULA = re.compile("^(?=[\t\r\n])|((?:^|[;,:|\t\r\n])[ \u00a0]*)(?=[=+\\-@\uff1d\uff0b\uff0d\uff20])")
"""Where a spreadsheet may take text for a formula: at its beginning, and after whatever it may be set to take for the
end of a cell. It ignores spaces before a formula. The last four characters are full-width forms."""

STALL_TIMEOUT = 60.0
"""Seconds within which whoever asked for a file must take a part of it."""
REST = 3.0
"""Seconds of rest for each second that a file is worked on."""

_TYPES = {"csv": "text/csv", "ndjson": "application/x-ndjson"}


class SignedOutError(Exception):
    """Whoever asked for a file may not have it any more."""


def columns(
    request: web.Request, names: Sequence[str], **told: Callable[[Any], Any]
) -> dict[str, Callable[[Any], Any]]:
    """Return the columns of a file by the names of a row's fields, or as `told` for one of them.

    Times are as RFC 3339, time spent is as xAPI writes it; learners' names are only for who may see them.
    """
    return {name: told.get(name) or _column(name) for name in names if name != "learner_name" or may_see_names(request)}


def _column(name: str) -> Callable[[Any], Any]:
    field = attrgetter(name)
    if name == "total_time":
        return lambda row: duration(field(row))
    return (lambda row: format_timestamp(field(row))) if name.endswith("_at") else field


async def send(
    request: web.Request,
    name: str,
    page: Callable[[Connection, str | None, int], ResultPage[T]],
    columns: Mapping[str, Callable[[T], Any]],
) -> web.StreamResponse:
    """Answer with a file whose kind is the end of the path; `columns` gives name -> what a row has there.

    CSV is for spreadsheets: it begins with the mark by which they know UTF-8, every cell is quoted, and an apostrophe
    stands before what they would take for a formula, also where they take another character for the separator. NDJSON
    is for programs: there everything is as it is. Where the database fails on the way, or whoever asked signs out or
    takes nothing for a minute, the connection is cut, so that nobody takes a part for the whole.

    Raises:
        CursorError: the search told has a cursor that is none.
    """
    kind = request.path.rpartition(".")[2]
    lane = request.app[DEPENDENCIES].exports
    lists = keyset.iterate_pages(lane.engine, page)

    def part() -> bytes | None:
        rows = next(lists, None)
        if rows is None:
            return None
        cells = [[cell(row) for cell in columns.values()] for row in rows]
        return _csv(cells) if kind == "csv" else _ndjson([*columns], cells)

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
            await response.write("\ufeff".encode() + _csv([columns]))
        while content is not None:
            async with asyncio.timeout(STALL_TIMEOUT):
                await response.write(content)
            begun = loop.time()
            await _check(request)
            content = await lane.run(part)
            # what is read and written here takes processor time that commits need: never more than a share of it
            await asyncio.sleep((loop.time() - begun) * REST)
    except ConnectionResetError:
        pass  # whoever asked has left
    except (DBAPIError, BridgeError, TimeoutError, SignedOutError) as error:
        log.error("export_cut", error=describe_error(error))  # noqa: TRY400 -- its own words hold rows' values
        if request.transport is not None:
            request.transport.abort()
    return response


async def _check(request: web.Request) -> None:
    if not await is_still_authorized(request):
        raise SignedOutError


def _csv(rows: Iterable[Iterable[Any]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _ndjson(names: Sequence[str], rows: Iterable[Iterable[Any]]) -> bytes:
    return b"".join(msgspec.json.encode(dict(zip(names, row, strict=True))) + b"\n" for row in rows)


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return _FORMULA.sub(r"\1'", value)
    if isinstance(value, Mapping):
        return _cell(", ".join(f"{key or '(no LRS yet)'}: {told}" for key, told in value.items()))
    return value
