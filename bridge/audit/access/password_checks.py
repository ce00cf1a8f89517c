"""Checking passwords, which takes some 50 ms and 64 MiB each, on a thread that everything else goes before."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from aiohttp import web

from bridge import passwords

MAX_WAITING = 20
"""Passwords of strangers that wait to be checked, and as many of known browsers."""
RETRY_AFTER = 5
"""Seconds."""
LOWEST_PRIORITY = 19
"""The niceness of what gives way to everything else."""


class TooManyTriesError(Exception):
    """No sign-in may be tried for `seconds`."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class PasswordChecker:
    """Checks one password at a time; those of known browsers go before those of strangers."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "passwords", initializer=_give_way)
        self._busy = False
        self._waiting: dict[bool, deque[asyncio.Future[None]]] = {True: deque(), False: deque()}

    def check_room(self, *, is_known: bool) -> None:
        """Raise where too many wait already: before anything is looked up or stored for one more.

        Raises:
            TooManyTriesError: too many are waiting.
        """
        if len(self._waiting[is_known]) >= MAX_WAITING:
            raise TooManyTriesError(RETRY_AFTER)

    async def is_right(self, password: str, stored: str | None, *, is_known: bool) -> bool:
        """Tell whether it is the password stored; None is no password's.

        Raises:
            TooManyTriesError: too many are waiting for this.
        """
        self.check_room(is_known=is_known)
        loop = asyncio.get_running_loop()
        if self._busy:
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
        try:
            return await loop.run_in_executor(self._thread, partial(passwords.is_right, password, stored))
        finally:
            self._pass_on()

    def close(self) -> None:
        """Wait for what is being checked."""
        self._thread.shutdown()

    def _pass_on(self) -> None:
        for lane in (self._waiting[True], self._waiting[False]):
            while lane:
                turn = lane.popleft()
                if not turn.done():
                    turn.set_result(None)
                    return
        self._busy = False


CHECKER = web.AppKey("checker", PasswordChecker)


def _give_way() -> None:
    """Let the thread, and those that Argon2 starts from it, run only where the machine has nothing else to do."""
    if sys.platform == "linux":  # elsewhere a priority is the whole process's
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)
