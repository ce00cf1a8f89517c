"""Checking passwords, which takes some 50 ms and 64 MiB each, one at a time and strangers' with rests between them."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from aiohttp import web

from bridge import passwords

MAX_WAITING = 20
"""Passwords of strangers that wait to be checked, and as many of known browsers."""
RETRY_AFTER = 5
"""Seconds."""
REFUSAL_DELAY = 0.5
"""Seconds until a refusal is answered: a flood is as fast as its answers come, and each costs commits something."""
MAX_DELAYED = 256
"""Refusals that wait to be answered; those beyond are answered at once."""
REST_FACTOR = 1.0
"""Seconds of rest after each second of checking, before the next stranger's password is checked: Argon2 takes all
processors while it works. Its thread keeps its priority: one that waits for a processor may hold Python's lock."""
FLOOD_REST_FACTOR = 4.0
"""The same while more than `FLOOD_SIZE` strangers wait."""
FLOOD_SIZE = 3


class TooManySignInsError(Exception):
    """No sign-in is accepted for `seconds`."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class PasswordChecker:
    """Checks one password at a time; those of known browsers go before those of strangers."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "passwords")
        self._busy = False
        self._resting: asyncio.TimerHandle | None = None
        self._delayed = 0
        self._waiting: dict[bool, deque[asyncio.Future[None]]] = {True: deque(), False: deque()}

    def check_capacity(self, *, is_known: bool) -> None:
        """Check that one more may wait, before anything is looked up or stored for it.

        Raises:
            TooManySignInsError: too many are waiting.
        """
        if len(self._waiting[is_known]) >= MAX_WAITING:
            raise TooManySignInsError(RETRY_AFTER)

    async def delay_refusal(self) -> None:
        """Wait a moment before a refusal is answered, unless `MAX_DELAYED` wait already."""
        if self._delayed < MAX_DELAYED:
            self._delayed += 1
            try:
                await asyncio.sleep(REFUSAL_DELAY)
            finally:
                self._delayed -= 1

    async def is_right(self, password: str, password_hash: str | None, *, is_known: bool) -> bool:
        """Return whether a password has this hash; never where the hash is None.

        Raises:
            TooManySignInsError: too many are waiting for this.
        """
        self.check_capacity(is_known=is_known)
        loop = asyncio.get_running_loop()
        if self._busy or (not is_known and self._resting is not None):
            turn = loop.create_future()
            self._waiting[is_known].append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._start_next()
                with contextlib.suppress(ValueError):
                    self._waiting[is_known].remove(turn)
                raise
        self._busy = True
        started_at = loop.time()
        try:
            return await loop.run_in_executor(self._thread, partial(passwords.verify_password, password, password_hash))
        finally:
            factor = FLOOD_REST_FACTOR if len(self._waiting[False]) > FLOOD_SIZE else REST_FACTOR
            self._rest((loop.time() - started_at) * factor)
            self._start_next()

    def close(self) -> None:
        """Wait for the check under way."""
        if self._resting is not None:
            self._resting.cancel()
        self._thread.shutdown()

    def _rest(self, seconds: float) -> None:
        if self._resting is not None:
            self._resting.cancel()
        self._resting = asyncio.get_running_loop().call_later(seconds, self._end_rest)

    def _end_rest(self) -> None:
        self._resting = None
        if not self._busy:
            self._start_next()

    def _start_next(self) -> None:
        """Start the next check that may start now."""
        self._busy = False
        for lane in (self._waiting[True], *(() if self._resting is not None else (self._waiting[False],))):
            while lane:
                turn = lane.popleft()
                if not turn.done():
                    self._busy = True
                    turn.set_result(None)
                    return


CHECKER = web.AppKey("checker", PasswordChecker)
