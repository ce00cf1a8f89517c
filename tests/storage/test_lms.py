"""LMSs, and the keys of commit URLs."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, Engine

from storage import lms
from storage.engine import reading, writing
from storage.lms import HomePageError, Lms
from tests.storage.builders import NOW

HOME = "https://lms.example.org"


def _add(connection: Connection, name: str = "lms", home_page: str = HOME, origins: tuple[str, ...] = ()) -> Lms:
    return lms.register(connection, name=name, home_page=home_page, origins=origins, now=NOW)


def test_another_home_page_is_refused_and_nothing_is_stored(engine: Engine) -> None:
    """Learners' accounts are accounts of the home page: another one would make other people of them."""
    with writing(engine) as connection:
        _add(connection)
    with pytest.raises(HomePageError, match=HOME), writing(engine) as connection:
        _add(connection, home_page="https://new.example.org")
    with reading(engine) as connection:
        row = lms.by_name(connection, "lms")
        assert row is not None
        assert row.home_page == HOME


def test_origins_are_added_and_never_taken_away(engine: Engine) -> None:
    with writing(engine) as connection:
        assert _add(connection, origins=("https://b", "https://a")).origins == ("https://a", "https://b")
        assert _add(connection, origins=("https://a",)).origins == ("https://a", "https://b")
        assert _add(connection, origins=("https://c", "https://a")).origins == (
            "https://a",
            "https://b",
            "https://c",
        )
        assert _add(connection).origins == ("https://a", "https://b", "https://c")
        _add(connection, "other", origins=("https://d",))
    with reading(engine) as connection:
        row = lms.by_name(connection, "lms")
        assert row is not None
        assert row.origins == ("https://a", "https://b", "https://c")
        assert lms.origins(connection) == {"https://a", "https://b", "https://c", "https://d"}


def test_an_unknown_name_is_nobody(engine: Engine) -> None:
    with reading(engine) as connection:
        assert lms.by_name(connection, "lms") is None
        assert lms.origins(connection) == frozenset()


def test_the_first_signing_key_is_kept_byte_for_byte_and_counts_for_all(engine: Engine) -> None:
    """Processes that start together each bring a key; commit URLs must be good for all of them."""
    with writing(engine) as connection:
        assert lms.signing_keys(connection) == []
        for key in (bytes(range(256)), b"another"):
            lms.ensure_signing_key(connection, key, NOW)
    with reading(engine) as connection:
        assert lms.signing_keys(connection) == [bytes(range(256))]
