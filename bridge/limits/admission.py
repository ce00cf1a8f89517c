"""Admission control: whether something may be stored, decided in memory before it waits for the writer."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import NoReturn

import structlog

from bridge.access import CommitOwner
from bridge.clock import Monotonic
from bridge.errors import DiskLow, LearnerOverLimit, LmsOverLimit, OverLimit, SessionOverLimit
from bridge.limits.budgets import Budget
from bridge.limits.disk_space import DiskSpace
from bridge.settings import LimitSettings
from bridge.system_alarms import AlarmCode, SystemAlarms

log = structlog.get_logger(__name__)

ALARM_DURATION = 600
"""Seconds for which the alarm stays after the last refusal."""
LOG_INTERVAL = 60
"""Seconds without a refusal after which the next one of the same client is logged again."""
MAX_TAGS = 4_096
MAX_LOGGED_CLIENTS = 1_000
"""Clients whose refusals are remembered."""
DISK_RETRY_AFTER = 30
MAX_RETRY_AFTER = 3600

_HELP = "Wait as Retry-After says, then send the same request again; [limits] in the settings has the budgets."


class Admission:
    """Refuses what is over a budget, and everything while the disk is nearly full.

    `learner_tag` makes the key of a learner's bucket of an LMS's id and the learner's, as commit URLs have it.
    """

    def __init__(
        self,
        settings: LimitSettings,
        disk: DiskSpace,
        alarms: SystemAlarms,
        learner_tag: Callable[[int, str], str],
        monotonic: Monotonic,
    ) -> None:
        self._sessions = Budget(settings.session)
        self._learners = Budget(settings.learner)
        self._lmss = Budget(settings.lms)
        self._disk = disk
        self._alarms = alarms
        # the same learners come again and again, and a tag costs as much as a look into a budget
        self._learner_tag = lru_cache(MAX_TAGS)(learner_tag)
        self._monotonic = monotonic
        self._logged: OrderedDict[Hashable, float] = OrderedDict()

    def admit(
        self,
        size: int,
        *,
        session_id: str | None,
        lms_id: int | None,
        learner_id: str | None,
        owner: CommitOwner | None = None,
    ) -> None:
        """Admit a commit of `size` bytes, or a session to open, and take it out of the budgets.

        `owner` is the LMS and the learner's tag, where a commit URL's token says them; else `lms_id` and `learner_id`
        are who is asked for, as far as known.

        Raises:
            DiskLow: the disk is nearly full.
            OverLimit: a budget is used up; nothing is taken out of any.
        """
        if self._disk.is_low:
            raise DiskLow(
                "Nothing was stored: the disk of the database is nearly full. Try again later; who runs the bridge has"
                " to make room.",
                retry_after=DISK_RETRY_AFTER,
            )
        tag: str | None
        if owner is not None:
            lms_id, tag = owner.lms_id, owner.learner_tag
        else:
            tag = None if lms_id is None or learner_id is None else self._learner_tag(lms_id, learner_id)
        now = self._monotonic()
        if session_id is not None and (wait := self._sessions.use(session_id, size, now)):
            self._refuse("session", SessionOverLimit, session_id, wait)
        if tag is not None and (wait := self._learners.use(tag, size, now)):
            if session_id is not None:
                self._sessions.give_back(session_id, size)
            self._refuse("learner", LearnerOverLimit, tag, wait)
        if lms_id is not None and (wait := self._lmss.use(lms_id, size, now)):
            if session_id is not None:
                self._sessions.give_back(session_id, size)
            if tag is not None:
                self._learners.give_back(tag, size)
            self._refuse("LMS", LmsOverLimit, lms_id, wait)

    def _refuse(self, kind: str, refusal: type[OverLimit], key: Hashable, wait: float) -> NoReturn:
        self._log_refusal(kind, key)
        seconds = min(math.ceil(wait), MAX_RETRY_AFTER)
        raise refusal(f"This {kind} sends more than it may. {_HELP}", retry_after=seconds)

    def _log_refusal(self, kind: str, key: Hashable) -> None:
        who, now = (kind, key), self._monotonic()
        earlier = self._logged.pop(who, None)
        self._logged[who] = now
        if len(self._logged) > MAX_LOGGED_CLIENTS:
            self._logged.popitem(last=False)
        if earlier is None or now - earlier > LOG_INTERVAL:
            log.warning("client_over_limit", kind=kind, key=key, answer=429)
        self._alarms.raise_alarm(
            AlarmCode.OVER_LIMIT,
            f"A {kind} sent more than [limits.{kind.lower()}] allows; the excess was refused with 429.",
            for_seconds=ALARM_DURATION,
        )
