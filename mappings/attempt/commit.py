"""A commit as the wire formats hand it over, and what became of it."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from mappings.cmi.parser import ParsedCmi
from mappings.cmi.snapshot import ScormVersion
from mappings.cmi.tree import Tree
from mappings.cmi.warnings import CmiWarning


class Disposition(StrEnum):
    """How a commit was classified. What is stale or late is kept: it fills gaps and may raise a status, no more."""

    APPLIED = "applied"
    """It was merged."""
    DUPLICATE = "duplicate"
    """It is an earlier commit once more."""
    STALE = "stale"
    """It is older than one that was applied."""
    LATE = "late"
    """It came after its session had ended."""
    SUPERSEDED = "superseded"
    """A page sent it, and the LMS's server has a session of the attempt, whose word counts."""


class Commit(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One CMI commit, whatever wire format it came in.

    Attributes:
        wire_format: name of the format it was recognised as.
        tree: `{"cmi": {…}}` and perhaps `{"adl": {…}}`, nested.
        scorm_version: as the client declared it, if it did.
        full: the client always sends all it knows; a commit that knows less than an earlier one is then older.
        echoes: the client sends everything it holds each time, what it was merely loaded with and what was never set
            included: an empty value then says little. Of any other client it is what the content set.
        sequence: the client's own count of its commits.
        restarts: the client counts anew each time its page is loaded: a number can come again with other content.
        terminated: True when the client said that this is the session's last commit, False when it said it is not, None
            when its format cannot say.
        settled: what it says is said to the end. Clients that post one element at a time may be in the middle of an
            interaction or a score.
        beacon: arrived as a browser's beacon, as the last commit of a closing page does.
        committed_at: milliseconds since the epoch by the client's account.
        warnings: what of the request beside its CMI data could not be used, or not as it was sent.
        tells_package_time: its total time is that of all SCOs of a package, not of the one whose values it has.
    """

    wire_format: str
    tree: Tree
    scorm_version: ScormVersion | None = None
    full: bool = False
    echoes: bool = False
    sequence: int | None = None
    restarts: bool = False
    terminated: bool | None = None
    settled: bool = True
    beacon: bool = False
    committed_at: int | None = None
    warnings: tuple[CmiWarning, ...] = ()
    tells_package_time: bool = False

    @property
    def is_counted(self) -> bool:
        """Return whether `sequence` is the client's count, and not a time that puts its commits in order."""
        return self.sequence is not None and self.sequence != self.committed_at


class ReceivedCommit(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A commit that has arrived, read and ready to be judged.

    Attributes:
        commit: as its wire format told it.
        reading: what its CMI says.
        digest: of the bytes received, as hexadecimal.
        received_at: milliseconds since the epoch.
        idempotency_key: as the client gave it, if it did.
    """

    commit: Commit
    parsed_cmi: ParsedCmi
    digest: str
    received_at: int
    idempotency_key: str | None = None


class PriorCommit(msgspec.Struct, frozen=True, gc=False):
    """What the journal knows of an earlier commit of the session that this one may repeat."""

    number: int
    digest: str
    sequence: int | None = None
    idempotency_key: str | None = None
