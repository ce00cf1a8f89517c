"""What a format is: how its bodies are told from others, what they ask for, and what its client is answered."""

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

SUCCEEDED = {"result": True, "errorCode": 0}
_SHARED = frozenset({"suspend_data", "launch_data", "objectives", "interactions", "comments_from_lms", "_version"})


class FormatRequest(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a client wants with one post.

    Attributes:
        commit: to be stored; None where there is nothing to store.
        requested: elements whose values are asked for, none for all of them; None where nothing is asked. What a
            session holds is looked up wherever nothing is stored, so that an unknown session is refused.
        version: of the words the answer is to be in, if the client shows it.
        count: how many things have to be answered.
        command: the client's own word for the call, in lower case.
        payload: what is to be kept in the journal where that is not the body as posted (passwords are not).
        sco: whose values the commit has, from a player that posts all SCOs of a package to one address.
        others: the commits of other SCOs in the same post.
    """

    commit: Commit | None = None
    requested: tuple[str, ...] | None = None
    version: ScormVersion | None = None
    count: int = 1
    command: str = ""
    payload: bytes | None = None
    sco: str = ""
    others: tuple[FormatRequest, ...] = ()


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


def json_response(call: FormatRequest, answer: bytes | None, state: SessionData | None) -> FormatResponse:
    """Return the bridge's own answer: that of a commit, or the CMI data that was asked for."""
    if answer is not None:
        return FormatResponse(answer)
    if call.requested is None or state is None:
        return FormatResponse(msgspec.json.encode(SUCCEEDED))
    return FormatResponse(msgspec.json.encode(SUCCEEDED | {"cmi": state.cmi}))


Detector = Callable[[CommitRequest, Body], FormatRequest | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One wire format.

    Attributes:
        name: as in its door's address.
    description: what its bodies look like, in words that finish the sentence «it takes …».
        detect: gives the call of a body in this format, None for any other body. Raises BridgeError for one that is
            in this format, but broken.
        read: the same for its own door, where a body need not be told from those of other formats.
        reply: gives what the client is answered, of the call, the answer to its commit as JSON (None where nothing was
            stored) and what the session holds (None where something was).
        refusal: gives what the client is answered when something was wrong, of the error and the call, as far as it
            could be read. None is the bridge's own problem JSON.
    """

    name: str
    description: str
    detect: Detector
    read: Detector | None = None
    reply: Callable[[FormatRequest, bytes | None, SessionData | None], FormatResponse] = json_response
    refusal: Callable[[BridgeError, FormatRequest | None], FormatResponse] | None = None


class FormatError(MalformedBody):
    """A body that is broken, of a known format: its client is refused in that format, for this `reason`."""

    def __init__(self, reason: BridgeError, found: Format) -> None:
        super().__init__(reason.detail)
        self.reason = reason
        self.format = found


def requested_version(names: Iterable[str]) -> ScormVersion | None:
    """Derive from elements that are asked for which version's words are meant."""
    for name in names:
        group = name.split(".")[1:2]
        if group and (group[0] in {"core", "comments"} or group[0].startswith("student_")):
            return "1.2"
        if group and group[0] not in _SHARED:
            return "2004"
    return None
