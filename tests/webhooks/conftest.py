"""Receivers, and bridges that send to them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from bridge.settings import OutgoingSettings
from storage.engine import open_engine
from tests.support.accounts import register_lms
from tests.support.bridge import Bridge, StartBridge
from tests.support.webhooks import Receiver, add_endpoint, serve_receiver

StartReceiver = Callable[[], Awaitable[Receiver]]


@dataclass
class Sending:
    """A bridge that sends to a receiver, and the secret of its endpoint."""

    bridge: Bridge
    receiver: Receiver
    secret: str
    options: dict[str, Any] = field(default_factory=dict)


StartSending = Callable[..., Awaitable[Sending]]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often at what is due and at what endpoints there are: clocks are set by hand, which wakes nobody."""
    monkeypatch.setattr("bridge.forwarding.polling_loop.POLL_INTERVAL", 0.02)
    monkeypatch.setattr("bridge.webhooks.endpoint_monitor.MONITOR_INTERVAL", 0.02)


@pytest.fixture
async def start_receiver() -> AsyncIterator[StartReceiver]:
    """Start receivers; they are stopped after the test."""
    async with AsyncExitStack() as stack:

        async def starter() -> Receiver:
            return await stack.enter_async_context(serve_receiver())

        yield starter


@pytest.fixture
async def receiver(start_receiver: StartReceiver) -> Receiver:
    """A receiver that takes everything."""
    return await start_receiver()


@pytest.fixture
def start_sending(start: StartBridge, database_url: str, receiver: Receiver) -> StartSending:
    """Start a bridge whose LMS has an endpoint at the receiver, for some types of events or all."""

    async def starter(*events: str, **options: Any) -> Sending:
        engine = open_engine(database_url)
        token = register_lms(engine).token
        secret = add_endpoint(engine, receiver.url, events=events)
        engine.dispose()
        options = {"token": token, "outgoing": OutgoingSettings(allow=("127.0.0.0/8",))} | options
        return Sending(await start(**options), receiver, secret, options)

    return starter
