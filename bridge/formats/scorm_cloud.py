"""SCORM Cloud's registration postbacks (API v2, JSON): results already rolled up, posted when they change.

A registration's instance is an attempt in one session. Where the postback has the full run-time data of a course with
one SCO, its values are taken; else those of the registration. `exit` is not: the next instance begins anew, however
this one was left.

Sources: the models of Rustici's `rustici-software-cloud-v2`. Its `ScoreSchema.scaled` is documented as 0 to 100, the
run-time data's `scoreScaled` is SCORM's -1 to 1. As no live account was seen, any scaled value above 1 is taken as per
cent and any other as it is.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import msgspec
from msgspec.structs import replace

from bridge.errors import MalformedBody
from bridge.formats import native
from bridge.formats.body import Body, unwrap
from bridge.formats.commit_request import CommitRequest
from bridge.formats.format import Format, FormatRequest
from mappings.attempt.commit import Commit
from mappings.cmi.times import CENTISECONDS, MAX_TIME, duration
from mappings.cmi.tree import MAX_ITEMS, Tree, scalar
from mappings.cmi.values import BadValue, number

POSTBACK_FIELD = "registrationCompletion"
"""The field that every postback has, and nothing else."""

_NAMESPACE = uuid.UUID("5d1f3c1e-7c0b-5c0a-9a4e-0b6c6a3f2d11")
_MAX_DEPTH = 20
_TYPES = {
    "truefalse": "true-false",
    "choice": "choice",
    "fillin": "fill-in",
    "longfillin": "long-fill-in",
    "likert": "likert",
    "matching": "matching",
    "performance": "performance",
    "sequencing": "sequencing",
    "numeric": "numeric",
}


def find_postback(body: Body) -> Body | None:
    """Return the postback in a body: itself, or what is in a field of a form. None where there is none."""
    return next((candidate for candidate in chain((body,), unwrap(body)) if _is_postback(candidate)), None)


def parse_launch(content: dict[str, Any], *, lms_id: int) -> native.LaunchRequest:
    """Return what a postback's session is opened with; the session's id is always the same for an instance.

    Raises:
        MalformedBody: registration, learner or course is missing.
        MalformedField: an id has something that no id has.
    """
    registration, learner, course = scalar(content.get("id")), _group(content, "learner"), _group(content, "course")
    course_id = scalar(course.get("id"))
    if not registration or not scalar(learner.get("id")) or not course_id:
        raise MalformedBody("The postback lacks one of the registration's id, learner.id and course.id.")
    names = [scalar(learner.get(part)) for part in ("firstName", "lastName")]
    title = scalar(course.get("title"))
    opening = native.parse_launch(
        {
            "learner": {
                "id": scalar(learner.get("id")),
                "name": " ".join(filter(None, names)),
                "email": scalar(learner.get("email")),
            },
            "activity": {"id": course_id, "name": title},
            "course": {"id": course_id, "name": title},
        },
        lms_id=lms_id,
    )
    instance = scalar(content.get("instance")) or "0"
    return opening._replace(
        launch=replace(opening.launch, fresh=True),
        session_id=str(uuid.uuid5(_NAMESPACE, f"{lms_id}\n{registration}\n{instance}")),
    )


def _detect(_request: CommitRequest, body: Body) -> FormatRequest | None:
    if not _is_postback(body):
        return None
    updated = _milliseconds(body.json.get("updated"))
    commit = Commit(
        wire_format="scorm-cloud",
        tree=_tree(body.json),
        # postbacks are repeated and may overtake each other; the time of the change puts them in order
        sequence=updated,
        committed_at=updated,
        terminated=False,
    )
    # a form has the password in it, which has no place in the journal
    payload = msgspec.json.encode(body.json) if body.wrapper else None
    return FormatRequest(commit=commit, payload=payload)


def _is_postback(body: Body) -> bool:
    return isinstance(body.json, dict) and POSTBACK_FIELD in body.json


def _tree(content: dict[str, Any]) -> Tree:
    scos = list(_runtimes(content.get("activityDetails"), 0))
    runtime = scos[0] if len(scos) == 1 else {}
    scaled = scalar(runtime.get("scoreScaled"))
    score = {
        "scaled": _share(scaled or _group(content, "score").get("scaled")),
        **{part: runtime.get(f"score{part.title()}") for part in ("raw", "min", "max")},
    }
    cmi: Tree = {
        "completion_status": _lower(content.get("registrationCompletion")),
        "success_status": _lower(content.get("registrationSuccess")),
        "progress_measure": _share(content.get("registrationCompletionAmount")),
        "score": {part: value for part, value in score.items() if value not in (None, "")},
        "total_time": _time(content.get("totalSecondsTracked")) or runtime.get("totalTime"),
        "location": runtime.get("location"),
        "suspend_data": runtime.get("suspendData"),
        "credit": _lower(runtime.get("credit")),
        "mode": _lower(runtime.get("mode")),
        "interactions": _collected(scos, "runtimeInteractions", _interaction),
        "objectives": _collected(scos, "runtimeObjectives", _objective),
        "comments_from_learner": _collected(scos, "learnerComments", _comment),
    }
    return {"cmi": {name: value for name, value in cmi.items() if value not in (None, "", {})}}


def _runtimes(activity: Any, depth: int) -> Iterator[dict[str, Any]]:
    if not isinstance(activity, dict) or depth > _MAX_DEPTH:
        return
    if isinstance(activity.get("runtime"), dict):
        yield activity["runtime"]
    children = activity.get("children")
    for child in children if isinstance(children, list) else ():
        yield from _runtimes(child, depth + 1)


def _collected(scos: list[dict[str, Any]], name: str, read: Any) -> Tree:
    """Return all SCOs' items in one collection.

    Each SCO has numbers of its own, which stay when another one's grow, as far as there are enough for all of them;
    where there are not, the collection is longer than is kept, which its reader warns of.
    """
    collected: Tree = {}
    lists = [parts if isinstance(parts := runtime.get(name), list) else [] for runtime in scos]
    width = MAX_ITEMS // max(1, len(scos))
    apart = all(len(parts) <= width for parts in lists)
    start = 0
    for place, parts in enumerate(lists):
        first = place * width if apart else start
        for index, part in enumerate(parts):
            if isinstance(part, dict):
                item = read(part)
                collected[str(first + index)] = {key: value for key, value in item.items() if value}
        start += len(parts)
    return collected


def _interaction(part: dict[str, Any]) -> Tree:
    kind = scalar(part.get("type")) or ""
    return {
        "id": scalar(part.get("id")),
        "type": _TYPES.get(kind.lower().replace("-", ""), "other"),
        "learner_response": scalar(part.get("learnerResponse")),
        "result": _lower(part.get("result")),
        "timestamp": scalar(part.get("timestampUtc")) or scalar(part.get("timestamp")),
        "weighting": scalar(part.get("weighting")),
        "latency": scalar(part.get("latency")),
        "description": scalar(part.get("description")),
        "objectives": _numbered(part.get("objectives"), "id"),
        "correct_responses": _numbered(part.get("correctResponses"), "pattern"),
    }


def _objective(part: dict[str, Any]) -> Tree:
    scores = {name: scalar(part.get(f"score{name.title()}")) for name in ("scaled", "raw", "min", "max")}
    return {
        "id": scalar(part.get("id")),
        "success_status": _lower(part.get("runtimeObjectiveSuccessStatus")),
        "completion_status": _lower(part.get("runtimeObjectiveCompletionStatus")),
        "progress_measure": scalar(part.get("progressMeasure")),
        "description": scalar(part.get("description")),
        "score": {name: value for name, value in scores.items() if value},
    }


def _comment(part: dict[str, Any]) -> Tree:
    return {
        "comment": scalar(part.get("value")),
        "location": scalar(part.get("location")),
        "timestamp": scalar(part.get("dateTime")),
    }


def _numbered(parts: Any, name: str) -> Tree:
    texts = [scalar(part) for part in parts[:MAX_ITEMS]] if isinstance(parts, list) else []
    return {str(index): {name: text} for index, text in enumerate(texts) if text}


def _group(content: dict[str, Any], name: str) -> dict[str, Any]:
    group = content.get(name)
    return group if isinstance(group, dict) else {}


def _lower(value: Any) -> str | None:
    text = scalar(value)
    return None if text is None else text.lower()


def _share(value: Any) -> Any:
    """Return a share of 1; a number above 1 is one of 100."""
    text = scalar(value)
    try:
        share = number(text) if text else None
    except BadValue:
        return text
    return round(share / 100, 6) if share is not None and 1 < share <= 100 else share


def _time(seconds: Any) -> str | None:
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        return None
    return duration(round(seconds * CENTISECONDS)) if 0 < seconds * CENTISECONDS <= MAX_TIME else None


def _milliseconds(text: Any) -> int | None:
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else None
        if at is None:
            return None
        return max(0, int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000))
    except (ValueError, OverflowError):
        return None


FORMAT = Format(
    name="scorm-cloud",
    description='registration postbacks: {"id": …, "registrationCompletion": …, "learner": {…}, "course": {…}}',
    detect=_detect,
)
