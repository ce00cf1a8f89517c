"""The settings of the audit pages, and of OpenID Connect sign-in to them."""

from __future__ import annotations

from typing import ClassVar, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from bridge.loopback import is_loopback
from bridge.settings.secret import SecretSettings

RoleName = Literal["reader", "auditor", "admin"]


class OidcSettings(SecretSettings):
    """An OpenID Connect issuer that signs people in, and their permissions here.

    `issuer` is its address, `client_id` and `client_secret` are the bridge's there, and `scope` is what is asked for.
    `roles` has a role for values of the claim `role_claim`, a text or a list (`realm_access.roles` for one inside
    another); whoever has several gets the highest, whoever has none may not sign in. Readers with one of the values in
    `sees_names` see learners' names. Accounts have the name in the claim `name_claim`. `label` is shown on the sign-in
    page.
    """

    SECRETS: ClassVar = ("client_secret",)

    issuer: str
    client_id: str = Field(min_length=1)
    client_secret: str = ""
    client_secret_env: str = ""
    client_secret_file: str = ""
    scope: str = "openid profile"
    name_claim: str = "preferred_username"
    role_claim: str = "roles"
    roles: dict[str, RoleName] = Field(min_length=1)
    sees_names: tuple[str, ...] = ()
    label: str = "Sign in with your organisation's account"

    @field_validator("issuer")
    @classmethod
    def _issuer(cls, value: str) -> str:
        parts = urlsplit(value)
        if not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must be the issuer's address, as in https://login.example.org/realm")
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
            raise ValueError("must begin with https://")
        return value

    @field_validator("scope")
    @classmethod
    def _scope(cls, value: str) -> str:
        if "openid" not in value.split():
            raise ValueError("must contain openid")
        return value

    @model_validator(mode="after")
    def _names(self) -> OidcSettings:
        unknown = [value for value in self.sees_names if value not in self.roles]
        if unknown:
            raise ValueError(f"sees_names: {', '.join(unknown)} has no role in roles")
        return self


class AuditSettings(BaseModel):
    """Whether there are audit pages, and how people sign in to them.

    `enabled = false` is without pages. A sign-in lasts `session_hours`. `behind_proxy` is the same as `proxy.hops = 1`:
    what one proxy adds to the headers X-Forwarded-For, X-Forwarded-Proto and Forwarded is believed. Times are shown in
    the browser's time zone, and in `time_zone` where that is not known, without JavaScript for one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = True
    session_hours: float = Field(default=12, gt=0, le=24 * 31)
    behind_proxy: bool = False
    time_zone: str = "UTC"
    oidc: OidcSettings | None = None

    @field_validator("time_zone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            return ZoneInfo(name).key
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("is no time zone that this machine knows, such as Europe/Berlin") from None
