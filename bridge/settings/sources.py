"""Where each setting comes from: the file, the environment, or the default."""

from __future__ import annotations

import difflib
import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel

from bridge.settings.loader import DEFAULT_FILE, PREFIX, Settings
from bridge.settings.secret import SecretSettings
from storage.database_url import parse_database_url

HIDDEN = "(hidden)"
_DELIMITER = "__"


class SettingSource(StrEnum):
    """Where a setting comes from."""

    DEFAULT = "default"
    FILE = "file"
    ENVIRONMENT = "environment"


class EffectiveSetting(NamedTuple):
    """A setting that is in force: its key, its value as JSON or `HIDDEN`, and where it comes from."""

    key: str
    value: str
    source: SettingSource


class UnknownVariable(NamedTuple):
    """A variable of the environment that looks like a setting's and is none; `meant` may be empty."""

    name: str
    meant: str


def effective_settings(settings: Settings, file: Path | None) -> list[EffectiveSetting]:
    """Return every setting; `file` is the one that was read, None for the default one. Secrets are hidden."""
    path = file or DEFAULT_FILE
    content: Mapping[str, Any] = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    names = {name.upper() for name in os.environ}
    return list(_effective(settings, (), content, names))


def unknown_variables(settings: Settings) -> list[UnknownVariable]:
    """Return the variables of the environment that begin as settings do, and are none that the bridge reads."""
    known = {PREFIX + _DELIMITER.join(path).upper() for path in _paths(Settings)}
    referred = set(_referred(settings))
    return [
        UnknownVariable(name, next(iter(difflib.get_close_matches(name.upper(), known, 1, 0.8)), ""))
        for name in sorted(os.environ)
        if name.upper().startswith(PREFIX) and name.upper() not in known and name not in referred
    ]


def _effective(
    section: BaseModel, path: tuple[str, ...], content: Mapping[str, Any], names: set[str]
) -> Iterator[EffectiveSetting]:
    secrets = _secrets(section)
    for name in type(section).model_fields:
        value, inner = getattr(section, name), (*path, name)
        if isinstance(value, BaseModel):
            yield from _effective(value, inner, content, names)
            continue
        yield EffectiveSetting(
            ".".join(inner), _shown(inner, value, is_secret=name in secrets), _source(inner, content, names)
        )
        if isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
            for number, item in enumerate(value):
                yield from _of_item(item, f"{'.'.join(inner)}[{number}]", _source(inner, content, names))


def _of_item(item: BaseModel, place: str, source: SettingSource) -> Iterator[EffectiveSetting]:
    """Yield the settings of a table in a list that are set."""
    secrets = _secrets(item)
    for name in sorted(item.model_fields_set):
        value = getattr(item, name)
        shown = HIDDEN if name in secrets else _as_json(value)
        yield EffectiveSetting(f"{place}.{name}", shown, source)


def _secrets(section: BaseModel) -> tuple[str, ...]:
    return section.SECRETS if isinstance(section, SecretSettings) else ()


def _source(path: tuple[str, ...], content: Mapping[str, Any], names: set[str]) -> SettingSource:
    # a variable may hold the key itself, or a table that it is in
    if any(PREFIX + _DELIMITER.join(path[:depth]).upper() in names for depth in range(1, len(path) + 1)):
        return SettingSource.ENVIRONMENT
    value: Any = content
    for step in path:
        if not isinstance(value, Mapping) or step not in value:
            return SettingSource.DEFAULT
        value = value[step]
    return SettingSource.FILE


def _shown(path: tuple[str, ...], value: Any, *, is_secret: bool) -> str:
    if is_secret:
        return HIDDEN if value else '""'
    if path == ("database", "url"):
        return json.dumps(parse_database_url(value).render_as_string(hide_password=True))
    if isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        return json.dumps([getattr(item, "name", "") for item in value])
    return _as_json(value)


def _as_json(value: Any) -> str:
    if isinstance(value, BaseModel):
        return value.model_dump_json()
    return json.dumps(value, ensure_ascii=False, default=str)


def _paths(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        inner = (*path, name)
        yield inner
        for candidate in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(candidate, type) and issubclass(candidate, BaseModel):
                yield from _paths(candidate, inner)


def _referred(section: Any) -> Iterator[str]:
    """Yield the variables that settings say hold their secrets."""
    if isinstance(section, tuple):
        for item in section:
            yield from _referred(item)
    elif isinstance(section, BaseModel):
        for name in type(section).model_fields:
            value = getattr(section, name)
            if name.endswith("_env") and isinstance(value, str) and value:
                yield value
            yield from _referred(value)
