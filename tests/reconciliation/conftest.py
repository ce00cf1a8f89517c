"""Sandbox LRSs whose answers are dated by the clock that they say to be consistent through."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from email.utils import format_datetime
from typing import Any

import pytest
from aiohttp import web

from tests.support.lrs import Fault, Lrs, StartLrs, serve_lrs


@pytest.fixture
async def start_lrs() -> AsyncIterator[StartLrs]:
    """Start sandbox LRSs with options of their own; they are stopped after the test."""
    async with AsyncExitStack() as stack:

        async def starter(fault: Fault | None = None, **options: Any) -> Lrs:
            lrs = await stack.enter_async_context(serve_lrs(fault, **options))

            async def date(_request: web.Request, response: web.StreamResponse) -> None:
                response.headers["Date"] = format_datetime(lrs.now(), usegmt=True)

            lrs.hooks.append(date)
            return lrs

        yield starter
