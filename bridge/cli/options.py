"""Options that choose deliveries, the same ones for every command that does."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any

import click

from storage.deliveries import STATES, Filter

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class Uuid(click.ParamType[str]):
    """A UUID, in lower case."""

    name = "uuid"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check it."""
        if _UUID.fullmatch(value) is None:
            self.fail(f"{value!r} is no UUID.", param, ctx)
        return str(value).lower()


class Time(click.ParamType[int]):
    """A time such as 2026-01-31 or 2026-01-31T12:00:00+01:00, in milliseconds since the epoch; UTC where no zone is."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it."""
        if isinstance(value, int):
            return value
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time; write it as 2026-01-31 or 2026-01-31T12:00:00Z.", param, ctx)
        return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


_OPTIONS: tuple[tuple[str, Any, str], ...] = (
    ("target", str, "Name of the target."),
    ("state", click.Choice(STATES), "State of the delivery."),
    ("statement", Uuid(), "Id of the statement."),
    ("verb", str, "IRI of the statement's verb."),
    ("rule", str, "Rule of the mapping document that made the statement."),
    ("lms", str, "Name of the LMS."),
    ("learner", str, "Id of the learner."),
    ("activity", str, "Id of the activity."),
    ("session", Uuid(), "Id of the session."),
    ("attempt", Uuid(), "Id of the attempt."),
    ("since", Time(), "Made at this time or later."),
    ("until", Time(), "Made before this time."),
    ("outcome", str, "What came of the last try, such as refused or conflict."),
    ("status", int, "HTTP status of the last try."),
)


def chosen(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options to a command, which gets what they choose as `which`."""

    @wraps(command)
    def wrapped(*arguments: Any, **options: Any) -> None:
        which = Filter(**{name: options.pop(name) for name, _, _ in _OPTIONS})
        command(*arguments, which=which, **options)

    for name, kind, words in reversed(_OPTIONS):
        wrapped = click.option(f"--{name}", type=kind, help=words)(wrapped)
    return wrapped
