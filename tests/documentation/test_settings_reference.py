"""The page of all settings: it is what `make reference` writes, complete, and its variables are read."""

from __future__ import annotations

import json

import pytest

from bridge.settings import Settings, SettingsError, load_settings
from bridge.settings.secret import SecretSettings
from docs.site.settings_reference import PAGE, Section, explained, keys, sections, settings_reference

SECTIONS = {section.heading: section for section in sections()}
WITH_VARIABLES = [
    (section, key)
    for section in SECTIONS.values()
    if section.variable and section.heading != "[audit.oidc]"
    for key in keys(section)
]

"""Keys with a variable of their own that is of use without another."""
ODD = "sqlite:///nobody-would-write-this"
"""Taken by keys whose value may be any text, and refused by all others."""


def test_the_page_is_made_of_the_types_as_they_are() -> None:
    assert PAGE.read_text(encoding="utf-8") == settings_reference(), "run `make reference`"


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_key_is_explained(heading: str) -> None:
    section = SECTIONS[heading]
    places = {
        f"{secret}{ending}"
        for secret in (section.model.SECRETS if issubclass(section.model, SecretSettings) else ())
        for ending in ("_env", "_file")
    }

    assert set(keys(section)) - places - explained(section) == set(), section.model.__doc__


def test_every_section_of_the_settings_is_described() -> None:
    top = {heading.strip("[]").partition(".")[0] for heading in SECTIONS}

    assert top == Settings.model_fields.keys()


@pytest.mark.parametrize(
    ("section", "key"), [pytest.param(*each, id=f"{each[0].heading}.{each[1]}") for each in WITH_VARIABLES]
)
def test_every_variable_is_read(section: Section, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    variable, field = f"{section.variable}__{key.upper()}", section.model.model_fields[key]
    default = field.get_default(call_default_factory=True)
    monkeypatch.setenv(variable, default if isinstance(default, str) else json.dumps(default))
    assert load_settings(None).model_dump() == Settings().model_dump()

    monkeypatch.setenv(variable, ODD)
    assert _is_taken(section, key) or key in _refusal().lower()


def _is_taken(section: Section, key: str) -> bool:
    try:
        values = load_settings(None).model_dump()
    except SettingsError:
        return False
    for table in section.heading.strip("[]").split("."):
        values = values[table]
    return bool(values[key] == ODD)


def _refusal() -> str:
    with pytest.raises(SettingsError) as refused:
        load_settings(None)
    return str(refused.value)
