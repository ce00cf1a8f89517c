"""The sections of the settings that are short: server, database, outgoing, mapping, sessions, log."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from bridge.loopback import is_loopback
from bridge.outgoing import parse_allowed
from mappings.attempt.resuming import Resume
from storage.database_url import DatabaseUrlError
from storage.engine import open_engine


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ServerSettings(_Section):
    """The address that the bridge listens on, its public address, and limits of connections.

    It listens on `host` and `port`. `public_url` is where players reach it, the base of commit URLs; it is required
    unless `host` is loopback.

    `commit_token_lifetime` is in seconds. Players that were offline deliver days later, and a token permits nothing but
    commits to one session, hence a week. `drain_delay` are the seconds between SIGTERM and the end of listening, in
    which `/readyz` says 503: for load balancers that need to notice first.

    The timeouts are in seconds: `header_timeout` from the connection
    or a request's first byte to the end of its headers, `body_timeout` from there to the end of its body,
    `write_timeout` without any of a response being read, `request_timeout` a request as a whole, unless its response is
    streamed, and `keep_alive_timeout` between two requests. `max_connections` are open at once in one process;
    `max_unread_bytes` of responses wait at most, over all connections, for clients to read them.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    public_url: str = ""
    commit_token_lifetime: int = Field(default=7 * 24 * 3600, ge=60)
    drain_delay: float = Field(default=0, ge=0, le=600)
    header_timeout: float = Field(default=10, gt=0, le=3600)
    body_timeout: float = Field(default=30, gt=0, le=3600)
    write_timeout: float = Field(default=30, gt=0, le=3600)
    request_timeout: float = Field(default=120, gt=0, le=3600)
    keep_alive_timeout: float = Field(default=75, gt=0, le=3600)
    max_connections: int = Field(default=1000, ge=1, le=1_000_000)
    max_unread_bytes: int = Field(default=64 * 1024 * 1024, ge=1024 * 1024)

    @field_validator("public_url")
    @classmethod
    def _http(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _requires_public_url(self) -> Self:
        if not self.public_url and not is_loopback(self.host):
            raise ValueError(
                f"public_url is needed where host is {self.host!r}, which is not loopback only: set it to the address "
                "that players reach the bridge at, such as https://bridge.example.org. Without it, whoever sends a "
                "request could choose the address in commit_url."
            )
        return self


class DatabaseSettings(_Section):
    """The database.

    `url` is `sqlite:///FILE` or `postgresql://USER@HOST/DATABASE`; a password may be in it, or in `PGPASSWORD` or
    `~/.pgpass`. PostgreSQL may have several hosts, `HOST:PORT,HOST:PORT`: the one that takes writes is used.
    """

    url: str = "sqlite:///scorm-bridge.db"

    @field_validator("url")
    @classmethod
    def _usable(cls, value: str) -> str:
        try:
            open_engine(value).dispose()
        except DatabaseUrlError as error:
            raise ValueError(str(error)) from None
        return value


class OutgoingSettings(_Section):
    """Which addresses the bridge connects to beside public ones.

    `allow` has networks and addresses (`10.20.0.0/16`), and names of hosts, which may have any private address
    (`lrs.internal`). `localhost` and 127.0.0.1 are allowed where another setting names them, with that port.
    """

    allow: tuple[str, ...] = ()

    @field_validator("allow")
    @classmethod
    def _entries(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        faults = []
        for entry in value:
            try:
                parse_allowed(entry)
            except ValueError as error:
                faults.append(str(error))
        if faults:
            raise ValueError("; ".join(faults))
        return value


class MappingSettings(_Section):
    """The mapping, which decides which statements are made.

    `document` is the name of a shipped one (`scorm-profile`, `cmi5`, `minimal`) or a file.
    """

    document: str = "scorm-profile"


class SessionSettings(_Section):
    """When sessions end and attempts continue.

    A session without commits ends `idle_after` seconds after its last one; `resume` says which attempts a new session
    continues; `auto` goes by what each version of SCORM means with an attempt (scorm.md).
    """

    idle_after: int = Field(default=4 * 3600, ge=60)
    resume: Resume = Resume.AUTO


class LogSettings(_Section):
    """The log, which is written to standard error: what is in it by `level`, and its `format`.

    With `access`, each request is a line of it, at the level `info`.
    """

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"
    access: bool = False
