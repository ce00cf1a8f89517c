"""People of each role, signed in to a real bridge."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from bridge import passwords
from tests.support.accounts import FAST_HASHER, add_account
from tests.support.bridge import Bridge
from tests.support.browser import Visitor, new_visitor

Meet = Callable[..., Awaitable[Visitor]]


@pytest.fixture(autouse=True)
def _cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work out passwords in microseconds: some tests try many."""
    monkeypatch.setattr(passwords, "HASHER", FAST_HASHER)


@pytest.fixture
async def meet() -> AsyncIterator[Meet]:
    """Meet people. Told a name and a role, they have signed in; told nothing, they have not."""
    met: list[Visitor] = []

    async def meeting(bridge: Bridge, name: str = "", role: str = "", *, sees_names: bool = False) -> Visitor:
        visitor = new_visitor(bridge.url)
        met.append(visitor)
        if name:
            add_account(bridge.engine, name, role, sees_names=sees_names)
            assert (await visitor.sign_in(name)).status == 303
        return visitor

    yield meeting
    for person in met:
        await person.client.close()


@pytest.fixture
async def reader(bridge: Bridge, meet: Meet) -> Visitor:
    """A reader who sees no names."""
    return await meet(bridge, "rita", "reader")


@pytest.fixture
async def auditor(bridge: Bridge, meet: Meet) -> Visitor:
    """An auditor."""
    return await meet(bridge, "otto", "auditor")


@pytest.fixture
async def admin(bridge: Bridge, meet: Meet) -> Visitor:
    """An admin."""
    return await meet(bridge, "ada", "admin")
