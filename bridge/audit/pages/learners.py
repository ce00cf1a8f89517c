"""Learners: searching their enrollments, one enrollment with its attempts, and both as files."""

from __future__ import annotations

from urllib.parse import urlencode

from aiohttp import web
from sqlalchemy import Connection

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.concurrency_limits import WorkKind
from bridge.audit.access.redaction import redact_name
from bridge.audit.access.roles import Role, may_see_names
from bridge.audit.components import exports
from bridge.audit.components.enrollment_list import EnrollmentList, load_list
from bridge.audit.components.render import render_page
from bridge.audit.components.request_params import choice_param, not_found, parse_day, text_param, uuid_param
from bridge.audit.components.time_zone import zone_of
from bridge.audit.dependencies import DEPENDENCIES
from mappings.cmi.snapshot import CompletionStatus, SuccessStatus
from mappings.cmi.times import duration
from storage import lms
from storage.queries import attempts, enrollments
from storage.queries.attempts import AttemptRow
from storage.queries.enrollment_filter import AttemptFilter
from storage.queries.enrollments import EnrollmentRow
from storage.queries.keyset import ResultPage
from storage.states import AttemptStatus


async def _learners(request: web.Request) -> web.StreamResponse:
    criteria = _filter(request)

    def query(connection: Connection) -> tuple[EnrollmentList, list[str]]:
        return load_list(request, connection, criteria), lms.names(connection)

    listed, lms_names = await request.app[DEPENDENCIES].database.read(query)
    return render_page(
        request,
        "learners.html",
        listed=listed,
        criteria=criteria,
        lms_names=lms_names,
        choices={"status": AttemptStatus, "completion": CompletionStatus, "success": SuccessStatus},
        is_filtered=criteria != AttemptFilter() or "after" in request.query,
        export_query=_export_query(request),
    )


async def _learners_file(request: web.Request) -> web.StreamResponse:
    criteria = _filter(request)

    def search(connection: Connection, after: str | None, limit: int) -> ResultPage[EnrollmentRow]:
        return enrollments.search(connection, criteria, after=after, limit=limit)

    return await exports.send_file(request, "learners", search, exports.export_columns(request, EnrollmentRow._fields))


async def _enrollment(request: web.Request) -> web.StreamResponse:
    registration, after = uuid_param(request, "registration", "enrollment"), request.query.get("after") or None

    def query(connection: Connection) -> tuple[EnrollmentRow | None, ResultPage[AttemptRow]]:
        criteria = AttemptFilter(enrollment=registration)
        return enrollments.find(connection, registration), attempts.search(connection, criteria, after=after)

    enrollment, attempt_page = await request.app[DEPENDENCIES].database.read(query)
    if enrollment is None:
        raise not_found("enrollment")
    return render_page(
        request, "enrollment.html", enrollment=redact_name(request, enrollment), page=attempt_page, duration=duration
    )


async def _enrollment_file(request: web.Request) -> web.StreamResponse:
    registration = uuid_param(request, "registration", "enrollment")
    if await request.app[DEPENDENCIES].database.read(enrollments.find, registration) is None:
        raise not_found("enrollment")

    def search(connection: Connection, after: str | None, limit: int) -> ResultPage[AttemptRow]:
        return attempts.search(connection, AttemptFilter(enrollment=registration), after=after, limit=limit)

    return await exports.send_file(
        request, f"attempts-{registration}", search, exports.export_columns(request, AttemptRow._fields)
    )


def _filter(request: web.Request) -> AttemptFilter:
    """Return the filter of the search.

    Raises:
        web.HTTPBadRequest: a parameter is not valid.
        web.HTTPForbidden: the account may not see names, and would learn them by searching for one.
    """
    name = text_param(request, "name")
    if name is not None and not may_see_names(request):
        raise web.HTTPForbidden(text="Your account may not see learners' names, so it cannot search by name.")
    return AttemptFilter(
        lms=text_param(request, "lms"),
        learner=text_param(request, "learner_is"),
        learner_prefix=text_param(request, "learner"),
        learner_name=name,
        activity=text_param(request, "activity"),
        course=text_param(request, "course"),
        status=choice_param(request, "status", AttemptStatus),
        completion=choice_param(request, "completion", CompletionStatus),
        success=choice_param(request, "success", SuccessStatus),
        since=parse_day(request.query.get("since", ""), zone=zone_of(request)),
        until=parse_day(request.query.get("until", ""), after=True, zone=zone_of(request)),
    )


def _export_query(request: web.Request) -> str:
    """Return the query of the search without the position, for the files of all results."""
    params = {name: value for name, value in request.query.items() if value and name not in {"after", "sort", "first"}}
    return f"?{urlencode(params)}" if params else ""


ROUTES = (
    Route("GET", "/learners", _learners, Role.READER),
    Route("GET", "/learners.csv", _learners_file, Role.READER, kind=WorkKind.FILE),
    Route("GET", "/learners.ndjson", _learners_file, Role.READER, kind=WorkKind.FILE),
    Route("GET", "/enrollments/{registration}", _enrollment, Role.READER),
    Route("GET", "/enrollments/{registration}/attempts.csv", _enrollment_file, Role.READER, kind=WorkKind.FILE),
    Route("GET", "/enrollments/{registration}/attempts.ndjson", _enrollment_file, Role.READER, kind=WorkKind.FILE),
)
