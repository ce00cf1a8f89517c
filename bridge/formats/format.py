"""What a format is: how its bodies are detected and parsed, and what its client gets back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from bridge.errors import BridgeError, MalformedBody
from bridge.formats.body import Body
from bridge.formats.commit_request import CommitRequest
from mappings.attempt.commit import Commit
from mappings.cmi.snapshot import ScormVersion
from mappings.cmi.tree import Tree, items, scalar

MAX_SCO_ID_LENGTH = 250
"""Characters of a SCO's id."""
SUCCEEDED = {"result": True, "errorCode": 0}
_SHARED = frozenset({"suspend_data", "launch_data", "objectives", "interactions", "comments_from_lms", "_version"})


class FormatRequest(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a client wants with one request.

    Attributes:
        commit: to be stored; None where there is nothing to store.
        requested: elements whose values are asked for, none for all of them; None where nothing is asked. What a
            session holds is looked up wherever nothing is stored, so that an unknown session is refused.
        version: of the words the response is to be in, if the client shows it.
        count: how many things the response has to have results of.
        command: the client's own word for the call, in lower case.
        payload: what is to be kept in the journal where that is not the body as posted (passwords are not).
        sco: whose values the commit has, from a player that posts all SCOs of a package to one address.
        others: the commits of other SCOs in the same request.
        package_status: how the player counts the whole package, where the response has to repeat it.
        learner, course, launch: who the body says the learner is, in which course, and what tells this launch from
            others. Whoever posts it can say anything: they count only in what an LMS's own proxy mirrors.
    """

    commit: Commit | None = None
    requested: tuple[str, ...] | None = None
    version: ScormVersion | None = None
    count: int = 1
    command: str = ""
    payload: bytes | None = None
    sco: str = ""
    others: tuple[FormatRequest, ...] = ()
    package_status: int | None = None
    learner: str = ""
    course: str = ""
    launch: str = ""


class SessionData(msgspec.Struct, frozen=True, gc=False):
    """What a session holds: the tree below `cmi` that its player is loaded with, and the attempt's interactions."""

    cmi: Tree
    interactions: Mapping[str, Any]

    def value(self, name: str) -> str:
        """Return the value of an element (`cmi.core.lesson_status`), empty where it has none."""
        first, *path = name.split(".")
        here: Any = self.cmi | {"interactions": self.interactions} if first == "cmi" else {}
        for part in path:
            if part == "_count":
                numbers = [int(index) for index in items(here)]
                return str(max(numbers, default=-1) + 1)
            here = here.get(part) if isinstance(here, dict) else None
        return scalar(here) or ""


class FormatResponse(msgspec.Struct, frozen=True, gc=False):
    """What a client gets back."""

    body: bytes
    content_type: str = "application/json"
    status: int = 200


def json_response(
    format_request: FormatRequest, commit_response: bytes | None, data: SessionData | None
) -> FormatResponse:
    """Return the bridge's own response: that to a commit, or the CMI data that was asked for."""
    if commit_response is not None:
        return FormatResponse(commit_response)
    if format_request.requested is None or data is None:
        return FormatResponse(msgspec.json.encode(SUCCEEDED))
    return FormatResponse(msgspec.json.encode(SUCCEEDED | {"cmi": data.cmi}))


Detector = Callable[[CommitRequest, Body], FormatRequest | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One wire format.

    Attributes:
        name: as in its address.
        description: what its bodies look like, in words that finish the sentence «it takes …».
        detect: returns what a body in this format asks for, None for any other body. Raises BridgeError for one that is
            in this format, but broken.
        parse: the same for its own address, where a body need not be distinguished from those of other formats.
        respond: returns what the client gets, from what it asked for, the response to its commit as JSON (None where
            nothing was stored) and what the session holds (None where something was).
        respond_error: returns what the client gets when something was wrong, from the error and what it asked for, as
            far as that could be parsed. None is the bridge's own problem JSON.
    """

    name: str
    description: str
    detect: Detector
    parse: Detector | None = None
    respond: Callable[[FormatRequest, bytes | None, SessionData | None], FormatResponse] = json_response
    respond_error: Callable[[BridgeError, FormatRequest | None], FormatResponse] | None = None


class FormatError(MalformedBody):
    """A body that is broken, of a known format: its client gets the error in that format, for this `reason`."""

    def __init__(self, reason: BridgeError, wire_format: Format) -> None:
        super().__init__(reason.detail)
        self.reason = reason
        self.format = wire_format


def checked_sco_id(value: object, where: str) -> str:
    """Return a SCO's id without blanks around it, empty where there is none.

    Raises:
        MalformedBody: it is too long or has control characters; the message begins with `where` it stands.
    """
    sco = (scalar(value) or "").strip()
    if len(sco) > MAX_SCO_ID_LENGTH or not sco.isprintable():
        raise MalformedBody(
            f"{where} has no usable id of a SCO: it must have at most {MAX_SCO_ID_LENGTH} characters, and no control"
            " characters."
        )
    return sco


def requested_version(names: Iterable[str]) -> ScormVersion | None:
    """Return the version whose words are meant by the elements that are asked for, None where both have them."""
    for name in names:
        group = name.split(".")[1:2]
        if group and (group[0] in {"core", "comments"} or group[0].startswith("student_")):
            return "1.2"
        if group and group[0] not in _SHARED:
            return "2004"
    return None
