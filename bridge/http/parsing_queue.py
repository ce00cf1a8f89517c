"""Parsing bodies: light ones at once, heavy ones on a thread, and those of one session in the order they arrived.

A heavy body can be made to take a hundred times what a usual one takes. On a thread of its own it shares the processor
with the event loop, which goes on every few milliseconds, and no call that keeps the interpreter to itself takes long.
What bodies cost that were made to be slow: `benchmarks/hostile_bodies.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from bridge.errors import Overloaded

LIGHT_BYTES = 16 * 1024
"""Bytes of a body that is parsed on the event loop, whatever it is: up to 12 ms where it was made to be slow."""
PLAIN_BYTES = 128 * 1024
"""Bytes of a body that is parsed there where it has few marks: suspend data of 64,000 characters is no work."""
PLAIN_MARKS = 16_000
"""Marks that separate and encode, such as quotes and commas, which a body is split at."""
_MARKS = (b'"', b",", b"&", b"=", b"%", b"[", b"{", b"\n")
MAX_BYTES_WAITING = 64 * 1024 * 1024
"""Bytes of bodies waiting to be parsed, beyond which heavy ones are refused."""

_T = TypeVar("_T")


class ParsingQueue:
    """Runs parsers, each body's in its turn. Used on the event loop alone."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "parse")
        self._last: dict[Hashable, asyncio.Future[None]] = {}
        self._bytes = 0

    async def run(self, body: bytes, parse: Callable[[], _T], order_key: Callable[[], Hashable] | None = None) -> _T:
        """Return what a parser makes of a body, or raise what it raises.

        Parsers with the same key return in the order they were run in, and what their callers do before they next
        wait is done in that order, too. The key is asked for only while something is being parsed.

        Raises:
            Overloaded: too many heavy bodies are waiting.
        """
        size = len(body)
        heavy = size > LIGHT_BYTES and is_heavy(body)
        if not heavy and not self._last:
            return parse()
        if heavy and self._bytes + size > MAX_BYTES_WAITING:
            raise Overloaded("More long commits are waiting than can be parsed at once; try again.", retry_after=2)
        loop = asyncio.get_running_loop()
        # without a key it waits for nobody, and nobody for it
        key = object() if order_key is None else order_key()
        before, turn = self._last.get(key), loop.create_future()
        self._last[key] = turn
        self._bytes += size
        try:
            parsing = loop.run_in_executor(self._thread, parse) if heavy else None
            if before is not None:
                await asyncio.shield(before)
            return parse() if parsing is None else await parsing
        finally:
            self._bytes -= size
            if before is None or before.done():
                self._end(key, turn)
            else:  # its client gave up; whoever is next still waits for who is before
                before.add_done_callback(lambda _: self._end(key, turn))

    def _end(self, key: Hashable, turn: asyncio.Future[None]) -> None:
        # who waits for this goes on in the event loop's next round: after this one's caller has
        turn.set_result(None)
        if self._last.get(key) is turn:
            del self._last[key]

    def close(self) -> None:
        """Wait for what is being parsed."""
        self._thread.shutdown()


def is_heavy(body: bytes) -> bool:
    """Return whether a body may take long to parse."""
    size = len(body)
    return size > PLAIN_BYTES or (size > LIGHT_BYTES and sum(map(body.count, _MARKS)) > PLAIN_MARKS)
