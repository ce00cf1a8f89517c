"""The tables of a source: in its own database, or as files of rows that were exported from it.

Files are loaded into a SQLite database that is removed afterwards, so that rows in any order, and more than memory
holds, are read by the same queries as in the source's own database.
"""

from __future__ import annotations

import csv
import json
import sqlite3
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from bridge.imports.history import SourceError

MAX_FIELD_CHARACTERS = 16 * 1024 * 1024
"""Of a field of a CSV file: suspend data and whole CMI trees are fields."""
ROWS_TOGETHER = 5_000
LINE = "_line"
"""The column that has a row's line in its file, from 1."""
DRIVERS = {"mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql", "postgresql": "postgresql+psycopg"}


class SourceTables:
    """Tables that can be asked, by their names without the prefix that an installation may have."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        inspector = inspect(connection)
        self._names = [*inspector.get_table_names(), *inspector.get_view_names()]
        self._columns = {name: {column["name"] for column in inspector.get_columns(name)} for name in self._names}

    def names(self) -> Sequence[str]:
        """Return the names of all tables; of files, those of the files without their endings."""
        return self._names

    def columns(self, name: str) -> Sequence[str]:
        """Return the columns of a table, in their order."""
        return [column["name"] for column in inspect(self._connection).get_columns(name)]

    def find(self, name: str) -> str | None:
        """Return the whole name of a table, None where there is none."""
        table = self._find(name)
        return None if table is None else self._quoted(table)

    def require(self, name: str, *columns: str) -> str:
        """Return the whole name of a table that has these columns.

        Raises:
            SourceError: there is none, or it has not all of them.
        """
        table = self._find(name)
        if table is None:
            names = ", ".join(sorted(self._names)[:20]) or "none"
            raise SourceError(f"There is no table {name}. There are: {names}.")
        missing = [column for column in columns if column not in self._columns[table]]
        if missing:
            raise SourceError(f"The table {table} lacks the columns {', '.join(missing)}.")
        return self._quoted(table)

    def has(self, name: str, column: str) -> bool:
        """Return whether a table, if there is one, has a column."""
        table = self._find(name)
        return table is not None and column in self._columns[table]

    def _find(self, name: str) -> str | None:
        return next(
            (candidate for candidate in self._names if candidate == name or candidate.endswith(f"_{name}")), None
        )

    def _quoted(self, name: str) -> str:
        return str(self._connection.dialect.identifier_preparer.quote(name))

    def query(self, sql: str, **parameters: Any) -> Iterator[Any]:
        """Yield rows.

        Raises:
            SourceError: the database refuses the query.
        """
        try:
            yield from self._connection.execute(text(sql), parameters)
        except SQLAlchemyError as error:
            raise SourceError(f"The source cannot be read: {getattr(error, 'orig', error)}") from None

    def one(self, sql: str, **parameters: Any) -> Any:
        """Return the first value of the first row, None where there is no row."""
        row = next(self.query(sql, **parameters), None)
        return None if row is None else row[0]


@contextmanager
def open_tables(
    place: str, indexes: Sequence[tuple[str, str]] = (), integers: Collection[str] = ()
) -> Iterator[SourceTables]:
    """Yield the tables at a place: a database's URL, a file, or a directory with a CSV or NDJSON file for each table.

    `indexes` are tables and columns that files are looked up by; `integers` are columns of theirs that are numbers.

    Raises:
        SourceError: there is nothing, or it cannot be read.
    """
    if "://" in place:
        with _database(place) as engine, _read_only(engine) as connection:
            yield SourceTables(connection)
        return
    with tempfile.TemporaryDirectory(prefix="scorm-bridge-import-") as directory:
        staged = Path(directory) / "source.db"
        load_files(_files(Path(place)), staged, indexes, integers)
        engine = create_engine(f"sqlite:///{staged}")
        try:
            with engine.connect() as connection:
                yield SourceTables(connection)
        finally:
            engine.dispose()


@contextmanager
def _database(url: str) -> Iterator[Engine]:
    try:
        parsed = make_url(url)
        engine = create_engine(parsed.set(drivername=DRIVERS.get(parsed.drivername, parsed.drivername)))
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise SourceError("This is no database URL such as postgresql://reader@host/moodle.") from None
    except ModuleNotFoundError as error:
        raise SourceError(
            f"Reading this database needs the package {error.name}: install scorm-xapi-bridge[mysql]."
        ) from None
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def _read_only(engine: Engine) -> Iterator[Connection]:
    """Yield a connection that sees one state of the source and can change nothing of it."""
    try:
        connection = engine.connect()
    except SQLAlchemyError as error:
        raise SourceError(f"The source's database does not answer: {getattr(error, 'orig', error)}") from None
    with connection:
        if engine.dialect.name in {"mysql", "mariadb"}:
            connection.execute(text("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
            connection.commit()
        elif engine.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        elif engine.dialect.name == "sqlite":
            connection.execute(text("PRAGMA query_only = ON"))
        with connection.begin():
            yield connection


def _files(place: Path) -> list[Path]:
    if place.is_dir():
        files = sorted(path for path in place.iterdir() if path.suffix.lower() in _READERS)
        if not files:
            raise SourceError(f"{place} has no file that ends with {' or '.join(_READERS)}.")
        return files
    if not place.is_file():
        raise SourceError(f"There is no file or directory {place}.")
    return [place]


def load_files(
    files: Iterable[Path], database: Path, indexes: Sequence[tuple[str, str]], integers: Collection[str]
) -> None:
    """Load each file into a table of its name. Fields are text but for `integers`; what NDJSON nests stays JSON.

    Raises:
        SourceError: a file cannot be read; the message has its line.
    """
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        for file in files:
            reader = _READERS.get(file.suffix.lower())
            if reader is None:
                raise SourceError(f"{file} does not end with {' or '.join(_READERS)}.")
            _load(connection, file, integers, *reader(file))
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for table, columns in indexes:
            for name in tables:
                if name == table or name.endswith(f"_{table}"):
                    connection.execute(f'CREATE INDEX "ix_{name}_{abs(hash(columns))}" ON "{name}" ({columns})')
        connection.commit()


def _load(
    connection: sqlite3.Connection,
    file: Path,
    integers: Collection[str],
    columns: Sequence[str],
    rows: Iterator[Sequence[Any]],
) -> None:
    names = ", ".join(f"{_quoted(name)}{' INTEGER' if name in integers else ''}" for name in (*columns, LINE))
    table = _quoted(file.stem)
    connection.execute(f"CREATE TABLE {table} ({names})")
    statement = f"INSERT INTO {table} VALUES ({', '.join('?' * (len(columns) + 1))})"  # noqa: S608 -- quoted
    while chunk := list(islice(rows, ROWS_TOGETHER)):
        connection.executemany(statement, chunk)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _csv(file: Path) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
    csv.field_size_limit(MAX_FIELD_CHARACTERS)
    with file.open("rb") as content:
        first = content.readline(64 * 1024).decode(errors="replace")
    try:
        delimiter = csv.Sniffer().sniff(first, delimiters=",;\t|").delimiter
    except csv.Error:
        delimiter = ","
    rows = _csv_rows(file, delimiter)
    columns = next(rows, None)
    if columns is None:
        raise SourceError(f"{file} is empty.")
    header = [name.strip() for name in columns[:-1]]
    if len({name.lower() for name in header}) != len(header):
        raise SourceError(f"{file} has two columns of one name in its first line.")

    def checked() -> Iterator[Sequence[Any]]:
        for row in rows:
            if len(row) == 2 and not row[0]:
                continue
            if len(row) != len(header) + 1:
                raise SourceError(
                    f"{file}, line {row[-1]}: {len(row) - 1} fields, and the first line has {len(header)}."
                )
            yield row

    return header, checked()


def _csv_rows(file: Path, delimiter: str) -> Iterator[list[Any]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as content:
            reader = csv.reader(content, delimiter=delimiter, strict=True)
            for row in reader:
                yield [*row, reader.line_num]
    except UnicodeDecodeError as error:
        raise SourceError(f"{file} is not UTF-8: {error.reason} at byte {error.start}.") from None
    except csv.Error as error:
        raise SourceError(f"{file}: {error}.") from None


def _ndjson(file: Path) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
    columns: dict[str, None] = {}
    for row, _ in _objects(file):
        columns |= dict.fromkeys(row)
    if not columns:
        raise SourceError(f"{file} is empty.")
    names = [*columns]
    return names, ((*(_plain(row.get(name)) for name in names), line) for row, line in _objects(file))


def _objects(file: Path) -> Iterator[tuple[dict[str, Any], int]]:
    try:
        with file.open(encoding="utf-8-sig") as content:
            for number, line in enumerate(content, 1):
                if not line.strip():
                    continue
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise SourceError(f"{file}, line {number}: is no JSON object.")
                yield row, number
    except UnicodeDecodeError as error:
        raise SourceError(f"{file} is not UTF-8: {error.reason} at byte {error.start}.") from None
    except (json.JSONDecodeError, RecursionError) as error:
        raise SourceError(f"{file}, line {number}: {error}.") from None


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float):
        return value
    return json.dumps(value, ensure_ascii=False)


_READERS = {".csv": _csv, ".tsv": _csv, ".ndjson": _ndjson, ".jsonl": _ndjson}
