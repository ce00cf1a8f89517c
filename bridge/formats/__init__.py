"""Wire formats: what LMSs and players really send, one module each, recognised by what the body looks like.

To add a format, add a module with a `recognise` function and name it in `recognition`.
"""

from __future__ import annotations

from bridge.formats.post import Post
from bridge.formats.recognition import recognise

__all__ = ["Post", "recognise"]
