"""The settings of budgets, and of the space on the disk that is reserved."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class BudgetSettings(BaseModel):
    """How much one session, learner or LMS may store: so much at once, and so much more each minute.

    `commits` and `mib` (MiB of bodies, unpacked) may come at once, as from a player that was offline; what was used
    comes back by `commits_per_minute` and `mib_per_minute`. `commits = 0` or `mib = 0` is no limit.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    commits: int = Field(ge=0)
    commits_per_minute: int = Field(ge=1)
    mib: int = Field(ge=0)
    mib_per_minute: int = Field(ge=1)


class SessionBudgetSettings(BudgetSettings):
    """A session: a snapshot of 100 KiB each second for ever, and an hour of smaller ones (18 KiB) at once."""

    commits: int = Field(default=3600, ge=0)
    commits_per_minute: int = Field(default=300, ge=1)
    mib: int = Field(default=64, ge=0)
    mib_per_minute: int = Field(default=12, ge=1)


class LearnerBudgetSettings(BudgetSettings):
    """A learner: four such sessions at the same time."""

    commits: int = Field(default=14_400, ge=0)
    commits_per_minute: int = Field(default=1200, ge=1)
    mib: int = Field(default=256, ge=0)
    mib_per_minute: int = Field(default=48, ge=1)


class LmsBudgetSettings(BudgetSettings):
    """An LMS: twice what one process can store in commits, and what a busy disk can take in bytes."""

    commits: int = Field(default=600_000, ge=0)
    commits_per_minute: int = Field(default=300_000, ge=1)
    mib: int = Field(default=4096, ge=0)
    mib_per_minute: int = Field(default=2048, ge=1)


class LimitSettings(BaseModel):
    """What a session, a learner and an LMS may store, and the free space that is never used up.

    `min_free_mib` are MiB: with less free space on the database's disk, or less than a tenth of the disk if that is
    less, nothing new is stored; 0 is no limit.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    session: SessionBudgetSettings = SessionBudgetSettings()
    learner: LearnerBudgetSettings = LearnerBudgetSettings()
    lms: LmsBudgetSettings = LmsBudgetSettings()
    min_free_mib: int = Field(default=256, ge=0)
