"""The settings of one target: where the LRS is, how it lets the bridge in, and what it gets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

SECRETS = ("password", "token", "client_secret")
"""Settings that may stand in the settings, in an environment variable (`…_env`) or in a file (`…_file`)."""


class FilterSettings(BaseModel):
    """Which statements a target gets: all, or `only` some, `without` others.

    Both name rules of the mapping document, or IRIs of its verbs.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


class TargetSettings(BaseModel):
    """One LRS. It lets the bridge in by username and password, by a token, or by OAuth 2 client credentials.

    `rate` is the most requests a second that one process sends. `documents` switches state and profile documents on or
    off by their names in the mapping document, which says what goes for those that are not named.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

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
    documents: dict[str, bool] = {}

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
    def _secrets(self) -> TargetSettings:
        for name in SECRETS:
            self._check_secret(name)
        return self

    @model_validator(mode="after")
    def _one_way_in(self) -> TargetSettings:
        ways = {
            "username and password": bool(self.username) or self._tells("password"),
            "token": self._tells("token"),
            "client_id": bool(self.client_id),
        }
        told = [name for name, is_told in ways.items() if is_told]
        if len(told) > 1:
            raise ValueError(f"give only one way in: {', '.join(told)} are told")
        needed = {"token_url": bool(self.token_url), "client_secret": self._tells("client_secret")}
        if self.client_id and not all(needed.values()):
            raise ValueError("client_id needs " + " and ".join(name for name, is_told in needed.items() if not is_told))
        if not self.client_id and (any(needed.values()) or self.scope):
            raise ValueError("token_url, client_secret and scope go with a client_id, which is missing")
        return self

    def secret(self, name: str) -> str:
        """Give a secret, one of `SECRETS`, from wherever it is kept."""
        variable, file = getattr(self, f"{name}_env"), getattr(self, f"{name}_file")
        if variable:
            return os.environ[variable]
        if file:
            return Path(file).read_text(encoding="utf-8").strip()
        return str(getattr(self, name))

    def _tells(self, name: str) -> bool:
        return any(getattr(self, name + end) for end in ("", "_env", "_file"))

    def _check_secret(self, name: str) -> None:
        variable, file = getattr(self, f"{name}_env"), getattr(self, f"{name}_file")
        if sum(map(bool, (getattr(self, name), variable, file))) > 1:
            raise ValueError(f"give only one of {name}, {name}_env and {name}_file")
        if variable and variable not in os.environ:
            raise ValueError(f"{name}_env names {variable}, which is not set in the environment")
        if file and not Path(file).is_file():
            raise ValueError(f"{name}_file names {file}, which is no file")
        try:
            self.secret(name)
        except (OSError, UnicodeDecodeError):
            raise ValueError(f"{name}_file names {file}, which cannot be read as text") from None


def _address(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    parts = urlsplit(value)
    if not parts.hostname:
        raise ValueError("names no host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a name or password; those are settings of their own")
    return value
