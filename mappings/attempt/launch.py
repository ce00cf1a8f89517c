"""What an LMS gives a session when it opens it: SCORM's launch data, which in an LMS stands in the manifest."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from mappings.cmi.snapshot import Number, ScormVersion

Mode = Literal["browse", "normal", "review"]
Credit = Literal["credit", "no-credit"]


Source = Literal["server", "browser", "import"]
SERVER: Source = "server"
"""The LMS's server opened the session."""
BROWSER: Source = "browser"
"""A page of the LMS did: whoever has its key can forge what it says."""
IMPORTED: Source = "import"
"""It is of an LMS's stored history."""

RECORDED_MODES = frozenset({None, "normal"})
"""Modes in which commits count: a review or a browse records nothing (SCORM 2004 RTE 4.2.11)."""


_OF_CONTENT = (
    "mastery_score",
    "scaled_passing_score",
    "completion_threshold",
    "launch_data",
    "max_time_allowed",
    "time_limit_action",
)


class LaunchData(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """Launch data by SCORM's names. None is what the LMS left out: the content's or the player's word then holds.

    `mastery_score` is SCORM 1.2's raw score (`cmi.student_data.mastery_score`), `scaled_passing_score` SCORM 2004's
    (-1 to 1), `completion_threshold` a progress measure (0 to 1). `registration` is the LMS's own UUID of the learner
    in the course, which it gave with this session or before. `of_package` says that another session of the same launch
    stands for the package: the package's total time is not this session's. `source` is who opened the session.
    `joins` says of a server's session that it is of the launch which a page had sent commits of before.
    """

    scorm_version: ScormVersion | None = None
    mode: Mode | None = None
    credit: Credit | None = None
    mastery_score: Number | None = None
    scaled_passing_score: Number | None = None
    completion_threshold: Number | None = None
    launch_data: str | None = None
    max_time_allowed: str | None = None
    time_limit_action: str | None = None
    registration: str | None = None
    of_package: bool = False
    source: Source = SERVER
    joins: bool = False

    @property
    def records(self) -> bool:
        """Return whether the session is to record anything."""
        return self.mode in RECORDED_MODES

    def content_fields(self) -> dict[str, Any]:
        """Return what was given of the content, by the names of snapshot fields."""
        if (
            self.mastery_score is self.scaled_passing_score is self.completion_threshold is None
            and self.launch_data is self.max_time_allowed is self.time_limit_action is None
        ):
            return {}
        return {name: value for name in _OF_CONTENT if (value := getattr(self, name)) is not None}


NO_LAUNCH_DATA = LaunchData()
