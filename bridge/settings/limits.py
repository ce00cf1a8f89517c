"""The settings of budgets, of rates of requests, and of the space on the disk that is reserved."""

from __future__ import annotations

from limits import parse_many
from pydantic import BaseModel, ConfigDict, Field, field_validator


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


class RecordingBudgetSettings(BaseModel):
    """What the pages of an LMS may have recorded of API calls: so much at once, and so much more each minute.

    `mib` (MiB of calls, as JSON) may come at once; what was used comes back by `mib_per_minute`. `mib = 0` is no limit.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    mib: int = Field(default=256, ge=0)
    mib_per_minute: int = Field(default=32, ge=1)

    @property
    def budget(self) -> BudgetSettings:
        """The same as a budget without a number of requests, which have rates."""
        return BudgetSettings(commits=0, commits_per_minute=1, mib=self.mib, mib_per_minute=self.mib_per_minute)


class LimitSettings(BaseModel):
    """What a session, a learner and an LMS may store, and the free space that is never used up.

    `min_free_mib` are MiB: with less free space on the database's disk, or less than a tenth of the disk if that is
    less, nothing new is stored; 0 is no limit.

    `requests_per_token` and `requests_per_lms` are rates of all requests with a token of an LMS, `reads_per_token` and
    `reads_per_lms` of those that read results: `100/second`, `6000/minute`, or several with `;` between them. Empty is
    no limit. Commits by a commit URL have no token; budgets are for them.

    `browser_requests_per_key`, `browser_requests_per_learner` and `browser_requests_per_address` are rates of what
    pages with a browser key send, commits as well: a classroom behind one address is one address. Recordings of API
    calls have the same rates, and are counted apart from all else.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    session: SessionBudgetSettings = SessionBudgetSettings()
    learner: LearnerBudgetSettings = LearnerBudgetSettings()
    lms: LmsBudgetSettings = LmsBudgetSettings()
    recordings: RecordingBudgetSettings = RecordingBudgetSettings()
    min_free_mib: int = Field(default=256, ge=0)
    requests_per_token: str = ""
    requests_per_lms: str = ""
    reads_per_token: str = "6000/minute"  # noqa: S105 -- a rate
    reads_per_lms: str = "12000/minute"
    browser_requests_per_key: str = "30000/minute"
    browser_requests_per_learner: str = "600/minute"
    browser_requests_per_address: str = "3000/minute"

    @field_validator(
        "requests_per_token",
        "requests_per_lms",
        "reads_per_token",
        "reads_per_lms",
        "browser_requests_per_key",
        "browser_requests_per_learner",
        "browser_requests_per_address",
    )
    @classmethod
    def _rates(cls, value: str) -> str:
        try:
            is_valid = not value or all(rate.amount and rate.multiples for rate in parse_many(value))
        except ValueError:
            is_valid = False
        if not is_valid:
            raise ValueError(f"{value!r} is no rate such as 100/second or 6000/minute, or several with ; between them")
        return value
