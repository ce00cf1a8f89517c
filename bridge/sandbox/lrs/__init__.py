"""A sandbox LRS: an xAPI Learning Record Store to try the bridge with and to test it against. Not for production.

It keeps everything in memory, is bounded in nothing, hands its content to anyone who asks ``/control`` and forgets
all when it stops. In return it is a strict judge of statements (every refusal says what was wrong and where), does
wrong on command (``faults``) and remembers every request that came (``ledger``).

It speaks xAPI 1.0.3 and 2.0.0 under ``/xapi/``: about, statements, activity state, activity profile and agent profile.
Not offered: the agents and activities resources, attachment bodies (multipart), the formats ``ids`` and ``canonical``,
OAuth, and sending a request as a form (the "alternate request syntax").
"""

from __future__ import annotations

from bridge.sandbox.lrs.app import create_lrs
from bridge.sandbox.lrs.documents import DOCUMENTS, Document, DocumentStore
from bridge.sandbox.lrs.faults import FAULTS, FaultRule, Faults, Match
from bridge.sandbox.lrs.ledger import LEDGER, Arrival, Ledger
from bridge.sandbox.lrs.page import LINKS
from bridge.sandbox.lrs.store import STATEMENTS, LrsStatement, StatementStore
from mappings.xapi.validation import Edition

__all__ = [
    "DOCUMENTS",
    "FAULTS",
    "LEDGER",
    "LINKS",
    "STATEMENTS",
    "Arrival",
    "Document",
    "DocumentStore",
    "Edition",
    "FaultRule",
    "Faults",
    "Ledger",
    "LrsStatement",
    "Match",
    "StatementStore",
    "create_lrs",
]
