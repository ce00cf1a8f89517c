"""Loads the settings from a TOML file and the environment. Every fault is reported at once."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Self

import pydantic_settings
from pydantic import ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from bridge.outgoing import OutgoingAddressError, OutgoingGuard
from bridge.settings.alerts import AlertingSettings, AlertSettings
from bridge.settings.audit import AuditSettings
from bridge.settings.limits import LimitSettings
from bridge.settings.observability import MetricsSettings, TracingSettings
from bridge.settings.proxy import ProxySettings
from bridge.settings.retention import RetentionSettings
from bridge.settings.sections import (
    DatabaseSettings,
    LogSettings,
    MappingSettings,
    OutgoingSettings,
    ServerSettings,
    SessionSettings,
)
from bridge.settings.target import TargetSettings

DEFAULT_FILE = Path("scorm-bridge.toml")
PREFIX = "SCORM_BRIDGE_"
"""What names of environment variables begin with."""


class SettingsError(ValueError):
    """The settings are not valid; the text lists every fault, a line each."""


class Settings(BaseSettings):
    """All settings."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
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
    limits: LimitSettings = LimitSettings()
    retention: RetentionSettings = RetentionSettings()
    log: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()
    tracing: TracingSettings = TracingSettings()
    alerts: tuple[AlertSettings, ...] = ()
    alerting: AlertingSettings = AlertingSettings()
    audit: AuditSettings = AuditSettings()
    proxy: ProxySettings = ProxySettings()
    outgoing: OutgoingSettings = OutgoingSettings()

    @field_validator("targets", "alerts")
    @classmethod
    def _names_once(
        cls, value: tuple[TargetSettings | AlertSettings, ...], info: ValidationInfo
    ) -> tuple[TargetSettings | AlertSettings, ...]:
        names = [named.name for named in value]
        duplicates = sorted({name for name in names if names.count(name) > 1})
        if duplicates:
            raise ValueError(f"two {info.field_name} have the name {', '.join(duplicates)}")
        return value

    @model_validator(mode="after")
    def _may_be_connected_to(self) -> Self:
        guard, faults = self.outgoing_guard(), []
        for place, url in self.outgoing_urls().items():
            try:
                guard.check_url(url)
            except OutgoingAddressError as error:
                faults.append(f"{place}: {error.strerror}")
        if faults:
            raise ValueError("\n".join(faults))
        return self

    def outgoing_urls(self) -> dict[str, str]:
        """Return the addresses that the settings name for the bridge to connect to, by their place."""
        urls = {
            f"targets[{index}].{key}": getattr(target, key)
            for index, target in enumerate(self.targets)
            for key in ("endpoint", "token_url", "proxy")
        }
        if self.audit.oidc is not None:
            urls["audit.oidc.issuer"] = self.audit.oidc.issuer
        urls |= {f"alerts[{number}].url": alert.url for number, alert in enumerate(self.alerts)}
        if self.tracing.enabled:
            urls["tracing.endpoint"] = self.tracing.endpoint
        return {place: url for place, url in urls.items() if url}

    def outgoing_guard(self) -> OutgoingGuard:
        """Return what checks the addresses that the bridge connects to."""
        return OutgoingGuard(self.outgoing.allow, self.outgoing_urls().values())

    @property
    def proxies(self) -> ProxySettings:
        """Return which proxies are trusted; `audit.behind_proxy` alone means one."""
        if self.audit.behind_proxy and not self.proxy.hops:
            return self.proxy.model_copy(update={"hops": 1})
        return self.proxy

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 -- pydantic-settings calls with all of them
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 -- likewise
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources: the environment overrides the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load_settings(file: Path | None) -> Settings:
    """Load the settings from a file (by default `scorm-bridge.toml`, where there is one) and the environment.

    Raises:
        SettingsError: with every fault.
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
        raise SettingsError("\n".join(map(_describe_fault, error.errors()))) from None
    except pydantic_settings.SettingsError as error:
        raise SettingsError(_describe_unreadable(error)) from None


def _describe_unreadable(error: pydantic_settings.SettingsError) -> str:
    """Return which variable of the environment is not the JSON that its key needs."""
    text = getattr(error.__cause__, "doc", None)
    names = sorted(name for name, value in os.environ.items() if name.startswith(PREFIX) and value == text)
    if not names:
        return str(error)
    return f'{" or ".join(names)}: a list or table in an environment variable is JSON, such as ["first", "second"]'


def _describe_fault(error: Any) -> str:
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error["loc"]).lstrip(".")
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        message = "is not a known setting"
    return f"{place}: {message}" if place else message
