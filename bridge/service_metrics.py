"""What `/metrics` shows of the service as a whole: its tasks, alarms, database, disk and process."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Iterator, Sequence
from importlib.metadata import version

from prometheus_client import CollectorRegistry
from prometheus_client.process_collector import ProcessCollector

from bridge.limits.disk_space import DiskSpace
from bridge.metrics import Sample, catalog
from bridge.periodic_task import PeriodicTask
from bridge.system_alarms import SystemAlarms
from bridge.write_health import WriteHealth

_OF_PROCESS = {
    metric.name: metric
    for metric in (
        catalog.PROCESS_CPU,
        catalog.PROCESS_MEMORY,
        catalog.PROCESS_FDS,
        catalog.PROCESS_MAX_FDS,
        catalog.PROCESS_START,
    )
}


class ServiceMetrics:
    """Reads how the service does, from memory. `database` is the kind of database, `tasks` all that run."""

    def __init__(
        self,
        *,
        database: str,
        tasks: Sequence[PeriodicTask],
        alarms: SystemAlarms,
        health: WriteHealth,
        disk: DiskSpace,
    ) -> None:
        self._build = version("scorm-xapi-bridge"), platform.python_version(), database
        self._tasks = tasks
        self._alarms = alarms
        self._health = health
        self._disk = disk
        # in a registry of its own: the library's global one is nobody's
        self._process = ProcessCollector(registry=CollectorRegistry())

    def read(self) -> Iterator[Sample]:
        """Yield the samples, as of now; call it on the event loop."""
        yield Sample(catalog.BUILD_INFO, self._build, 1)
        yield Sample(catalog.DATABASE_UP, (), self._health.is_storing)
        if self._disk.free is not None:
            yield Sample(catalog.DISK_FREE, (), self._disk.free)
            yield Sample(catalog.DISK_MARK, (), self._disk.mark)
        for alarm in self._alarms.current():
            yield Sample(catalog.ALARM, (alarm.code,), 1)
        now = asyncio.get_running_loop().time()
        for task in self._tasks:
            name = (type(task).__name__,)
            yield Sample(catalog.TASK_RUNS, name, task.runs)
            yield Sample(catalog.TASK_FAILURES, name, task.failures)
            if task.succeeded_at is not None:
                yield Sample(catalog.TASK_AGE, name, now - task.succeeded_at)
        yield Sample(catalog.WORKERS, (), 1)
        yield from self._process_samples()

    def _process_samples(self) -> Iterator[Sample]:
        """Yield what the operating system says of this process; nothing where there is no `/proc`."""
        for family in self._process.collect():
            for sample in family.samples:
                metric = _OF_PROCESS.get(sample.name)
                if metric is not None:
                    yield Sample(metric, (), sample.value)
