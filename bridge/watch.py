"""Something that looks into the database now and then for what is to be done, beside the commits that come."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Sequence

import structlog
from sqlalchemy.exc import DBAPIError

from bridge.database import describe
from bridge.errors import BridgeError
from storage.database_files import DatabaseFileLostError

log = structlog.get_logger(__name__)


class Watch(ABC):
    """Looks every so many seconds."""

    def __init__(self, every: float) -> None:
        self._every = every
        self._stopping = asyncio.Event()

    @abstractmethod
    async def look(self) -> bool:
        """Do what there is to do, some of it; tell whether there may be more."""

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()

    async def run(self) -> None:
        """Look again and again until `stop`. No fault ends it."""
        while not self._stopping.is_set():
            try:
                while await self.look() and not self._stopping.is_set():
                    pass
            except (DBAPIError, DatabaseFileLostError) as error:
                log.error("watch_interrupted", watch=type(self).__name__, error=describe(error))  # noqa: TRY400 -- its own words hold values
            except Exception:
                log.exception("watch_interrupted", watch=type(self).__name__)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._every):
                    await self._stopping.wait()


def raise_unknown(results: Sequence[object]) -> None:
    """Raise the first of the errors among results that is not the bridge's own: those are answers."""
    for one in results:
        if isinstance(one, BaseException) and not isinstance(one, BridgeError):
            raise one
