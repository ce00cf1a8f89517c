"""The settings of one target: its endpoint, authentication, and what it receives."""

from __future__ import annotations

import re
import ssl
from pathlib import Path
from typing import ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from bridge.settings.target_form import TargetFormSettings

_NOT_IN_ADDRESSES = re.compile(r"[\x00-\x20\x7f-\xa0\s\"<>\\^`{|}]")


class FilterSettings(BaseModel):
    """Which statements a target receives: all, or `only` some, `without` others.

    Both name rules of the mapping document, or IRIs of its verbs.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


class TargetSettings(TargetFormSettings):
    """One LRS. The bridge authenticates by username and password, by a token, or by OAuth 2 client credentials.

    `name` is what commands, pages and the log call it, and `endpoint` the address that `statements` is put behind.
    `version` is the version of xAPI that is spoken; `auto` asks the LRS.

    `username` and `password` are for Basic authentication, `token` for `Authorization: Bearer`. For OAuth 2,
    `token_url` is the token endpoint, `client_id` and `client_secret` are the credentials, `scope` and `audience` are
    sent along. `client_secret_post` puts id and secret into the request's body, for token endpoints that require it.
    `ca_file` has authorities that are trusted beside the system's, `client_certificate_file` and `client_key_file`
    (PEM) are the bridge's own, and `proxy` is an HTTP proxy that asks for `proxy_username` and `proxy_password`; all of
    these apply to the token endpoint as well.

    `rate` is the maximum of requests a second that one process sends. `documents` switches state and profile documents
    on or off by their names in the mapping document, which decides for those that are not named. `erase` says what
    becomes there of an erased learner: `void` voids statements and deletes documents, `keep` leaves everything.
    """

    SECRETS: ClassVar = ("password", "token", "client_secret", "proxy_password")

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
    audience: str = ""
    client_secret_post: bool = False
    ca_file: str = ""
    client_certificate_file: str = ""
    client_key_file: str = ""
    proxy: str = ""
    proxy_username: str = ""
    proxy_password: str = ""
    proxy_password_env: str = ""
    proxy_password_file: str = ""
    version: Literal["auto", "1.0.3", "2.0.0"] = "auto"
    rate: float | None = Field(default=None, gt=0)
    filter: FilterSettings = FilterSettings()
    documents: dict[str, bool] = Field(default={})
    erase: Literal["void", "keep"] = "void"

    @field_validator("endpoint")
    @classmethod
    def _endpoint(cls, value: str) -> str:
        return value if validate_url(value).endswith("/") else value + "/"

    @field_validator("token_url", "proxy")
    @classmethod
    def _other_url(cls, value: str) -> str:
        return validate_url(value, may_have_query=True) if value else value

    @field_validator("ca_file", "client_certificate_file", "client_key_file")
    @classmethod
    def _file(cls, value: str) -> str:
        if value and not Path(value).is_file():
            raise ValueError(f"names {value}, which is not a file")
        return value

    @field_validator("username", "proxy_username")
    @classmethod
    def _without_colon(cls, value: str) -> str:
        if ":" in value:
            raise ValueError("must not contain a colon: Basic authentication ends the name with one")
        return value

    @model_validator(mode="after")
    def _validate_authentication(self) -> TargetSettings:
        methods = {
            "username and password": bool(self.username) or self.has_secret("password"),
            "token": self.has_secret("token"),
            "client_id": bool(self.client_id),
        }
        methods_given = [name for name, is_given in methods.items() if is_given]
        if len(methods_given) > 1:
            raise ValueError(f"configure only one kind of authentication, not {', '.join(methods_given)}")
        needed = {"token_url": bool(self.token_url), "client_secret": self.has_secret("client_secret")}
        if self.client_id and not all(needed.values()):
            raise ValueError(
                "client_id needs " + " and ".join(name for name, is_given in needed.items() if not is_given)
            )
        if not self.client_id and (any(needed.values()) or self.scope):
            raise ValueError("token_url, client_secret and scope go with a client_id, which is missing")
        if not self.client_id and (self.audience or self.client_secret_post):
            raise ValueError("audience and client_secret_post go with a client_id, which is missing")
        return self

    @model_validator(mode="after")
    def _validate_connection(self) -> TargetSettings:
        if self.client_key_file and not self.client_certificate_file:
            raise ValueError("client_key_file goes with a client_certificate_file, which is missing")
        if (self.proxy_username or self.has_secret("proxy_password")) and not self.proxy:
            raise ValueError("proxy_username and proxy_password go with a proxy, which is missing")
        try:
            self.tls()
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise ValueError(f"ca_file, client_certificate_file or client_key_file cannot be used: {error}") from None
        return self

    def tls(self) -> ssl.SSLContext | None:
        """Return the TLS context of trusted authorities and client certificate, None where none are given.

        Raises:
            OSError, ValueError: a file cannot be read, or is of another kind.
        """
        if not (self.ca_file or self.client_certificate_file):
            return None
        context = ssl.create_default_context()
        if self.ca_file:
            context.load_verify_locations(cafile=self.ca_file)
        if self.client_certificate_file:
            # an encrypted key would prompt for its password at the terminal
            context.load_cert_chain(self.client_certificate_file, self.client_key_file or None, password="")
        return context


def validate_url(value: str, *, may_have_query: bool = False) -> str:
    """Return the address of an HTTP server.

    Raises:
        ValueError: it is none, or has what belongs elsewhere.
    """
    if not value.startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    if _NOT_IN_ADDRESSES.search(value):
        raise ValueError("must not hold spaces, control characters or quotes")
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"is not an address: {error}") from None
    if not parts.hostname or port == 0:
        raise ValueError("names no host" if not parts.hostname else "names a port that is not one")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a name or password; those are settings of their own")
    if "#" in value:
        raise ValueError("must not hold a fragment (#)")
    if "?" in value and not may_have_query:
        raise ValueError("must not hold a query (?): `statements` is put behind it")
    return value
