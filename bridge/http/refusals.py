"""Refused requests: each is counted, logged and, where it is known whose it is, kept for the audit pages.

They are stored by a task of its own, some at a time: nobody waits for that. What waits is bounded, and nothing is kept
of strangers: whoever shows no valid token can fill no table.
"""

from __future__ import annotations

from collections import deque

import structlog
from aiohttp import web

from bridge.clock import Now
from bridge.database import Database
from bridge.errors import BridgeError
from bridge.log_redaction import redact
from bridge.metrics import Metrics
from bridge.metrics.catalog import REFUSALS
from bridge.periodic_task import PeriodicTask
from storage import refusals
from storage.refusals import MAX_KEPT, Refusal

log = structlog.get_logger(__name__)

STORE_INTERVAL = 5.0
"""Seconds between looks at what is to be stored."""
BATCH_SIZE = 250
"""Refusals stored in one transaction."""
MAX_TEXT_LENGTH = 500
"""Characters kept of a text."""

LMS_ID = web.RequestKey("lms_id", int)
"""The LMS whose token came with a request, or its commit URL's."""


class Refusals(PeriodicTask):
    """What was refused and is not stored yet."""

    def __init__(self, database: Database, now: Now, metrics: Metrics) -> None:
        super().__init__(STORE_INTERVAL)
        self._database = database
        self._now = now
        self._waiting: dict[int, deque[Refusal]] = {}
        self._metrics = metrics

    def note(self, request: web.Request, error: BridgeError, wire_format: str = "") -> None:
        """Log and count a request that is refused with this error, and keep it if it shows whose it is."""
        self.note_problem(request, error.status, error.code, error.detail, wire_format)

    def note_problem(self, request: web.Request, status: int, code: str, detail: str, wire_format: str = "") -> None:
        """Note a problem in the same way that is no error of the bridge's own."""
        self._note(request.get(LMS_ID), (request.method, request.path), (status, code, detail), wire_format)

    def note_later(self, lms_id: int, method: str, path: str, error: BridgeError, wire_format: str) -> None:
        """Note a request of an LMS in the same way that has been answered already."""
        self._note(lms_id, (method, path), (error.status, error.code, error.detail), wire_format)

    def _note(
        self, lms_id: int | None, target: tuple[str, str], problem: tuple[int, str, str], wire_format: str
    ) -> None:
        status, code, detail = problem
        self._metrics.count(REFUSALS, (str(status), code))
        if not 400 <= status <= 422:
            return
        detail, method, path = _stored(detail), _stored(target[0]), _stored(target[1])
        log.info(
            "request_refused",
            lms=lms_id,
            status=status,
            code=code,
            detail=detail,
            format=wire_format,
            method=method,
            path=path,
        )
        if lms_id is not None:
            refusal = Refusal(lms_id, self._now(), status, code, detail, wire_format, method, path)
            self._waiting.setdefault(lms_id, deque(maxlen=MAX_KEPT)).append(refusal)

    async def run_once(self) -> bool:
        """Store some of what waits."""
        batch: list[Refusal] = []
        for waiting in self._waiting.values():
            while waiting and len(batch) < BATCH_SIZE:
                batch.append(waiting.popleft())
        self._waiting = {lms_id: waiting for lms_id, waiting in self._waiting.items() if waiting}
        if batch:
            # each LMS's own are in their order already
            batch.sort(key=lambda refusal: refusal.at)
            try:
                await self._database.write(refusals.add, batch)
            except BaseException:
                for refusal in reversed(batch):
                    waiting = self._waiting.setdefault(refusal.lms_id, deque(maxlen=MAX_KEPT))
                    if len(waiting) < MAX_KEPT:
                        waiting.appendleft(refusal)
                raise
        return bool(self._waiting)

    async def flush(self) -> None:
        """Store all that waits."""
        while await self.run_once():
            pass


def _stored(text: str) -> str:
    """Return text as it may be kept: without secrets, NUL and half characters, and not too long."""
    text = redact(text[:MAX_TEXT_LENGTH]).replace("\0", "\N{REPLACEMENT CHARACTER}")
    return text.encode(errors="replace").decode()
