"""Wire formats: what LMSs and players really send, one module each, recognised by what the body looks like.

To add a format, add a module with a `FORMAT` and name it in the table of `recognition`.
"""

from __future__ import annotations

from bridge.formats.format import Call, Format, Reply, State, Unreadable
from bridge.formats.post import Post
from bridge.formats.recognition import BY_NAME, FORMATS, read, recognise

__all__ = ["BY_NAME", "FORMATS", "Call", "Format", "Post", "Reply", "State", "Unreadable", "read", "recognise"]
