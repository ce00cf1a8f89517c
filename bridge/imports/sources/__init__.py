"""Where histories are imported from, a module for each kind of source."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bridge.imports.history import Source
from bridge.imports.sources import moodle, origin
from bridge.imports.sources.column_map import ColumnMap, MappedRows
from bridge.imports.sources.moodle import Moodle
from bridge.imports.sources.openedx import OpenEdx
from bridge.imports.sources.origin import OriginLms
from bridge.imports.sources.scorm_cloud import ScormCloud
from bridge.imports.tables import SourceTables, open_tables

NAMES = ("moodle", "openedx", "scorm-cloud", "origin", "csv", "ndjson")
_BUILDERS: dict[str, Callable[[SourceTables], Source]] = {
    "moodle": Moodle,
    "openedx": OpenEdx,
    "scorm-cloud": ScormCloud,
    "origin": OriginLms,
}


@contextmanager
def open_source(name: str, place: str, column_map: ColumnMap | None = None) -> Iterator[Source]:
    """Yield a source. `column_map` says what the columns of `csv` and `ndjson` mean.

    Raises:
        SourceError: it cannot be read.
    """
    if column_map is not None:
        with open_tables(place) as tables:
            yield MappedRows(tables, column_map, name)
        return
    with open_tables(place, (*moodle.INDEXES, *origin.INDEXES), moodle.INTEGERS if name == "moodle" else ()) as tables:
        yield _BUILDERS[name](tables)
