"""Options and types of arguments that commands share."""

from __future__ import annotations

import getpass
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from functools import wraps
from typing import Any, ClassVar

import click

from bridge.settings import Settings, TargetSettings
from storage.deliveries import DeliveryFilter
from storage.queries.keyset import CursorError, is_stored_uuid
from storage.states import DeliveryState


class UuidType(click.ParamType[str]):
    """A UUID, in lower case."""

    name = "uuid"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Validate it."""
        if not is_stored_uuid(value.lower()):
            self.fail(f"{value!r} is not a UUID.", param, ctx)
        return str(value).lower()


class TimeType(click.ParamType[int]):
    """A time such as 2026-01-31 or 2026-01-31T12:00:00+01:00, in milliseconds since the epoch; UTC by default."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse it."""
        if isinstance(value, int):
            return value
        try:
            time = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a time; write it as 2026-01-31 or 2026-01-31T12:00:00Z.", param, ctx)
        return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)


class DurationType(click.ParamType[int]):
    """A duration such as 90d, 24h or 30m, in milliseconds."""

    name = "duration"
    _UNITS: ClassVar = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
    _PATTERN = re.compile(r"(0|[1-9][0-9]{0,5})([smhd])")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse it."""
        if isinstance(value, int):
            return value
        parts = self._PATTERN.fullmatch(value)
        if parts is None:
            self.fail(f"{value!r} is not a duration; write it as 90d, 24h, 30m or 45s.", param, ctx)
        return int(parts[1]) * self._UNITS[parts[2]]


def choice_of(states: type[StrEnum]) -> click.Choice[str]:
    """Return the type of an option that is one of the values of an enum; by itself, click takes the members' names."""
    return click.Choice([state.value for state in states])


def current_user() -> str:
    """Return the name of the user who runs the command."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # containers often have no name for their user
        return "unknown"


AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
BY = click.option("--by", default=current_user, help="Name for the audit log; by default the name of the user.")
REASON = click.option("--reason", required=True, help="Reason for the audit log.")
OPTIONAL_REASON = click.option("--reason", default="", help="Reason for the audit log.")
YES = click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
LIMIT = click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Maximum number of rows."
)
AFTER = click.option("--after", help="Continue a list: the value that the page before printed.")


def find_target(settings: Settings, name: str) -> TargetSettings:
    """Return the settings of the target with a name.

    Raises:
        click.BadParameter: there is none.
    """
    chosen = next((target for target in settings.targets if target.name == name), None)
    if chosen is None:
        names = ", ".join(target.name for target in settings.targets) or "none"
        raise click.BadParameter(f"{name}: no such target; there are {names}.", param_hint="TARGET")
    return chosen


@contextmanager
def refuse_invalid_cursor() -> Iterator[None]:
    """Refuse an `--after` that a search does not understand."""
    try:
        yield
    except CursorError as error:
        raise click.BadParameter(str(error), param_hint="--after") from None


FilterOptions = Sequence[tuple[str, Any, str]]
"""Options that select rows: name, type and help of each."""

_DELIVERY_FILTERS: FilterOptions = (
    ("target", str, "Name of the target."),
    ("state", choice_of(DeliveryState), "State of the delivery."),
    ("statement", UuidType(), "Id of the statement."),
    ("verb", str, "IRI of the statement's verb."),
    ("rule", str, "Rule of the mapping document that made the statement."),
    ("lms", str, "Name of the LMS."),
    ("learner", str, "Id of the learner."),
    ("activity", str, "Id of the activity."),
    ("session", UuidType(), "Id of the session."),
    ("attempt", UuidType(), "Id of the attempt."),
    ("since", TimeType(), "Made at this time or later."),
    ("until", TimeType(), "Made before this time."),
    ("outcome", str, "Outcome of the last try, such as refused or conflict."),
    ("status", int, "HTTP status of the last try."),
)


def filter_options(
    options: FilterOptions, build: Callable[..., Any]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that adds options to a command, which gets the filter built of their values as `selection`."""
    names = [name.replace("-", "_") for name, _, _ in options]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def wrapped(*arguments: Any, **values: Any) -> None:
            command(*arguments, selection=build(**{name: values.pop(name) for name in names}), **values)

        for name, kind, text in reversed(options):
            wrapped = click.option(f"--{name}", type=kind, help=text)(wrapped)
        return wrapped

    return decorate


delivery_filters = filter_options(_DELIVERY_FILTERS, DeliveryFilter)
