"""URLs of databases with several hosts, as people write them and as PostgreSQL's own programs read them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import URL
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from storage.database_url import DatabaseUrlError, libpq_url, parse_database_url

DIALECT: Any = PGDialect_psycopg
ONE = "postgresql://bridge@db.example.org:5433/scorm"


def _arguments(url: URL) -> dict[str, str]:
    """Return what psycopg is called with."""
    arguments: dict[str, str] = DIALECT().create_connect_args(url)[1]
    return arguments


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://bridge:s%40cret@one:5432,two:5433/scorm?sslmode=require",
        "postgresql://bridge:s%40cret@/scorm?host=one:5432&host=two:5433&sslmode=require",
    ],
    ids=["libpq's spelling", "SQLAlchemy's spelling"],
)
def test_several_hosts_reach_the_driver_each_with_its_port(url: str) -> None:
    parsed = parse_database_url(url)

    assert _arguments(parsed) == {
        "host": "one,two", "port": "5432,5433", "user": "bridge", "password": "s@cret", "dbname": "scorm",
        "sslmode": "require",
    }  # fmt: skip
    assert libpq_url(parsed) == "postgresql://bridge@/scorm?host=one%2Ctwo&port=5432%2C5433&sslmode=require"


def test_hosts_without_ports_have_the_usual_one() -> None:
    parsed = parse_database_url("postgresql://bridge@one,two/scorm")

    assert _arguments(parsed)["host"] == "one,two"
    assert libpq_url(parsed) == "postgresql://bridge@/scorm?host=one%2Ctwo&port=5432%2C5432"


@pytest.mark.parametrize("url", [ONE, "postgresql://bridge@/scorm?host=%2Frun%2Fpostgresql"])
def test_a_single_host_stays_as_it_is(url: str) -> None:
    assert libpq_url(parse_database_url(url)) == url


def test_a_password_with_a_comma_is_no_host() -> None:
    parsed = parse_database_url("postgresql://bridge:a,b@db/scorm")

    assert (parsed.password, parsed.host) == ("a,b", "db")


@pytest.mark.parametrize("url", ["", "scorm.db", "postgresql://db:port/scorm"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(DatabaseUrlError):
        parse_database_url(url)
