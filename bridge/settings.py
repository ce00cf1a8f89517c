"""Settings: one TOML file, and environment variables for every key (`SCORM_BRIDGE_SERVER__PORT`).

Everything that is wrong with them is told at once.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pydantic_settings
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from storage.engine import DatabaseUrlError, open_engine

DEFAULT_FILE = Path("scorm-bridge.toml")
WRONG = 78
"""Exit status for settings that cannot be used (EX_CONFIG of sysexits.h)."""


class SettingsError(ValueError):
    """The settings cannot be used; the text lists everything wrong, a line each."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ServerSettings(_Section):
    """Where the bridge listens and what it is reached as.

    `commit_token_lifetime` is in seconds. Players that were offline deliver days later, and a token permits nothing but
    commits to one session, hence a week.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    public_url: str = ""
    commit_token_lifetime: int = Field(default=7 * 24 * 3600, ge=60)

    @field_validator("public_url")
    @classmethod
    def _http(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/")


class DatabaseSettings(_Section):
    """Which database."""

    url: str = "sqlite:///scorm-bridge.db"

    @field_validator("url")
    @classmethod
    def _usable(cls, value: str) -> str:
        try:
            open_engine(value).dispose()
        except DatabaseUrlError as error:
            raise ValueError(str(error)) from None
        return value


class TargetSettings(_Section):
    """One LRS. The password stands here, in an environment variable or in a file.

    `documents` switches state and profile documents on or off by their names in the mapping document, which says what
    goes for those that are not named.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    endpoint: str
    username: str = ""
    password: str = ""
    password_env: str = ""
    password_file: str = ""
    version: Literal["auto", "1.0.3", "2.0.0"] = "auto"
    documents: dict[str, bool] = {}

    @field_validator("endpoint")
    @classmethod
    def _http(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        parts = urlsplit(value)
        if not parts.hostname:
            raise ValueError("names no host")
        if parts.username is not None or parts.password is not None:
            raise ValueError("must not hold a name or password; username and password are settings of their own")
        return value if value.endswith("/") else value + "/"

    @field_validator("username")
    @classmethod
    def _without_colon(cls, value: str) -> str:
        if ":" in value:
            raise ValueError("must not contain a colon: Basic authentication ends the name with one")
        return value

    @model_validator(mode="after")
    def _one_password(self) -> TargetSettings:
        if sum(map(bool, (self.password, self.password_env, self.password_file))) > 1:
            raise ValueError("give only one of password, password_env and password_file")
        if self.password_env and self.password_env not in os.environ:
            raise ValueError(f"password_env names {self.password_env}, which is not set in the environment")
        if self.password_file and not Path(self.password_file).is_file():
            raise ValueError(f"password_file names {self.password_file}, which is no file")
        try:
            self.secret()
        except (OSError, UnicodeDecodeError):
            raise ValueError(f"password_file names {self.password_file}, which cannot be read as text") from None
        return self

    def secret(self) -> str:
        """Give the password, from wherever it is kept."""
        if self.password_env:
            return os.environ[self.password_env]
        if self.password_file:
            return Path(self.password_file).read_text(encoding="utf-8").strip()
        return self.password


class MappingSettings(_Section):
    """Which mapping document: the name of a shipped one, or a file."""

    document: str = "scorm-profile"


class SessionSettings(_Section):
    """When a session from which nothing comes counts as over: `idle_after` seconds after its last commit."""

    idle_after: int = Field(default=4 * 3600, ge=60)


class LogSettings(_Section):
    """How the log is written, to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


class Settings(BaseSettings):
    """All settings."""

    model_config = SettingsConfigDict(
        env_prefix="SCORM_BRIDGE_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    server: ServerSettings = ServerSettings()
    database: DatabaseSettings = DatabaseSettings()
    targets: tuple[TargetSettings, ...] = ()
    mapping: MappingSettings = MappingSettings()
    sessions: SessionSettings = SessionSettings()
    log: LogSettings = LogSettings()

    @field_validator("targets")
    @classmethod
    def _names_once(cls, value: tuple[TargetSettings, ...]) -> tuple[TargetSettings, ...]:
        names = [target.name for target in value]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two targets have the name {', '.join(twice)}")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 -- pydantic-settings calls with all of them
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 -- likewise
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load(file: Path | None) -> Settings:
    """Read the settings from a file (by default `scorm-bridge.toml`, where there is one) and the environment.

    Raises:
        SettingsError: with everything that is wrong.
    """
    if file is not None and not file.is_file():
        raise SettingsError(f"there is no settings file {file}")
    path = file or DEFAULT_FILE
    if path.is_file():
        try:
            tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"{path} is not TOML: {error}") from None

    class Located(Settings):
        model_config = SettingsConfigDict(toml_file=path)

    try:
        return Located()
    except ValidationError as error:
        raise SettingsError("\n".join(map(_line, error.errors()))) from None
    except pydantic_settings.SettingsError as error:
        raise SettingsError(str(error)) from None


def _line(error: Any) -> str:
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error["loc"]).lstrip(".")
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        message = "is not a known setting"
    return f"{place}: {message}"
