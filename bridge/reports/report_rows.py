"""Rows of reports: a view's values alike from both databases, and learners as the report is to know them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from mappings.generation.target_forms import CHOSEN_RESPONSES, TargetForm
from storage.report_views import ATTEMPT, ENROLLMENT, INTERACTION, STATEMENT, ColumnKind, ReportColumn, ReportView

Row = list[Any]
"""Values in the order of a report's columns: times are RFC 3339 with milliseconds, lists are lists of texts."""

_LEARNER, _LEARNER_NAME = "learner_id", "learner_name"
_RESPONSE, _TYPE, _LMS = "learner_response", "type", "lms"
_parse_list = msgspec.json.Decoder(list[str]).decode


class ReportKind(StrEnum):
    """What a report has a row for."""

    ENROLLMENTS = "enrollments"
    """Each learner in an activity of a course."""
    ATTEMPTS = "attempts"
    """Each attempt."""
    INTERACTIONS = "interactions"
    """Each interaction of an attempt."""
    STATEMENTS = "statements"
    """Each statement."""


VIEWS: Mapping[ReportKind, ReportView] = {
    ReportKind.ENROLLMENTS: ENROLLMENT,
    ReportKind.ATTEMPTS: ATTEMPT,
    ReportKind.INTERACTIONS: INTERACTION,
    ReportKind.STATEMENTS: STATEMENT,
}


class LearnerForm(NamedTuple):
    """How learners are known in a report: by the LMS's id, also by name, or as a target of pseudonyms knows them."""

    names: bool = False
    pseudonyms: TargetForm | None = None


def report_columns(kind: ReportKind, form: LearnerForm) -> tuple[ReportColumn, ...]:
    """Return the columns of a report: those of its view, and the learner's name behind the id where it is wanted."""
    columns = VIEWS[kind].columns
    if not form.names:
        return columns
    place = [column.name for column in columns].index(_LEARNER) + 1
    return (*columns[:place], ReportColumn(_LEARNER_NAME, ColumnKind.TEXT), *columns[place:])


def report_rows(
    batches: Iterable[Sequence[Sequence[Any]]],
    kind: ReportKind,
    form: LearnerForm,
    home_pages: Mapping[str, str],
) -> Iterator[list[Row]]:
    """Yield rows of `storage.queries.report_rows.batches` as those of a report.

    `home_pages` are those of LMSs by their name, for pseudonyms.
    """
    names = [*(column.name for column in VIEWS[kind].columns), _LEARNER_NAME]
    places = [(names.index(column.name), _READERS.get(column.kind)) for column in report_columns(kind, form)]
    hide = None if form.pseudonyms is None else _hiding(form.pseudonyms, names, home_pages)
    for batch in batches:
        rows = batch if hide is None else map(hide, batch)
        yield [
            [value if (value := row[place]) is None or read is None else read(value) for place, read in places]
            for row in rows
        ]


def _hiding(
    form: TargetForm, names: Sequence[str], home_pages: Mapping[str, str]
) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """Return what makes a row as the target would get it: with a pseudonym, and without texts if it gets none."""
    learner, lms, *response = (names.index(name) for name in (_LEARNER, _LMS, _RESPONSE, _TYPE) if name in names)

    def hide(row: Sequence[Any]) -> Sequence[Any]:
        hidden = list(row)
        key = form.key_at(row[-1])
        assert key is not None  # noqa: S101 -- the form is one of pseudonyms
        hidden[learner] = key.pseudonym(home_pages[row[lms]], row[learner])
        if response and not form.free_text and row[response[1]] not in CHOSEN_RESPONSES:
            hidden[response[0]] = None
        return hidden

    return hide


def _time(value: Any) -> str:
    """Return a time as RFC 3339 in UTC; SQLite's views have it so."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return str(value)


def _list(value: Any) -> list[str]:
    return _parse_list(value) if isinstance(value, str) else list(value)


_READERS: Mapping[ColumnKind, Callable[[Any], Any]] = {
    ColumnKind.BOOLEAN: bool,
    ColumnKind.NUMBER: float,
    ColumnKind.TIME: _time,
    ColumnKind.LIST: _list,
}
"""What reads a value that one of the databases has otherwise."""
