"""The gradebook: what LMSs read of all their learners, and follow."""

from __future__ import annotations

import re

import msgspec
from aiohttp import hdrs, web
from sqlalchemy import Connection

from bridge.commit_model.responses import enrollment_summary
from bridge.errors import CourseUnknown, MalformedField
from bridge.http.query_parameters import check_parameters
from bridge.http.responses import MAX_PAGE_SIZE, CourseActivity, CourseResponse, EnrollmentsResponse, ListedEnrollment
from bridge.http.services import lms_of, services
from mappings.cmi.snapshot import CompletionStatus
from storage.queries import gradebook
from storage.queries.gradebook import GradebookFilter, GradebookRow
from storage.queries.keyset import CursorError
from storage.states import TokenScope

PAGE_SIZE = 100
"""Enrollments in one response unless another number is asked for."""
COURSE_PARAMETERS = ("learner",)
ENROLLMENT_PARAMETERS = ("learner", "activity", "course", "completion", "since", "limit")

_IN_NO_ID = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_NUMBER = re.compile("[0-9]{1,9}")


async def get_enrollments(request: web.Request) -> web.Response:
    """`GET /v1/enrollments`: the learners' results, those first that have not changed for the longest time."""
    parts = services(request)
    lms = await lms_of(request, request.headers.get(hdrs.AUTHORIZATION), TokenScope.READ)
    check_parameters(request, ENROLLMENT_PARAMETERS)
    completion = request.query.get("completion")
    if completion is not None and completion not in {*CompletionStatus}:
        raise MalformedField(f"completion is one of {', '.join(CompletionStatus)}.")
    selection = GradebookFilter(
        lms.id, _id(request, "learner"), _id(request, "activity"), _id(request, "course"), completion
    )
    with parts.query_limiter.hold(lms.id):
        body = await parts.database.lms.read(_enrollments, selection, request.query.get("since"), _limit(request))
    return web.Response(body=body, content_type="application/json")


async def get_course(request: web.Request) -> web.Response:
    """`GET /v1/courses/{course_id}?learner=…`: where a learner stands over the activities of a course."""
    parts = services(request)
    lms = await lms_of(request, request.headers.get(hdrs.AUTHORIZATION), TokenScope.READ)
    check_parameters(request, COURSE_PARAMETERS)
    learner = _id(request, "learner")
    if not learner:
        raise MalformedField("learner is needed: the id of whose standing it is. `GET /v1/enrollments` has all.")
    course = request.match_info["course_id"]
    if _IN_NO_ID.search(course) is not None:
        raise MalformedField("The course in the address has a character that no id has.")
    with parts.query_limiter.hold(lms.id):
        body = await parts.database.lms.read(_course, lms.id, learner, course)
    return web.Response(body=body, content_type="application/json")


def _course(connection: Connection, lms_id: int, learner: str, course: str) -> bytes:
    standing = gradebook.standing(connection, lms_id, learner, course)
    if standing is None:
        raise CourseUnknown("This LMS has no such learner in such a course.")
    by_activity = {row.enrollment.activity_id: row for row in standing.rows}
    listed = standing.activities or ()
    others = [activity_id for activity_id in by_activity if activity_id not in {*listed}]
    activities = [
        CourseActivity(
            activity_id,
            is_listed,
            row is not None and row.enrollment.completion_status == CompletionStatus.COMPLETED,
            None if row is None else _listed(row),
        )
        for ids, is_listed in ((listed, True), (others, False))
        for activity_id in ids
        for row in [by_activity.get(activity_id)]
    ]
    completed = sum(activity.listed and activity.completed for activity in activities)
    return msgspec.json.encode(
        CourseResponse(
            course=course,
            learner=learner,
            completed=completed == len(listed) if listed else None,
            listed_activities=len(listed),
            completed_activities=completed,
            activities=activities,
        )
    )


def _id(request: web.Request, name: str) -> str | None:
    value = request.query.get(name)
    if value is not None and _IN_NO_ID.search(value) is not None:
        raise MalformedField(f"{name} has a character that no id has.")
    return value


def _limit(request: web.Request) -> int:
    value = request.query.get("limit", f"{PAGE_SIZE}")
    if _NUMBER.fullmatch(value) is None or not 1 <= int(value) <= MAX_PAGE_SIZE:
        raise MalformedField(f"limit is a number from 1 to {MAX_PAGE_SIZE}.")
    return int(value)


def _enrollments(connection: Connection, selection: GradebookFilter, since: str | None, limit: int) -> bytes:
    try:
        page = gradebook.read_updates(connection, selection, since=since, limit=limit)
    except CursorError:
        raise MalformedField(
            "since is `next` of a response of this address; without it, the list starts at its beginning."
        ) from None
    # a page can be some hundred kilobytes: it is written here, off the event loop
    return msgspec.json.encode(
        EnrollmentsResponse(enrollments=[_listed(row) for row in page.rows], next=page.next, more=page.has_more)
    )


def _listed(row: GradebookRow) -> ListedEnrollment:
    return ListedEnrollment(**msgspec.structs.asdict(enrollment_summary(row.enrollment)), status=row.status)
