"""Tokens: what is stored of them, and whether they are valid."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from storage import lms, tokens
from storage.engine import reading, writing
from storage.lms import Lms
from storage.states import TokenScope, TokenStatus
from storage.tables import token
from tests.storage.builders import NOW, add_lms

DAY = 86_400_000


def test_a_token_leads_to_its_lms_and_no_other_text_does(engine: Engine) -> None:
    with writing(engine) as connection:
        first = lms.register(connection, name="lms", home_page="https://a.example", origins=["https://a"], now=NOW)
        second = add_lms(connection, "other")
        number = tokens.add(connection, first.id, tokens.digest("one"), NOW)
        tokens.add(connection, second, tokens.digest("two"), NOW)
    with reading(engine) as connection:
        stored = tokens.by_digest(connection, tokens.digest("one"))
        assert stored is not None
        assert (stored.id, stored.lms) == (number, Lms(first.id, "lms", "https://a.example", ("https://a",)))
        assert stored == tokens.by_id(connection, number)
        for unknown in ("one", tokens.digest("three"), tokens.digest("One"), "", "%"):
            assert tokens.by_digest(connection, unknown) is None
        assert [row.lms.name for row in tokens.of_lms(connection)] == ["lms", "other"]
        assert [row.id for row in tokens.of_lms(connection, first.id)] == [number]


def test_the_token_itself_is_not_stored(engine: Engine) -> None:
    with writing(engine) as connection:
        tokens.add(connection, add_lms(connection), tokens.digest("canary"), NOW)
        (row,) = connection.execute(token.select())

    assert "canary" not in map(str, row)
    assert row.digest == tokens.digest("canary")
    assert len(row.digest) == 64


def test_a_token_of_before_scopes_were_permits_what_it_did(engine: Engine) -> None:
    with writing(engine) as connection:
        values = {"lms_id": add_lms(connection), "digest": "0" * 64, "created_at": NOW}
        connection.execute(token.insert().values(values))
        (stored,) = tokens.of_lms(connection)

    assert stored.scopes == (TokenScope.COMMIT, TokenScope.READ)
    assert (stored.expires_at, stored.last_used_at, stored.replaced_by) == (None, None, None)


@pytest.mark.parametrize(
    ("expires_at", "is_revoked", "status"),
    [
        (None, False, TokenStatus.VALID),
        (NOW + 1, False, TokenStatus.VALID),
        (NOW, False, TokenStatus.EXPIRED),
        (NOW - 1, True, TokenStatus.REVOKED),
        (None, True, TokenStatus.REVOKED),
    ],
)
def test_a_token_is_valid_until_it_expires_or_is_revoked(
    engine: Engine, expires_at: int | None, *, is_revoked: bool, status: TokenStatus
) -> None:
    with writing(engine) as connection:
        number = tokens.add(connection, add_lms(connection), "0" * 64, NOW - DAY, expires_at=expires_at)
        if is_revoked:
            tokens.revoke(connection, [number], NOW)
        stored = tokens.by_id(connection, number)

    assert stored is not None
    assert stored.status(NOW) is status


def test_the_last_use_of_many_tokens_is_stored_at_once_and_an_earlier_one_changes_nothing(engine: Engine) -> None:
    with writing(engine) as connection:
        owner = add_lms(connection)
        numbers = [tokens.add(connection, owner, f"{index:064}", NOW) for index in range(3)]
        tokens.note_uses(connection, {numbers[0]: NOW + 5, numbers[1]: NOW + 6})
        tokens.note_uses(connection, {numbers[0]: NOW + 4, numbers[1]: NOW + 7})
        tokens.note_uses(connection, {})
        assert [row.last_used_at for row in tokens.of_lms(connection)] == [NOW + 5, NOW + 7, None]


def test_scopes_are_stored_once_each_in_their_order(engine: Engine) -> None:
    with writing(engine) as connection:
        scopes = (TokenScope.READ, TokenScope.COMMIT, TokenScope.READ)
        number = tokens.add(connection, add_lms(connection), "0" * 64, NOW, scopes=scopes)
        stored = tokens.by_id(connection, number)

    assert stored is not None
    assert stored.scopes == (TokenScope.COMMIT, TokenScope.READ)


def test_digests_are_those_of_sha_256() -> None:
    """A token that was stored once must be found by every later release."""
    assert tokens.digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
