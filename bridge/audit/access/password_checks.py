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
"""Refusals that wait to be answered; more are answered at once."""
REST = 1.0
"""Seconds of rest after each second of checking, before the next stranger's password is checked: Argon2 takes all
processors while it works. Its thread keeps its priority: one that waits for a processor may hold Python's lock."""
REST_IN_FLOOD = 4.0
"""The same while more than `FLOOD` strangers wait."""
FLOOD = 3


class TooManyTriesError(Exception):
    """No sign-in may be tried for `seconds`."""

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

    def check_room(self, *, is_known: bool) -> None:
        """Raise where too many wait already: before anything is looked up or stored for one more.

        Raises:
            TooManyTriesError: too many are waiting.
        """
        if len(self._waiting[is_known]) >= MAX_WAITING:
            raise TooManyTriesError(RETRY_AFTER)

    async def delay_refusal(self) -> None:
        """Wait a little before somebody is refused, unless very many wait so."""
        if self._delayed < MAX_DELAYED:
            self._delayed += 1
            try:
                await asyncio.sleep(REFUSAL_DELAY)
            finally:
                self._delayed -= 1

    async def is_right(self, password: str, stored: str | None, *, is_known: bool) -> bool:
        """Tell whether it is the password stored; None is no password's.

        Raises:
            TooManyTriesError: too many are waiting for this.
        """
        self.check_room(is_known=is_known)
        loop = asyncio.get_running_loop()
        if self._busy or (not is_known and self._resting is not None):
            turn = loop.create_future()
            self._waiting[is_known].append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._pass_on()
                with contextlib.suppress(ValueError):
                    self._waiting[is_known].remove(turn)
                raise
        self._busy = True
        begun = loop.time()
        try:
            return await loop.run_in_executor(self._thread, partial(passwords.verify_password, password, stored))
        finally:
            rest = REST_IN_FLOOD if len(self._waiting[False]) > FLOOD else REST
            self._rest((loop.time() - begun) * rest)
            self._pass_on()

    def close(self) -> None:
        """Wait for what is being checked."""
        if self._resting is not None:
            self._resting.cancel()
        self._thread.shutdown()

    def _rest(self, seconds: float) -> None:
        if self._resting is not None:
            self._resting.cancel()
        self._resting = asyncio.get_running_loop().call_later(seconds, self._rested)

    def _rested(self) -> None:
        self._resting = None
        if not self._busy:
            self._pass_on()

    def _pass_on(self) -> None:
        """Let the next one be checked, where it may be now."""
        self._busy = False
        for lane in (self._waiting[True], *(() if self._resting is not None else (self._waiting[False],))):
            while lane:
                turn = lane.popleft()
                if not turn.done():
                    self._busy = True
                    turn.set_result(None)
                    return


CHECKER = web.AppKey("checker", PasswordChecker)
