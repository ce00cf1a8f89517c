"""The settings of alerts: when somebody is told that something is wrong, and how."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from bridge.settings.secret import SecretSettings
from bridge.settings.target import validate_url

MIN_REMOVALS_LATE_AFTER = 900
"""Seconds for which a removal that is well can wait."""


class AlertCondition(StrEnum):
    """What can be wrong. `docs/alerts.md` has cause, check and remedy of each."""

    UNREACHABLE = "target-unreachable"
    """An LRS, or the way to it, is in trouble."""
    UNAUTHORIZED = "target-unauthorized"
    """An LRS denies the bridge access."""
    REFUSING = "target-refusing"
    """An LRS refuses everything."""
    INTERRUPTED = "target-interrupted"
    """The bridge itself fails to send to an LRS."""
    DEAD = "dead-deliveries"
    """An LRS refused statements or documents for good."""
    QUARANTINED = "quarantined-statements"
    """The mapping made invalid statements."""
    LATE = "late-statements"
    """A statement has waited for longer than `late_after`."""
    LATE_REMOVALS = "late-removals"
    """An LRS has not removed what an erasure asks for after `removals_late_after`."""
    DATABASE = "database-trouble"
    """The database does not take commits."""
    DISK = "low-disk"
    """The disk of the database is nearly full."""
    SILENCE = "silent-lms"
    """Nothing came from an LMS for `silent_after`, which used to send."""


class AlertingSettings(BaseModel):
    """When something is wrong enough to tell.

    `late_after` and `silent_after` are the seconds that a statement may wait and an LMS be silent, and
    `removals_late_after` those that what an erasure asks of an LRS may wait (documents are deleted twice, ten minutes
    apart); 0 for ever.
    `settle_after` are the seconds for which something must be wrong before it is told, and right again before that is.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    late_after: int = Field(default=3600, ge=0)
    removals_late_after: int = Field(default=86_400, ge=0)
    silent_after: int = Field(default=3 * 86_400, ge=0)
    settle_after: int = Field(default=60, ge=0, le=86_400)

    @field_validator("removals_late_after")
    @classmethod
    def _leaves_time(cls, seconds: int) -> int:
        if 0 < seconds < MIN_REMOVALS_LATE_AFTER:
            raise ValueError(
                f"must be 0 or at least {MIN_REMOVALS_LATE_AFTER}: documents are deleted twice, ten minutes apart"
            )
        return seconds


class AlertSettings(SecretSettings):
    """One way to tell somebody, by its `name`; `type` says which: by mail, webhook or Apprise.

    `conditions` are those that are told; all where none are named. A mail goes through `host` and `port`, encrypted as
    `tls` says, to `to`, from `sender`; `username` and `password` where the server asks for them. `url` takes a POST of
    JSON, signed with `signing_secret` if one is given. `apprise` is an address of Apprise's, which may hold a token.
    """

    SECRETS: ClassVar = ("password", "signing_secret", "apprise")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    type: Literal["mail", "webhook", "apprise"]
    conditions: tuple[AlertCondition, ...] = ()
    host: str = ""
    port: int = Field(default=587, ge=1, le=65535)
    tls: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    password: str = ""
    password_env: str = ""
    password_file: str = ""
    sender: str = ""
    to: tuple[str, ...] = ()
    url: str = ""
    signing_secret: str = ""
    signing_secret_env: str = ""
    signing_secret_file: str = ""
    apprise: str = ""
    apprise_env: str = ""
    apprise_file: str = ""

    @model_validator(mode="after")
    def _fits_type(self) -> Self:
        given: dict[str, dict[str, object]] = {
            "mail": {
                "host": self.host,
                "username": self.username,
                "password": self.has_secret("password"),
                "sender": self.sender,
                "to": self.to,
            },
            "webhook": {"url": self.url, "signing_secret": self.has_secret("signing_secret")},
            "apprise": {"apprise": self.has_secret("apprise")},
        }
        needed = {"mail": ("host", "sender", "to"), "webhook": ("url",), "apprise": ("apprise",)}[self.type]
        missing = [key for key in needed if not given[self.type][key]]
        if missing:
            raise ValueError(f"type = {self.type!r} needs {', '.join(missing)}")
        foreign = [key for kind, keys in given.items() if kind != self.type for key, value in keys.items() if value]
        if foreign:
            raise ValueError(f"{', '.join(foreign)} is not for type = {self.type!r}")
        if self.url:
            validate_url(self.url, may_have_query=True)
        addresses = [
            address for address in (*self.to, *([self.sender] if self.sender else ())) if not _is_mail(address)
        ]
        if addresses:
            raise ValueError(f"{', '.join(addresses)} is no mail address such as ops@example.org")
        if self.username and self.tls == "none":
            raise ValueError('a password is not sent without encryption: set tls to "starttls" or "tls"')
        return self


def _is_mail(address: str) -> bool:
    local, at, domain = address.rpartition("@")
    return bool(local and at and domain) and address.isprintable() and not set(address) & set(" ,;<>\"'()[]")
