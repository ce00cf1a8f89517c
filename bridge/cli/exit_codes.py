"""The exit codes of `scorm-bridge`, for scripts and service managers. `docs/cli.md` has the table."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command ends with; those from 69 are sysexits.h's."""

    OK = 0
    """The command did what it was asked; a bridge was stopped by a signal."""
    FAILED = 1
    """The command could not do it, found nothing (`verify`) or found faults (`mapping check`, `reconcile`), was not
    confirmed, or waited in vain (`connect`)."""
    USAGE = 2
    """Arguments and options do not fit."""
    UNAVAILABLE = 69
    """The bridge cannot start because the database does not answer, another bridge uses it, or the port is taken; or
    the LRS (`reconcile`) or the LMS's page (`connect`) does not answer."""
    INTERNAL_ERROR = 70
    """The bridge ended by an error of its own, which is in the log."""
    CONFIG = 78
    """Settings, the mapping or the database's schema cannot be used."""
