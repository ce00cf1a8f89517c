"""URLs of databases, with one host or several: SQLAlchemy's and libpq's spelling of the latter."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

_SEVERAL_HOSTS = re.compile(
    r"(?P<start>postgres[^:]*://(?:[^/@?]*@)?)(?P<hosts>[^/?@]*,[^/?@]*)(?P<path>(?:/[^?]*)?)(?:\?(?P<query>.*))?"
)


class DatabaseUrlError(ValueError):
    """The database URL is not one this service can use."""


def parse_database_url(url: str) -> URL:
    """Return a database URL, with several hosts as SQLAlchemy wants them: `?host=one:5432&host=two:5432`.

    libpq puts them where one host stands (PostgreSQL 34.1.1.2): `postgresql://user@one:5432,two:5432/database`.

    Raises:
        DatabaseUrlError: it is no URL.
    """
    several = _SEVERAL_HOSTS.fullmatch(url)
    if several is not None:
        hosts = urlencode([("host", host) for host in several["hosts"].split(",")])
        url = f"{several['start']}{several['path'] or '/'}?{'&'.join(filter(None, (hosts, several['query'])))}"
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        raise DatabaseUrlError("is not a database URL such as sqlite:///scorm-bridge.db") from None


def libpq_url(url: URL) -> str:
    """Return a PostgreSQL URL as PostgreSQL's own programs read it, without its password."""
    query = {name: value for name, value in url.query.items() if name != "password"}
    hosts = query.get("host")
    if isinstance(hosts, tuple):
        parts = [host.rpartition(":") if ":" in host else (host, "", "5432") for host in hosts]
        query |= {"host": ",".join(name for name, _, _ in parts), "port": ",".join(port for _, _, port in parts)}
    return URL.create("postgresql", url.username, None, url.host, url.port, url.database, query).render_as_string()
