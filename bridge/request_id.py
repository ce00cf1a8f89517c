"""The id of the request that is being handled: in its response, and in every line that it has in the log.

A client or proxy may send one in `X-Request-Id`, so that its log and the bridge's can be read together.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import MutableMapping
from contextvars import ContextVar
from itertools import count
from typing import Any

REQUEST_ID_HEADER = "X-Request-Id"
MAX_ID_LENGTH = 128
_USABLE = re.compile(rf"[A-Za-z0-9._:/+=@-]{{1,{MAX_ID_LENGTH}}}")

_current: ContextVar[str] = ContextVar("request_id", default="")
# a process's own ids: random in front, so that no other process has them, and numbered, which costs next to nothing
_prefix = secrets.token_hex(6)
_numbers = count(1)


def begin_request(sent: str | None) -> None:
    """Start a request: its id is the one that was sent if it is usable, else a new one."""
    usable = sent is not None and _USABLE.fullmatch(sent) is not None
    _current.set(sent if usable and sent is not None else f"{_prefix}-{next(_numbers):x}")


def current_request_id() -> str:
    """Return the id of the request that is being handled; empty where none is."""
    return _current.get()


def add_request_id(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the id of the request to a line of the log, where one is being handled."""
    request_id = _current.get()
    if request_id:
        event.setdefault("request_id", request_id)
    return event
