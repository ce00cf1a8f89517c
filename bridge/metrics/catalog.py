"""All metrics of the bridge. `docs/metrics.md` has a row for each, and a test compares them."""

from __future__ import annotations

from bridge.metrics.metric import Merge, Metric, MetricKind

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds for what players wait for."""
LRS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
BATCH_SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
_NAMESPACE = "scorm_bridge_"


def _counter(name: str, description: str, *labels: str) -> Metric:
    return Metric(f"{_NAMESPACE}{name}", MetricKind.COUNTER, description, labels)


def _gauge(name: str, description: str, *labels: str, merge: Merge = Merge.SUM) -> Metric:
    return Metric(f"{_NAMESPACE}{name}", MetricKind.GAUGE, description, labels, merge=merge)


def _histogram(name: str, description: str, buckets: tuple[float, ...], *labels: str) -> Metric:
    return Metric(f"{_NAMESPACE}{name}", MetricKind.HISTOGRAM, description, labels, buckets)


COMMITS = _counter("commits_total", "Commits stored.", "format", "disposition")
COMMIT_DURATION = _histogram(
    "commit_duration_seconds", "From a commit's arrival, read to its headers, to its response: it is on disk.", SECONDS
)
BATCH_SIZE = _histogram("batch_commands", "Commits and other commands stored in one transaction.", BATCH_SIZES)
TRANSACTION_DURATION = _histogram("transaction_duration_seconds", "Transactions that store a batch.", SECONDS)
FAILED_TRANSACTIONS = _counter("failed_transactions_total", "Batches that the database did not store.")
QUEUE_LENGTH = _gauge("queue_commands", "Commits and other commands that wait to be stored.")
QUEUE_BYTES = _gauge("queue_bytes", "Bytes of commits that wait to be stored.")
STATEMENTS = _counter("statements_total", "Statements made, those included that were quarantined.")
QUARANTINED = _counter("quarantined_statements_total", "Statements that were invalid when they were made.")
BROWSER_SESSIONS = _counter("browser_sessions_total", "Sessions opened by pages with a browser key, again or anew.")
MIRRORED = _counter("mirrored_requests_total", "Mirrored requests, by what became of them.", "format", "outcome")
MIRROR_LENGTH = _gauge("mirror_requests", "Mirrored requests that wait to be stored.")
MIRROR_BYTES = _gauge("mirror_bytes", "Bytes of mirrored requests that wait to be stored.")
REFUSALS = _counter("refusals_total", "Requests that were refused or could not be done.", "status", "code")

TRIES = _counter(
    "deliveries_total", "Results of tries: a statement or document counts with each of its tries.",
    "target", "kind", "outcome",
)  # fmt: skip
LRS_DURATION = _histogram("lrs_duration_seconds", "Exchanges with an LRS.", LRS_SECONDS, "target", "kind")
BREAKER_OPEN = _gauge(
    "breaker_open", "1 while a target's circuit breaker is not closed.", "target", "kind", merge=Merge.MAX
)
WAITING = _gauge("waiting_deliveries", "Deliveries that wait, counted up to 10000.", "target", "kind")
DEAD = _gauge("dead_deliveries", "Dead deliveries, counted up to 10000.", "target", "kind")
QUARANTINED_NOW = _gauge("quarantined_deliveries", "Quarantined deliveries, counted up to 10000.", "target")
OLDEST = _gauge("oldest_waiting_seconds", "Age of the statement that has waited longest.", "target")
REMOVALS = _gauge("waiting_removals", "What is still to be removed for erasures, counted up to 10000.", "target")
OLDEST_REMOVAL = _gauge("oldest_removal_seconds", "Age of the removal that has waited longest.", "target")
PAUSED = _gauge("target_paused", "1 while somebody has paused a target.", "target")
TARGET_ALARM = _gauge("target_alarm", "1 while a target is in trouble.", "target", "requests", "state")
COUNTED_AT = _gauge("counted_timestamp_seconds", "When what waits and is dead was counted.")

WEBHOOK_TRIES = _counter("webhook_requests_total", "Results of requests to webhooks.", "webhook", "outcome")
WEBHOOK_DURATION = _histogram("webhook_duration_seconds", "Exchanges with a webhook.", LRS_SECONDS, "webhook")
WEBHOOK_WAITING = _gauge("waiting_webhooks", "Events that wait for a webhook, counted up to 10000.", "webhook")
WEBHOOK_DEAD = _gauge("dead_webhooks", "Events that a webhook refused for good, counted up to 10000.", "webhook")
WEBHOOK_OLDEST = _gauge("oldest_webhook_seconds", "Age of the event that has waited longest.", "webhook")
WEBHOOK_DOWN = _gauge("webhook_down", "1 while a webhook fails or is paused.", "webhook", "state")

ALARM = _gauge("alarm", "1 while something is wrong with the bridge itself.", "alarm", merge=Merge.MAX)
ALERT = _gauge("alert_active", "1 while an alert has begun and not ended.", "condition", "subject", merge=Merge.MAX)
ALERT_NOTIFICATIONS = _counter(
    "alert_notifications_total", "News of alerts that were sent or not.", "channel", "outcome"
)
DATABASE_UP = _gauge("database_up", "1 while commits can be stored.", merge=Merge.MIN)
DATABASE_BYTES = _gauge("database_bytes", "Size of the database.")
DISK_FREE = _gauge("disk_free_bytes", "Free space on the disk of the database.", merge=Merge.MIN)
DISK_MARK = _gauge("disk_reserved_bytes", "Free space below which nothing new is stored.", merge=Merge.MAX)
TASK_RUNS = _counter("task_runs_total", "Runs of background tasks.", "task")
TASK_FAILURES = _counter("task_failures_total", "Runs of background tasks that failed.", "task")
TASK_AGE = _gauge(
    "task_success_age_seconds", "Seconds since a background task last succeeded.", "task", merge=Merge.MAX
)
WORKERS = _gauge("workers", "Processes that serve.")
CONNECTIONS = _gauge("connections", "Connections of clients that are open.")
BUILD_INFO = _gauge("build_info", "1; the labels say what runs.", "version", "python", "database", merge=Merge.MAX)

PROCESS_CPU = Metric("process_cpu_seconds_total", MetricKind.COUNTER, "Processor time, user and system.")
PROCESS_MEMORY = Metric("process_resident_memory_bytes", MetricKind.GAUGE, "Resident memory.")
PROCESS_FDS = Metric("process_open_fds", MetricKind.GAUGE, "Open file descriptors.")
PROCESS_MAX_FDS = Metric("process_max_fds", MetricKind.GAUGE, "Maximum of open file descriptors.")
PROCESS_START = Metric(
    "process_start_time_seconds", MetricKind.GAUGE, "When the first process started.", merge=Merge.MIN
)

METRICS = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
"""Every metric, in the order in which they are shown."""
BY_NAME = {metric.name: metric for metric in METRICS}
