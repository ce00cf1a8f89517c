"""The settings of how long what is stored stays."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

MIN_COMMIT_DAYS = 14
"""Twice as long as a commit URL is valid by default: players that were offline send their commits again."""
MIN_AUDIT_LOG_DAYS = 30
MAX_DAYS = 36_500


class RetentionSettings(BaseModel):
    """After how many days something is deleted; 0, the default, for never.

    `commits` (at least 14) empties raw commits: their bodies and responses. What they came to stays, and so does what a
    repeated commit is known by, but they cannot be explained, replayed or re-issued any more. `deliveries` (at least
    `commits`) deletes delivered and discarded deliveries of such commits, `tries` requests to LRSs and their answers
    (by default with `deliveries`), `webhooks` events that LMSs have taken, `recordings` calls that pages have recorded,
    `refusals` refused requests, and `audit_log` (at least 30) what people did.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    commits: int = Field(default=0, ge=0, le=MAX_DAYS)
    deliveries: int = Field(default=0, ge=0, le=MAX_DAYS)
    tries: int = Field(default=0, ge=0, le=MAX_DAYS)
    webhooks: int = Field(default=0, ge=0, le=MAX_DAYS)
    recordings: int = Field(default=0, ge=0, le=MAX_DAYS)
    refusals: int = Field(default=0, ge=0, le=MAX_DAYS)
    audit_log: int = Field(default=0, ge=0, le=MAX_DAYS)

    @model_validator(mode="after")
    def _validate(self) -> Self:
        if 0 < self.commits < MIN_COMMIT_DAYS:
            raise ValueError(f"commits must be at least {MIN_COMMIT_DAYS}: players that were offline send theirs again")
        if 0 < self.audit_log < MIN_AUDIT_LOG_DAYS:
            raise ValueError(f"audit_log must be at least {MIN_AUDIT_LOG_DAYS}")
        if self.deliveries and not 0 < self.commits <= self.deliveries:
            raise ValueError(
                "deliveries must be kept at least as long as commits: as long as a commit can be re-issued, it must be"
                " known which LRSs have its statements. Set commits, to no more than deliveries"
            )
        return self
