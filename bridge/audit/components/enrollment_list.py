"""The list of enrollments, on the page of all of them and on those of a learner, a course and an activity."""

from __future__ import annotations

from typing import NamedTuple

from aiohttp import web
from sqlalchemy import Connection

from bridge.audit.access.redaction import redact_name
from bridge.audit.access.roles import may_see_names
from bridge.audit.components.request_params import position_param
from storage.queries import enrollments
from storage.queries.enrollment_filter import AttemptFilter
from storage.queries.enrollments import ORDERS, EnrollmentOrder, EnrollmentRow
from storage.queries.keyset import PAGE_SIZE, ResultPage


class EnrollmentList(NamedTuple):
    """A page of enrollments.

    `order` is what they are sorted by, None for the newest commit first. Where they `can_be_sorted`, `first` is the
    number of the first one, and `next_first` that of the next page, None where there is none.
    """

    page: ResultPage[EnrollmentRow]
    order: EnrollmentOrder | None = None
    can_be_sorted: bool = False
    first: int = 1
    next_first: int | None = None

    def toggled(self, column: str) -> str:
        """Return the parameter that sorts by a column, the other way round where they are sorted by it."""
        is_ascending = self.order == EnrollmentOrder(column)
        return f"-{column}" if is_ascending else column

    def direction(self, column: str) -> str:
        """Return in which direction they are sorted by a column, empty where they are not."""
        if self.order is None or self.order.column != column:
            return ""
        return "descending" if self.order.is_descending else "ascending"


def load_list(request: web.Request, connection: Connection, criteria: AttemptFilter) -> EnrollmentList:
    """Load the page that the request asks for, without names where they may not be seen.

    Raises:
        web.HTTPBadRequest: there is no such order.
    """
    order, first = _order(request), position_param(request, "first")
    if order is not None:
        # names that may not be seen are not told by their order either
        is_hidden = order.column == "learner" and not may_see_names(request)
        limit = PAGE_SIZE + 1
        rows = None if is_hidden else enrollments.sorted_by(connection, criteria, order, first=first, limit=limit)
        if rows is not None:
            shown = [redact_name(request, row) for row in rows[:PAGE_SIZE]]
            following = first + PAGE_SIZE if len(rows) > PAGE_SIZE else None
            return EnrollmentList(ResultPage(shown, None), order, can_be_sorted=True, first=first, next_first=following)
    page = enrollments.search(connection, criteria, after=request.query.get("after") or None)
    shown = [redact_name(request, row) for row in page.rows]
    can_be_sorted = enrollments.can_be_sorted(connection, criteria)
    return EnrollmentList(ResultPage(shown, page.after), can_be_sorted=can_be_sorted)


def _order(request: web.Request) -> EnrollmentOrder | None:
    text = request.query.get("sort", "")
    column = text.removeprefix("-")
    if not text:
        return None
    if column not in ORDERS:
        raise web.HTTPBadRequest(text=f"Enrollments can be sorted by: {', '.join(ORDERS)}.")
    return EnrollmentOrder(column, is_descending=text.startswith("-"))
