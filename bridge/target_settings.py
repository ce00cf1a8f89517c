"""The settings of one target: where the LRS is, how it lets the bridge in, and what it gets."""

from __future__ import annotations

from typing import ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from bridge.secret_settings import SecretSettings


class FilterSettings(BaseModel):
    """Which statements a target gets: all, or `only` some, `without` others.

    Both name rules of the mapping document, or IRIs of its verbs.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


class TargetSettings(SecretSettings):
    """One LRS. It lets the bridge in by username and password, by a token, or by OAuth 2 client credentials.

    `rate` is the most requests a second that one process sends. `documents` switches state and profile documents on or
    off by their names in the mapping document, which says what goes for those that are not named.
    """

    SECRETS: ClassVar = ("password", "token", "client_secret")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    endpoint: str
    username: str = ""
    password: str = ""
    password_env: str = ""
    password_file: str = ""
    token: str = ""
    token_env: str = ""
    token_file: str = ""
    token_url: str = ""
    client_id: str = ""
    client_secret: str = ""
    client_secret_env: str = ""
    client_secret_file: str = ""
    scope: str = ""
    version: Literal["auto", "1.0.3", "2.0.0"] = "auto"
    rate: float | None = Field(default=None, gt=0)
    filter: FilterSettings = FilterSettings()
    documents: dict[str, bool] = Field(default={})

    @field_validator("endpoint")
    @classmethod
    def _endpoint(cls, value: str) -> str:
        return value if _address(value).endswith("/") else value + "/"

    @field_validator("token_url")
    @classmethod
    def _token_url(cls, value: str) -> str:
        return _address(value) if value else value

    @field_validator("username")
    @classmethod
    def _without_colon(cls, value: str) -> str:
        if ":" in value:
            raise ValueError("must not contain a colon: Basic authentication ends the name with one")
        return value

    @model_validator(mode="after")
    def _one_way_in(self) -> TargetSettings:
        ways = {
            "username and password": bool(self.username) or self.tells("password"),
            "token": self.tells("token"),
            "client_id": bool(self.client_id),
        }
        told = [name for name, is_told in ways.items() if is_told]
        if len(told) > 1:
            raise ValueError(f"give only one way in: {', '.join(told)} are told")
        needed = {"token_url": bool(self.token_url), "client_secret": self.tells("client_secret")}
        if self.client_id and not all(needed.values()):
            raise ValueError("client_id needs " + " and ".join(name for name, is_told in needed.items() if not is_told))
        if not self.client_id and (any(needed.values()) or self.scope):
            raise ValueError("token_url, client_secret and scope go with a client_id, which is missing")
        return self


def _address(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    parts = urlsplit(value)
    if not parts.hostname:
        raise ValueError("names no host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a name or password; those are settings of their own")
    return value
