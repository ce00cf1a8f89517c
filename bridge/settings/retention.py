"""The settings of how long what is stored stays."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

MIN_COMMIT_DAYS = 14
"""Twice as long as a commit URL is valid by default: players that were offline send their commits again."""
MIN_AUDIT_LOG_DAYS = 30
MAX_DAYS = 36_500


class RetentionSettings(BaseModel):
    """After how many days something is deleted; what is not set stays as long as the database.

    `commits` empties raw commits: their bodies and responses. What they came to stays, and so does what a repeated
    commit is known by, but they cannot be explained, replayed or re-issued any more. `deliveries` deletes delivered and
    discarded deliveries of such commits, `tries` requests to LRSs and their answers (by default with `deliveries`),
    `refusals` refused requests, and `audit_log` what people did.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    commits: int | None = Field(default=None, ge=MIN_COMMIT_DAYS, le=MAX_DAYS)
    deliveries: int | None = Field(default=None, ge=MIN_COMMIT_DAYS, le=MAX_DAYS)
    tries: int | None = Field(default=None, ge=1, le=MAX_DAYS)
    refusals: int | None = Field(default=None, ge=1, le=MAX_DAYS)
    audit_log: int | None = Field(default=None, ge=MIN_AUDIT_LOG_DAYS, le=MAX_DAYS)

    @model_validator(mode="after")
    def _validate_order(self) -> Self:
        if self.deliveries is not None and (self.commits is None or self.deliveries < self.commits):
            raise ValueError(
                "deliveries must be kept at least as long as commits: as long as a commit can be re-issued, it must be"
                " known which LRSs have its statements. Set commits, to no more than deliveries"
            )
        return self
