"""The settings of the audit pages."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class AuditSettings(BaseModel):
    """Whether there are audit pages, and how people sign in to them.

    A sign-in lasts `session_hours`. `behind_proxy` believes the headers X-Forwarded-Proto and X-Forwarded-For, which
    anybody can send who reaches the bridge without the proxy.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = True
    session_hours: float = Field(default=12, gt=0, le=24 * 31)
    behind_proxy: bool = False
