"""What every commit is applied with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from bridge.clock import NewId, Now
from bridge.commit_model.active_mappings import ActiveMapping, ActiveMappings
from bridge.metrics import Metrics
from bridge.tracing import Tracing
from bridge.webhooks.subscriptions import Subscriptions
from mappings.attempt.resuming import Resume
from mappings.definition.model import Identifier

LearnerDigest = Callable[[int, str], str]
"""Returns what stands for a learner, given an LMS's id and theirs, among those who were erased and are refused."""


def _nobody(_lms_id: int, _learner_id: str) -> str:
    """Return what stands for no learner: where nobody is ever erased, as in previews."""
    return ""


@dataclass(frozen=True)
class CommitDependencies:
    """What every commit is applied with."""

    mappings: ActiveMappings
    now: Now
    new_id: NewId
    resume: Resume = Resume.AUTO
    metrics: Metrics = field(default_factory=Metrics)
    learner_digest: LearnerDigest = _nobody
    tracing: Tracing = field(default_factory=Tracing)
    webhooks: Subscriptions = field(default_factory=Subscriptions)

    def active_mapping(self, lms_id: int) -> ActiveMapping:
        """Return the mapping in use for an LMS."""
        return self.mappings.for_lms(lms_id)

    def identifier(self, lms_id: int) -> Identifier:
        """Return what must be known of the e-mail addresses of an LMS's learners."""
        return self.mappings.for_lms(lms_id).identifier
