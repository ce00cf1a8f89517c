"""Guessing at passwords of a running bridge: who guesses is slowed down, and shuts nobody else out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bridge.audit.access.login_throttle import FREE_FAILURES, FREE_FAILURES_PER_ADDRESS
from tests.support.browser import Visitor, new_visitor
from tests.support.server import StartServer

BEHIND_PROXY = "[audit]\nbehind_proxy = true\n"
GUESSERS = 40
HOME = {"X-Forwarded-For": "192.0.2.1"}
"""What the proxy says of where a request came from."""


async def test_a_stranger_who_knows_an_admins_name_does_not_shut_the_admin_out(
    new_server: StartServer,
    database_url: str,
) -> None:
    server = new_server(database_url, server=BEHIND_PROXY)
    server.add_account("ada")
    await server.start()
    async with (
        new_visitor(server.url, **HOME) as ada,
        new_visitor(server.url, **{"X-Forwarded-For": "198.51.100.7"}) as stranger,
    ):
        assert (await ada.sign_in("ada")).status == 303
        await ada.sign_out()
        guesses = await _until_refused(stranger, lambda number: ("ada", {}), FREE_FAILURES + 8)
        assert guesses[:FREE_FAILURES] == [401] * FREE_FAILURES
        assert (await ada.sign_in("ada")).status == 303
        more = await _until_refused(stranger, lambda number: ("ada", {}), FREE_FAILURES + 8)
        assert len(more) <= FREE_FAILURES, "that the admin came in gives a stranger no more guesses"


async def test_in_a_flood_of_guesses_from_everywhere_a_known_browser_comes_in(
    new_server: StartServer,
    sqlite_url: str,
) -> None:
    server = new_server(sqlite_url, server=BEHIND_PROXY)
    server.add_account("ada")
    await server.start()
    refused = asyncio.Event()
    statuses: set[int] = set()

    async def guess(number: int) -> None:
        async with new_visitor(server.url) as stranger:
            while True:
                number += GUESSERS
                forwarded = {"X-Forwarded-For": f"198.18.{number // 256 % 256}.{number % 256}"}
                answer = await stranger.sign_in(f"name {number}", "a wrong password", headers=forwarded)
                statuses.add(answer.status)
                if 429 in statuses:
                    refused.set()

    async with new_visitor(server.url, **HOME) as ada:
        assert (await ada.sign_in("ada")).status == 303
        await ada.sign_out()
        flood = [asyncio.create_task(guess(number)) for number in range(GUESSERS)]
        async with asyncio.timeout(60):
            await refused.wait()
            assert (await ada.sign_in("ada")).status == 303
            assert "Overview" in await ada.text("/audit/")
        for task in flood:
            task.cancel()
        await asyncio.gather(*flood, return_exceptions=True)

    assert statuses <= {401, 429}


async def test_a_client_behind_the_proxy_is_one_client_however_it_writes_its_headers(
    new_server: StartServer,
    sqlite_url: str,
) -> None:
    """The proxy adds the last entry; all that stands before it, and every other header, is the client's."""
    server = new_server(sqlite_url, server=BEHIND_PROXY)
    await server.start()
    spellings = (
        lambda n: {"X-Forwarded-For": f"192.0.2.{n}, 2001:db8:0:1::{n + 1:x}"},
        lambda n: {"X-Forwarded-For": f"192.0.2.{n},[2001:db8:0:1:{n + 1:x}::7]:{4000 + n}"},
        lambda n: {"Forwarded": f'for=192.0.2.{n}, for="[2001:db8:0:1::{n + 1:x}]:{4000 + n}"'},
    )
    async with new_visitor(server.url) as stranger:
        statuses = await _until_refused(
            stranger, lambda n: (f"name {n}", spellings[n % 3](n)), FREE_FAILURES_PER_ADDRESS + 8
        )

    assert statuses[:FREE_FAILURES_PER_ADDRESS] == [401] * FREE_FAILURES_PER_ADDRESS


async def _until_refused(
    stranger: Visitor, guess: Callable[[int], tuple[str, dict[str, str]]], limit: int
) -> list[int]:
    """Guess until one is refused; each costs a longer wait than the one before, so that the clock does not matter."""
    statuses: list[int] = []
    while 429 not in statuses:
        assert len(statuses) < limit, statuses
        name, headers = guess(len(statuses))
        statuses.append((await stranger.sign_in(name, "a wrong password", headers=headers)).status)
    return statuses
