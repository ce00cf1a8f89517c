"""`make reference`: writes the page of all settings, `docs/settings.md`, made of their types and docstrings."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import AwareDatetime, BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from bridge.settings import Settings, loader

PAGE = Path(__file__).parents[1] / "settings.md"
PREFIX = loader.PREFIX.rstrip("_")
INTRODUCTION = """\
# Settings

<!-- Written by `make reference` from the types in bridge/settings/; change those. -->

Settings are read from `scorm-bridge.toml` in the working directory (or `scorm-bridge --config FILE …`), and each key
from an environment variable, which overrides the file. In a variable, lists and tables are JSON. All faults are
listed at once, with exit status 78, and so is a key that does not exist.

A secret is given as itself, or where it is: `…_env` names an environment variable that holds it, `…_file` a file.

"""
_WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false", AwareDatetime: "time with zone"}
_BOUNDS = {annotated_types.Ge: ("ge", "≥"), annotated_types.Gt: ("gt", ">"),
           annotated_types.Le: ("le", "≤"), annotated_types.Lt: ("lt", "<")}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Section:
    """A table of the settings file: its heading, its type, and the variable that its keys' begin with.

    `variable` is empty where keys have none of their own, which is in lists of tables.
    """

    heading: str
    model: type[BaseModel]
    variable: str


def settings_reference() -> str:
    """Return the page, in Markdown."""
    shown: set[type[BaseModel]] = set()
    return INTRODUCTION + "\n".join(line for section in sections() for line in _describe(section, shown))


def sections() -> Iterator[Section]:
    """Yield all tables, each before those inside it."""
    for name, field in Settings.model_fields.items():
        yield from _sections(name, field, f"{PREFIX}_{name.upper()}", is_list=False)


def keys(section: Section) -> list[str]:
    """Return the names of a table's keys, without those of the tables inside it."""
    return [name for name, field in section.model.model_fields.items() if _model_of(field.annotation) is None]


def explained(section: Section) -> set[str]:
    """Return the keys that the docstring of a table says something of."""
    text = "".join(inspect.getdoc(model) or "" for model in _extended(section.model))
    return set(re.findall(r"`(\w+)(?: = [^`]*)?`", text))


def _sections(path: str, field: FieldInfo, variable: str, *, is_list: bool) -> Iterator[Section]:
    model = _model_of(field.annotation)
    if model is None:
        return
    is_list = is_list or get_origin(field.annotation) is tuple
    heading = f"[[{path}]]" if get_origin(field.annotation) is tuple else f"[{path}]"
    yield Section(heading, model, "" if is_list else variable)
    for name, inner in model.model_fields.items():
        yield from _sections(f"{path}.{name}", inner, f"{variable}__{name.upper()}", is_list=is_list)


def _model_of(annotation: Any) -> type[BaseModel] | None:
    """Return the type of a table or of those in a list of tables, None for a key."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in {tuple, Union, UnionType}:
        return next((model for part in get_args(annotation) if (model := _model_of(part)) is not None), None)
    return None


def _extended(model: type[BaseModel]) -> list[type[BaseModel]]:
    """Return a type of settings after those with keys that it extends."""
    return [base for base in reversed(model.__mro__) if issubclass(base, BaseModel) and base.model_fields]


def _describe(section: Section, shown: set[type[BaseModel]]) -> Iterator[str]:
    """Yield a table's paragraphs, without those of extended types that were shown already."""
    yield f"## `{section.heading}`\n"
    for model in reversed(_extended(section.model)):
        if model not in shown:
            yield f"{inspect.cleandoc(model.__doc__ or '')}\n"
    shown.update(_extended(section.model))
    if section.heading.startswith("[[") and "." not in section.heading:
        yield f"All of them together: `{PREFIX}_{section.heading.strip('[]').upper()}`, as a JSON list.\n"
    names = keys(section)
    if names:
        columns = ["key", "value", "default", *(["environment variable"] if section.variable else [])]
        yield f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}"
        for name in names:
            field = section.model.model_fields[name]
            variable = f" `{section.variable}__{name.upper()}` |" if section.variable else ""
            yield f"| `{name}` | {_value(field)} | {_default(field)} |{variable}"
        yield ""


def _value(field: FieldInfo) -> str:
    bounds = [
        f"{sign} {getattr(constraint, attribute):,}"
        for kind, (attribute, sign) in _BOUNDS.items()
        for constraint in field.metadata
        if isinstance(constraint, kind)
    ]
    return ", ".join([_type(field.annotation), *bounds])


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{json.dumps(value)}`" for value in arguments)
    if origin in {Union, UnionType}:
        return " or ".join(_type(part) for part in arguments if part is not NoneType)
    if origin is tuple:
        return f"list: {_type(arguments[0])}"
    if origin is dict:
        return f"table: {_type(arguments[1])} for each name"
    if issubclass(annotation, StrEnum):
        return " or ".join(f"`{json.dumps(value)}`" for value in annotation)
    return _WORDS[annotation]


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "**required**"
    if value is None or value in ("", (), {}):
        return "none"
    return f"`{json.dumps(value, default=list)}`"


def main() -> None:
    """Write the page."""
    PAGE.write_text(settings_reference(), encoding="utf-8")


if __name__ == "__main__":
    main()
