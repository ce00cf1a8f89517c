"""What every commit is worked out with."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.clock import NewId, Now
from bridge.commit_model.active_mappings import ActiveMapping, ActiveMappings
from mappings.attempt.resuming import Resume
from mappings.definition.model import Identifier


@dataclass(frozen=True)
class CommitDependencies:
    """What every commit is worked out with."""

    versions: ActiveMappings
    now: Now
    new_id: NewId
    resume: Resume = "auto"

    def mapping(self, lms_id: int) -> ActiveMapping:
        """Return the version that holds for an LMS."""
        return self.versions.of(lms_id)

    def identifier(self, lms_id: int) -> Identifier:
        """Return how an LMS's learners are known in statements."""
        return self.versions.of(lms_id).mapping.definition.actor.identifier
