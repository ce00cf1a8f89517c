"""Watches the tokens and browser keys of LMSs: notices changes by any process, and stores when each was last used."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bridge.access import LmsTokens
from bridge.browser_keys import BrowserKeys
from bridge.clock import Monotonic
from bridge.database import Database
from bridge.periodic_task import PeriodicTask
from storage import audit_log, browser_keys, tokens

TOKEN_INTERVAL = 1.0
"""Seconds between polls: a token that was revoked is refused by every process after that."""
USE_INTERVAL = 60.0
"""Seconds between two notes of when tokens were last used."""


class TokenMonitor(PeriodicTask):
    """Calls `forget` for everything that is cached of LMSs when somebody changed something.

    Every change of a token, a key or an LMS makes an entry in the audit log, whose latest number is cheap to read.
    """

    def __init__(
        self,
        database: Database,
        lms_tokens: LmsTokens,
        browser_keys: BrowserKeys,
        forget: Sequence[Callable[[], None]],
        monotonic: Monotonic,
    ) -> None:
        super().__init__(TOKEN_INTERVAL)
        self._database = database
        self._lms_tokens = lms_tokens
        self._browser_keys = browser_keys
        self._forget = (lms_tokens.forget, browser_keys.forget, *forget)
        self._monotonic = monotonic
        self._latest: int | None = None
        self._stored_at = monotonic()

    async def run_once(self) -> bool:
        """Look for changes, and store uses when it is time."""
        latest = await self._database.read(audit_log.latest_id)
        if latest != self._latest:
            self._latest = latest
            for forget in self._forget:
                forget()
        if self._monotonic() - self._stored_at >= USE_INTERVAL:
            await self.store_uses()
        return False

    async def store_uses(self) -> None:
        """Store when each was last used; where that fails, what was noted since is stored the next time."""
        self._stored_at = self._monotonic()
        if uses := self._lms_tokens.take_uses():
            await self._database.write(tokens.note_uses, uses)
        if uses := self._browser_keys.take_uses():
            await self._database.write(browser_keys.note_uses, uses)
