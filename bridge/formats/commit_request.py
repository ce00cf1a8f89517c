"""A commit as it was posted, before anybody knows what format it is in."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class RequestMetadata(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What the journal keeps of a post beside its body and content type: as in `CommitRequest`."""

    query: Mapping[str, str] = {}
    no_cors: bool = False


class CommitRequest(msgspec.Struct, frozen=True, gc=False):
    """What a request carried. `query` holds the address's parameters but for those of the bridge itself."""

    body: bytes
    content_type: str = ""
    query: Mapping[str, str] = {}
    no_cors: bool = False

    @property
    def beacon(self) -> bool:
        """Return whether a browser sent it as a beacon: plain text, or without any cross-origin ceremony."""
        return self.no_cors or self.content_type.startswith("text/plain")

    @property
    def metadata(self) -> str | None:
        """Return what came beside the body and says something of it, as JSON for the journal; None for nothing."""
        if not self.query and not self.no_cors:
            return None
        return msgspec.json.encode(RequestMetadata(self.query, self.no_cors)).decode()

    @property
    def has_final_flag(self) -> bool:
        """Return whether a parameter of the address says `true`: players can be told to mark their last commit so."""
        return any(value == "true" for value in self.query.values())
