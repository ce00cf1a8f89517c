"""Removing from rows what the account may not see, before a page or a file is made of them."""

from __future__ import annotations

import re
from typing import Protocol, Self, TypeVar
from urllib.parse import quote

from aiohttp import web

from bridge.audit.access.roles import may_see_cmi, may_see_names
from storage.deliveries import TryLine

HIDDEN_NAME = "(name)"
"""What stands in place of a name within a text."""


class LearnerRow(Protocol):
    """A row that names a learner."""

    @property
    def learner_name(self) -> str:
        """The name."""

    def _replace(self, *, learner_name: str) -> Self: ...


T = TypeVar("T", bound=LearnerRow)


def redact_name(request: web.Request, row: T) -> T:
    """Return a row, without the learner's name where that may not be shown."""
    return row if may_see_names(request) else row._replace(learner_name="")


def redact_answer(request: web.Request, line: TryLine) -> TryLine:
    """Return a try, without the LRS's answer where that may not be shown: it can hold what the learner did."""
    return line if may_see_cmi(request) else line._replace(answer="")


def redact_mention(request: web.Request, text: str, learner_name: str) -> str:
    """Return a text without the learner's name where that may not be shown: a mapping can put it into an activity."""
    if not learner_name or may_see_names(request):
        return text
    mention = rf"(?<!\w)(?:{re.escape(learner_name)}|{re.escape(quote(learner_name, safe=''))})(?!\w)"
    return re.sub(mention, HIDDEN_NAME, text)
