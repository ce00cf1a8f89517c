"""LMSs, their tokens and the keys of commit URLs."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, Engine, update

from storage import lms
from storage.engine import reading, writing
from storage.lms import HomePageError, Lms
from storage.tables import token
from tests.storage.builders import NOW

HOME = "https://lms.example.org"


def _add(
    connection: Connection, secret: str, name: str = "lms", home_page: str = HOME, origins: tuple[str, ...] = ()
) -> Lms:
    return lms.add_token(
        connection, name=name, home_page=home_page, origins=origins, token_digest=lms.digest(secret), now=NOW
    )


def test_a_token_leads_to_its_lms_and_no_other_text_does(engine: Engine) -> None:
    with writing(engine) as connection:
        first = _add(connection, "one", origins=(HOME,))
        second = _add(connection, "two", "other", "https://other.example.org")
    with reading(engine) as connection:
        assert lms.by_token(connection, lms.digest("one")) == first == Lms(first.id, "lms", HOME, (HOME,))
        assert lms.by_token(connection, lms.digest("two")) == second
        for unknown in ("one", lms.digest("three"), lms.digest("One"), "", "%"):
            assert lms.by_token(connection, unknown) is None


def test_the_token_itself_is_not_stored(engine: Engine) -> None:
    with writing(engine) as connection:
        _add(connection, "canary")
        (row,) = connection.execute(token.select())
    assert "canary" not in map(str, row)
    assert row.digest == lms.digest("canary")
    assert len(row.digest) == 64


def test_a_revoked_token_leads_nowhere_and_the_others_of_its_lms_still_do(engine: Engine) -> None:
    with writing(engine) as connection:
        owner = _add(connection, "old")
        assert _add(connection, "new") == owner
        connection.execute(update(token).where(token.c.digest == lms.digest("old")).values(revoked_at=NOW))
        assert lms.by_token(connection, lms.digest("old")) is None
        assert lms.by_token(connection, lms.digest("new")) == owner


def test_another_home_page_is_refused_and_nothing_is_stored(engine: Engine) -> None:
    """Learners' accounts are accounts of the home page: another one would make other people of them."""
    with writing(engine) as connection:
        _add(connection, "one")
    with pytest.raises(HomePageError, match=HOME), writing(engine) as connection:
        _add(connection, "two", home_page="https://new.example.org")
    with reading(engine) as connection:
        assert lms.by_token(connection, lms.digest("two")) is None
        row = lms.by_name(connection, "lms")
        assert row is not None
        assert row.home_page == HOME


def test_origins_are_added_and_never_taken_away(engine: Engine) -> None:
    with writing(engine) as connection:
        assert _add(connection, "1", origins=("https://b", "https://a")).origins == ("https://a", "https://b")
        assert _add(connection, "2", origins=("https://a",)).origins == ("https://a", "https://b")
        assert _add(connection, "3", origins=("https://c", "https://a")).origins == (
            "https://a",
            "https://b",
            "https://c",
        )
        assert _add(connection, "4").origins == ("https://a", "https://b", "https://c")
        _add(connection, "5", "other", origins=("https://d",))
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


def test_digests_are_those_of_sha_256() -> None:
    """A token that was stored once must be found by every later release."""
    assert lms.digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
