"""`scorm-bridge compact`: a better dictionary, and frames of what earlier releases stored, beside live traffic."""

from __future__ import annotations

import time
from functools import partial
from random import SystemRandom

import click
import msgspec
from sqlalchemy import Engine

from bridge.cli.database import open_database
from bridge.cli.options import AS_JSON
from bridge.cli.output import print_items, print_table, show_progress
from bridge.clock import system_now
from bridge.mapping_library.frame_dictionaries import renew_dictionary
from bridge.settings import Settings
from storage import compaction, frames
from storage.compaction import CompactedTable
from storage.engine import reading, transactions

REST_FACTOR = 2.0
"""Times as long as a batch took that is rested after it, so that commits are not held up."""


class CompactedRows(msgspec.Struct):
    """What was written into frames of one table."""

    table: str
    rows: int = 0
    bytes_before: int = 0
    bytes_after: int = 0


@click.command()
@AS_JSON
@click.pass_obj
def compact(settings: Settings, *, as_json: bool) -> None:
    """Compress by what commits share, and what earlier releases stored as it came.

    First it looks whether a dictionary made of the newest commits is better than the one in use. It holds nothing that
    fewer than 20 learners have. Run it when a bridge has had some hundred learners, and when courses have changed.

    Then it works in small batches beside a running bridge. Broken off, it goes on where it stopped; repeated, it finds
    nothing more to do. On SQLite the file keeps its size, and fills up again; `sqlite3 FILE VACUUM` makes it smaller
    while the bridge is stopped.
    """
    with open_database(settings) as engine:
        with reading(engine) as connection:
            if frames.newest_dictionary(connection, frames.ANY_VERSION) is None:
                raise click.ClickException(
                    "There is no dictionary to compress by yet: the first start of this release stores one."
                )
        _renew_dictionary(engine)
        results = [_compact(engine, table) for table in compaction.TABLES]
    if as_json:
        print_items(results)
        return
    print_table(
        ("table", "rows", "bytes before", "bytes after"),
        (
            (result.table, f"{result.rows:,}", f"{result.bytes_before:,}", f"{result.bytes_after:,}")
            for result in results
        ),
    )


def _renew_dictionary(engine: Engine) -> None:
    renewal = renew_dictionary(engine, SystemRandom(), system_now())
    if renewal is None:
        click.echo("The dictionary in use is as good as one of the newest commits would be.", err=True)
        return
    click.echo(
        f"There is a better dictionary from now on: the newest commits and statements, which took"
        f" {renewal.bytes_before:,} bytes, would take {renewal.bytes_after:,}.",
        err=True,
    )


def _compact(engine: Engine, table: CompactedTable) -> CompactedRows:
    result, transact = CompactedRows(table.name), transactions(engine)
    with reading(engine) as connection:
        place, last = compaction.first_place(connection, table), compaction.last_id(connection, table)
    with show_progress(max(0, last - place[0]), table.name) as advance:
        while True:
            with reading(engine) as connection:
                scan = compaction.scan(connection, table, place)
            if scan.keys:
                started = time.perf_counter()
                batch = transact(partial(compaction.compact_rows, of=table, last_scan=scan))
                result.rows += batch.rows
                result.bytes_before += batch.bytes_before
                result.bytes_after += batch.bytes_after
                time.sleep((time.perf_counter() - started) * REST_FACTOR)
            if scan.place is None:
                return result
            advance(scan.place[0] - place[0])
            place = scan.place
