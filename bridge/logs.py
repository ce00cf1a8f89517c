"""The log: one name for each event, facts as key and value, never CMI data or learners' names.

What libraries and Python itself log goes through the same renderer as the bridge's own lines, with secrets redacted:
every line of a JSON log is JSON, and none has a token.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import structlog
from structlog.processors import JSONRenderer
from structlog.stdlib import ProcessorFormatter
from structlog.typing import Processor

from bridge.log_redaction import escape_control, redact_event
from bridge.request_id import add_request_id
from bridge.settings import LogSettings

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

log = structlog.get_logger(__name__)


def configure(settings: LogSettings) -> None:
    """Configure the log: to standard error, as text or JSON, with what libraries log from `warning` on."""
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    added: list[Processor] = [
        add_request_id,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    rendered = _rendered(is_json=settings.format == "json")
    structlog.configure(
        processors=[*added, *rendered],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if isinstance(handler, _LibraryHandler):
            root.removeHandler(handler)
    root.addHandler(_LibraryHandler(added, rendered))
    root.setLevel(max(level, logging.WARNING))


def announce(text: str) -> None:
    """Write a sentence to standard error whatever the level: as it is, or as a line of the log where that is JSON."""
    processors = structlog.get_config()["processors"]
    line: Any = text
    if isinstance(processors[-1], JSONRenderer):
        line = {"event": text}
        for processor in processors:
            line = processor(None, "info", line)
    structlog.WriteLogger(sys.stderr).msg(line)


@contextmanager
def capture_uncaught() -> Iterator[None]:
    """Log what Python would print: warnings, and uncaught exceptions in threads and finalizers."""
    hooks = threading.excepthook, sys.unraisablehook
    threading.excepthook = _log_of_thread
    sys.unraisablehook = _log_unraisable
    logging.captureWarnings(capture=True)
    try:
        yield
    finally:
        logging.captureWarnings(capture=False)
        threading.excepthook, sys.unraisablehook = hooks


def _rendered(*, is_json: bool) -> list[Processor]:
    # tracebacks become text before they are redacted, without local variables: those hold learners' data and passwords
    if is_json:
        return [structlog.processors.format_exc_info, redact_event, JSONRenderer()]
    return [
        structlog.dev.set_exc_info,
        structlog.processors.format_exc_info,
        redact_event,
        escape_control,
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
    ]


class _LibraryHandler(logging.Handler):
    """Takes what is logged with the standard library, by aiohttp, asyncio and others."""

    def __init__(self, added: Sequence[Processor], rendered: Sequence[Processor]) -> None:
        super().__init__()
        self.setFormatter(
            ProcessorFormatter(
                foreign_pre_chain=[structlog.stdlib.add_logger_name, *added],
                processors=[ProcessorFormatter.remove_processors_meta, *rendered],
            )
        )

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 -- whatever a library's arguments do when they are printed
            line = self.format(
                logging.makeLogRecord(
                    {
                        "name": record.name,
                        "levelno": logging.ERROR,
                        "levelname": "ERROR",
                        "msg": "log_line_not_formatted",
                    }
                )
            )
        structlog.WriteLogger(sys.stderr).msg(line)


def _log_of_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is not SystemExit:
        log.critical("uncaught_exception", thread=args.thread and args.thread.name, exc_info=args.exc_value)


def _log_unraisable(args: UnraisableHookArgs) -> None:
    log.error("unraisable_exception", where=args.err_msg or type(args.object).__name__, exc_info=args.exc_value)
