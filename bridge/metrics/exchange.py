"""Metrics of several processes on one port: each writes its own to a directory that they share, and reads the others'.

Whichever of them is asked can so answer for all. What a process has counted stays when it has died: its parent adds it
to a file of its own, so that no counter goes back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from bridge.metrics.catalog import METRICS
from bridge.metrics.metric import MetricKind
from bridge.metrics.recorder import Metrics, Values, merge
from bridge.periodic_task import PeriodicTask

WRITE_INTERVAL = 1.0
"""Seconds between two writes, and so the age of what others know of a process; what dies takes so much with it."""
SUFFIX = ".metrics"
_ENDED = "ended"
MAX_REMEMBERED = 100
"""Processes that have ended whose files are known to be counted already."""
_COUNTED = tuple(metric for metric in METRICS if metric.kind is not MetricKind.GAUGE)


class _Content(msgspec.Struct):
    """A file: by metric its labels and numbers; `included` are the processes that have ended and are in it."""

    values: dict[str, list[tuple[tuple[str, ...], list[float]]]]
    included: list[str] = []


class MetricsExchange(PeriodicTask):
    """Shares a process's metrics with the others of a directory. `name` is the process's own there."""

    def __init__(self, metrics: Metrics, directory: Path, name: str) -> None:
        super().__init__(WRITE_INTERVAL)
        self._metrics = metrics
        self._directory = directory
        self._name = name

    async def run_once(self) -> bool:
        """Write what this process has counted."""
        await asyncio.to_thread(_write, self._directory, self._name, self._metrics.collect())
        return False

    async def total(self) -> Values:
        """Return the metrics of all processes."""
        values = self._metrics.collect()
        for other in await asyncio.to_thread(lambda: list(_others(self._directory, self._name))):
            merge(values, other, METRICS)
        return values


def retire(directory: Path, name: str) -> None:
    """Add what a process that has ended had counted to what all such have, and remove its file."""
    path = directory / f"{name}{SUFFIX}"
    content = _read(path)
    if content is None:
        return
    ended = _read(directory / f"{_ENDED}{SUFFIX}") or _Content({})
    values = _as_values(ended)
    merge(values, _as_values(content), _COUNTED)
    # from when this is written its own file is known to be in it, so that nobody counts it twice
    _write(directory, _ENDED, values, [*ended.included, name][-MAX_REMEMBERED:])
    path.unlink(missing_ok=True)


def _others(directory: Path, own_name: str) -> Iterator[Values]:
    ended = _read(directory / f"{_ENDED}{SUFFIX}") or _Content({})
    yield _as_values(ended)
    for path in directory.glob(f"*{SUFFIX}"):
        if path.stem in {own_name, _ENDED} or path.stem in ended.included:
            continue
        content = _read(path)
        if content is not None:
            yield _as_values(content)


def _as_values(content: _Content) -> Values:
    return {name: dict(pairs) for name, pairs in content.values.items()}


def _read(path: Path) -> _Content | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Content)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def _write(directory: Path, name: str, values: Values, included: list[str] | None = None) -> None:
    pairs: dict[str, list[Any]] = {metric: [*by_labels.items()] for metric, by_labels in values.items()}
    path = directory / f"{name}{SUFFIX}"
    draft = path.with_suffix(".draft")
    draft.write_bytes(msgspec.json.encode(_Content(pairs, included or [])))
    draft.replace(path)
