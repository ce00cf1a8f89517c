"""Learners: their enrollments as people look for them, one enrollment with its attempts, and files of both."""

from __future__ import annotations

from urllib.parse import urlencode

from aiohttp import web
from sqlalchemy import Connection

from bridge.audit.access.auth_middleware import Route
from bridge.audit.access.concurrency_limits import WorkKind
from bridge.audit.access.redaction import redact_name
from bridge.audit.access.roles import Role, may_see_names
from bridge.audit.components import exports
from bridge.audit.components.render import page
from bridge.audit.components.request_params import choice_in, midnight, nothing, text_in, uuid_in
from bridge.audit.dependencies import DEPENDENCIES
from mappings.cmi.times import duration
from storage import lms
from storage.queries import attempts, enrollments
from storage.queries.attempts import AttemptRow
from storage.queries.enrollment_filter import COMPLETIONS, STATUSES, SUCCESSES, AttemptFilter
from storage.queries.enrollments import EnrollmentRow
from storage.queries.keyset import ResultPage


async def _learners(request: web.Request) -> web.StreamResponse:
    which, after = _asked(request), request.query.get("after") or None

    def look(connection: Connection) -> tuple[ResultPage[EnrollmentRow], list[str]]:
        return enrollments.search(connection, which, after=after), lms.names(connection)

    found, lmss = await request.app[DEPENDENCIES].database.read(look)
    return page(
        request,
        "learners.html",
        page=ResultPage([redact_name(request, row) for row in found.rows], found.after),
        which=which,
        lmss=lmss,
        choices={"status": STATUSES, "completion": COMPLETIONS, "success": SUCCESSES},
        is_filtered=which != AttemptFilter() or after is not None,
        rest=_rest(request),
    )


async def _learners_file(request: web.Request) -> web.StreamResponse:
    which = _asked(request)

    def part(connection: Connection, after: str | None, most: int) -> ResultPage[EnrollmentRow]:
        return enrollments.search(connection, which, after=after, most=most)

    return await exports.send(request, "learners", part, exports.columns(request, EnrollmentRow._fields))


async def _enrollment(request: web.Request) -> web.StreamResponse:
    registration, after = uuid_in(request, "registration", "enrollment"), request.query.get("after") or None

    def look(connection: Connection) -> tuple[EnrollmentRow | None, ResultPage[AttemptRow]]:
        which = AttemptFilter(enrollment=registration)
        return enrollments.one(connection, registration), attempts.search(connection, which, after=after)

    one, its = await request.app[DEPENDENCIES].database.read(look)
    if one is None:
        raise nothing("enrollment")
    return page(request, "enrollment.html", one=redact_name(request, one), page=its, duration=duration)


async def _enrollment_file(request: web.Request) -> web.StreamResponse:
    registration = uuid_in(request, "registration", "enrollment")
    if await request.app[DEPENDENCIES].database.read(enrollments.one, registration) is None:
        raise nothing("enrollment")

    def part(connection: Connection, after: str | None, most: int) -> ResultPage[AttemptRow]:
        return attempts.search(connection, AttemptFilter(enrollment=registration), after=after, most=most)

    return await exports.send(request, f"attempts-{registration}", part, exports.columns(request, AttemptRow._fields))


def _asked(request: web.Request) -> AttemptFilter:
    """Return what is searched for.

    Raises:
        web.HTTPBadRequest: it cannot be searched for.
        web.HTTPForbidden: a name is told by somebody who may not see names, and would learn them so.
    """
    name = text_in(request, "name")
    if name is not None and not may_see_names(request):
        raise web.HTTPForbidden(text="Your account does not see learners' names, so it cannot search by them.")
    return AttemptFilter(
        lms=text_in(request, "lms"),
        learner=text_in(request, "learner_is"),
        learner_prefix=text_in(request, "learner"),
        learner_name=name,
        activity=text_in(request, "activity"),
        course=text_in(request, "course"),
        status=choice_in(request, "status", STATUSES),
        completion=choice_in(request, "completion", COMPLETIONS),
        success=choice_in(request, "success", SUCCESSES),
        since=midnight(request.query.get("since", "")),
        until=midnight(request.query.get("until", ""), after=True),
    )


def _rest(request: web.Request) -> str:
    """Return the query of the search without the page, for the files of all that it finds."""
    told = {name: value for name, value in request.query.items() if value and name != "after"}
    return f"?{urlencode(told)}" if told else ""


ROUTES = (
    Route("GET", "/learners", _learners, Role.READER),
    Route("GET", "/learners.csv", _learners_file, Role.READER, kind=WorkKind.FILE),
    Route("GET", "/learners.ndjson", _learners_file, Role.READER, kind=WorkKind.FILE),
    Route("GET", "/enrollments/{registration}", _enrollment, Role.READER),
    Route("GET", "/enrollments/{registration}/attempts.csv", _enrollment_file, Role.READER, kind=WorkKind.FILE),
    Route("GET", "/enrollments/{registration}/attempts.ndjson", _enrollment_file, Role.READER, kind=WorkKind.FILE),
)
