"""Wire formats: what LMSs and players really send, one module each, detected by what the body looks like.

To add a format, add a module with a `FORMAT` and name it in the table of `detection`.
"""

from __future__ import annotations

from bridge.formats.commit_request import CommitRequest
from bridge.formats.detection import BY_NAME, FORMATS, detect, parse_as
from bridge.formats.format import Format, FormatError, FormatRequest, FormatResponse, SessionData

__all__ = [
    "BY_NAME",
    "FORMATS",
    "CommitRequest",
    "Format",
    "FormatError",
    "FormatRequest",
    "FormatResponse",
    "SessionData",
    "detect",
    "parse_as",
]
