"""The keys that pages of LMSs open sessions with, as a running bridge knows them.

They are few, and whoever visits a page may try any: all of them are kept in memory, and a key that is not known costs
no query.
"""

from __future__ import annotations

import asyncio
import secrets

import structlog
from sqlalchemy.exc import DBAPIError

from bridge.clock import Now, format_timestamp
from bridge.database import Database, log_failure
from bridge.errors import BrowserKeyExpired, BrowserKeyUnknown, BrowserOriginForbidden
from storage import browser_keys
from storage.browser_keys import BrowserKey
from storage.states import TokenStatus

log = structlog.get_logger(__name__)

KEY_PREFIX = "pk_"
"""What every key begins with, so that it is recognized as one that may be published."""
KEYS_TTL = 30_000
"""Milliseconds for which the keys are not read again, where no change is noticed."""
RETRY_INTERVAL = 1_000
"""Milliseconds after which they are, where the database did not answer."""


def new_key() -> str:
    """Return a new key: 256 random bits, so that nobody finds one that stands in no page."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


class BrowserKeys:
    """Finds keys and checks what they permit; notes which are used.

    `forget` has them read again when a key or an LMS was changed (`bridge/token_monitor.py`).
    """

    def __init__(self, database: Database, now: Now) -> None:
        self._database = database
        self._now = now
        self._reading = asyncio.Lock()
        self._read_at: int | None = None
        self._is_known = False
        self._changes = 0
        self._by_key: dict[str, BrowserKey] = {}
        self._by_id: dict[int, BrowserKey] = {}
        self._uses: dict[int, int] = {}

    async def find(self, key: str) -> BrowserKey | None:
        """Return a key, valid or not; None where it is not known."""
        await self._refresh()
        return self._by_key.get(key)

    async def by_id(self, key_id: int) -> BrowserKey | None:
        """Return the key of a number, valid or not."""
        await self._refresh()
        return self._by_id.get(key_id)

    async def knows_origin(self, origin: str) -> bool:
        """Return whether pages of an origin may use any key."""
        await self._refresh()
        now = self._now()
        return any(origin in key.origins and key.status(now) is TokenStatus.VALID for key in self._by_id.values())

    def check(self, key: BrowserKey | None, origin: str | None) -> BrowserKey:
        """Return a key that is valid and may be used by pages of an origin, and note that it is used.

        Raises:
            BrowserKeyUnknown: there is no such key, or it was revoked.
            BrowserKeyExpired: it was valid until some time, which is over.
            BrowserOriginForbidden: it is not for pages of this origin.
        """
        now = self._now()
        status = None if key is None else key.status(now)
        if key is None or status is TokenStatus.REVOKED:
            raise BrowserKeyUnknown(
                "This browser key is not known or was revoked; `scorm-bridge keys create` makes another one for the"
                " page."
            )
        if status is TokenStatus.EXPIRED:
            raise BrowserKeyExpired(
                f"This browser key expired at {format_timestamp(key.expires_at)}; `scorm-bridge keys create` makes"
                " another one for the page."
            )
        if origin not in key.origins:
            page = "says no Origin" if origin is None else f"is of a page of {origin[:200]!r}"
            raise BrowserOriginForbidden(
                f"This browser key is for pages of {', '.join(key.origins)}, and the request {page};"
                " `scorm-bridge keys create --origin` makes a key for other pages."
            )
        self._uses[key.id] = now
        return key

    def forget(self) -> None:
        """Read the keys anew when one is asked for next."""
        self._changes += 1
        self._read_at = None

    def take_uses(self) -> dict[int, int]:
        """Return when keys were last used since this was called last, by their number."""
        uses, self._uses = self._uses, {}
        return uses

    async def _refresh(self) -> None:
        """Read the keys where it is time, once for all who wait for them."""
        if self._is_fresh():
            return
        async with self._reading:
            if self._is_fresh():
                return
            changes = self._changes
            try:
                stored = await self._database.read(browser_keys.of_lms)
            except DBAPIError as error:
                if not self._is_known:
                    raise
                # what was known still holds for a while: the request itself will tell if it needs the database
                log_failure(log, "browser_keys_not_read", error)
                self._read_at = self._now() - KEYS_TTL + RETRY_INTERVAL
                return
            self._by_key = {key.key: key for key in stored}
            self._by_id = {key.id: key for key in stored}
            self._is_known = True
            # what was read before a change must not be kept after it
            if changes == self._changes:
                self._read_at = self._now()

    def _is_fresh(self) -> bool:
        return self._read_at is not None and self._now() - self._read_at < KEYS_TTL
