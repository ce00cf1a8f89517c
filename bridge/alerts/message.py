"""The news of alerts as a message: for people, and as JSON for programs. Neither names a learner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bridge.alerts.conditions import TEXTS
from bridge.settings import AlertCondition
from mappings.xapi.timestamps import rfc3339
from storage.states import AlertEvent

GUIDE = "docs/alerts.md"
"""Where people find cause, check and remedy of each condition."""
MAX_NAMED = 3
"""Changes that a subject line names."""


class AlertNews(NamedTuple):
    """The beginning or end of an alert. Times are milliseconds since the epoch."""

    condition: str
    subject: str
    event: AlertEvent
    at: int
    since: int
    detail: str

    @property
    def summary(self) -> str:
        """Return what has begun, or what is over, as a sentence without a full stop."""
        text = TEXTS[AlertCondition(self.condition)].summary.format(self.subject)
        return f"Resolved: {text[:1].lower()}{text[1:]}" if self.event is AlertEvent.ENDED else text

    @property
    def remedy(self) -> str:
        """Return what to do."""
        return TEXTS[AlertCondition(self.condition)].remedy


class AlertMessage(NamedTuple):
    """All news for a channel at a time; none where it is a test.

    `key` is the same for each try; `address` is where the bridge is reached.
    """

    key: str
    news: Sequence[AlertNews]
    address: str

    @property
    def title(self) -> str:
        """Return a line."""
        named = "; ".join(item.summary for item in self.news[:MAX_NAMED]) or "This is a test"
        more = len(self.news) - MAX_NAMED
        line = f"[scorm-bridge] {named}" + (f"; and {more} more" if more > 0 else "")
        # a name must not begin another header
        return " ".join(line.split())

    @property
    def text(self) -> str:
        """Return all of it for people."""
        paragraphs = [self._paragraph(item) for item in self.news]
        if not paragraphs:
            paragraphs.append("This is a test: alerts of the bridge arrive here.")
        if self.address:
            paragraphs.append(f"{self.address}/audit/")
        return "\n\n".join(paragraphs) + "\n"

    def as_object(self) -> dict[str, object]:
        """Return all of it for programs."""
        return {
            "bridge": self.address,
            "alerts": [
                {
                    "condition": item.condition,
                    "subject": item.subject,
                    "event": item.event,
                    "at": rfc3339(item.at),
                    "since": rfc3339(item.since),
                    "summary": item.summary,
                    "detail": item.detail,
                    "remedy": item.remedy,
                }
                for item in self.news
            ],
        }

    @staticmethod
    def _paragraph(item: AlertNews) -> str:
        if item.event is AlertEvent.ENDED:
            return f"{item.summary}.\nIt began {rfc3339(item.since)} and ended {rfc3339(item.at)}."
        lines = [f"{item.summary}.", f"Since {rfc3339(item.since)}: {item.detail}.", item.remedy]
        return "\n".join([*lines, f"See {GUIDE}, {item.condition}."])
