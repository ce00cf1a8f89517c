"""Every single-key mutation of a shipped document is caught at that key, or is harmless by a rule that is stated."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mappings.definition import DefinitionError, compile_definition, load_definition
from tests.mappings.statement_builders import DOCUMENTS

OTHERS = {"text": "x y", "truth": True, "list": [7], "table": {"key": "value"}}

OPTIONAL = re.compile(
    r"actor\.(name|identifier)|activities\.\w+\.(name|description|interaction|keep_iri)"
    r"|iris\.activity_in_course|status\.(scaled_score|overlap)|context\.(platform|language)"
    r"|rules\[\d+\]\.(result|parent|category|objectives|extensions|if)"
)
"""What a document can do without."""

Path = tuple[str | int, ...]
"""The keys, and in lists the indices, that lead to a place of a document."""
Mutant = tuple[str, dict[str, Any], set[str]]
"""How a document was changed, the changed one, and the places of which all must be told."""


def is_harmless(mutation: str, tree: dict[str, Any], path: Path) -> bool:
    """Return whether a document with one of its keys changed is a sound one all the same.

    What is optional can be left out. So can what nothing in the document names, which can also have another name.
    Extensions, the context's and a rule's, can be left out and renamed, one by one and below: their keys are free. Each
    of them is a value or a table of values, as the author likes, and each value a text, a number or a boolean. State
    and profile documents can be left out, one by one or all of them, and have any name; of one that is there, nothing
    can be left out.
    """
    if "extensions" in path:
        inside = path[path.index("extensions") + 1 :]
        is_renamed = len(inside) > 1 or (len(inside) == 1 and is_iri_key(str(inside[0])))
        return {"dropped": True, "retyped": len(inside) > 0, "renamed": is_renamed}.get(mutation, False)
    if path[0] in {"activities", "verbs"} and len(path) == 2:
        return mutation in {"dropped", "renamed"} and not users(tree, path)
    if path[0] == "documents" and len(path) < 3:
        return mutation == "dropped" or (mutation == "renamed" and len(path) == 2)
    if path[-2:-1] == ("display",):
        return mutation == "dropped" and len(at(tree, path[:-1])) > 1
    return mutation == "dropped" and OPTIONAL.fullmatch(place_of(path)) is not None


def is_iri_key(key: str) -> bool:
    """Return whether a key with something behind it still is an IRI, as an extension's key must be."""
    return ":" in key or key.startswith("{lms.base}")


def paths(value: object, path: Path = ()) -> Iterator[Path]:
    """Return the path of every key."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield (*path, key)
            yield from paths(below, (*path, key))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from paths(below, (*path, index))


def at(tree: Any, path: Path) -> Any:
    """Return what is at a path."""
    for step in path:
        tree = tree[step]
    return tree


def place_of(path: Path) -> str:
    """Return a path as faults write it."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


def users(tree: dict[str, Any], path: Path) -> set[str]:
    """Return where the document names the activity or verb described at a path."""
    kind, name = path
    if kind == "verbs":
        return {f"rules[{index}].verb" for index, rule in enumerate(tree["rules"]) if rule["verb"] == name}
    places = {f"context.{key}" for key in ("grouping", "category") if name in tree["context"][key]}
    for index, rule in enumerate(tree["rules"]):
        places |= {f"rules[{index}].{key}" for key in ("parent", "category") if name in rule.get(key, ())}
        places |= {f"rules[{index}].object"} if rule["object"] == name else set()
        places |= {f"rules[{index}].objectives.as"} if rule.get("objectives", {}).get("as") == name else set()
    for document_name, document in tree.get("documents", {}).items():
        places |= {f"documents.{document_name}.{key}" for key in ("activity", "attempts") if document.get(key) == name}
    return places


def toml(value: object) -> str:
    """Write a value as TOML, tables in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(below)}" for key, below in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def fault_places(tree: dict[str, Any]) -> set[str]:
    """Return the places of a document's faults; none where it loads and compiles."""
    text = "\n".join(f"{key} = {toml(value)}" for key, value in tree.items())
    try:
        compile_definition(load_definition(text, "mutant.toml"), "mutant.toml")
    except DefinitionError as error:
        return {fault.place for fault in error.faults}
    return set()


def dropped(whole: dict[str, Any], path: Path) -> Iterator[Mutant]:
    """Return the document without a key, and the places of which all must be told."""
    tree = copy.deepcopy(whole)
    del at(tree, path[:-1])[path[-1]]
    if path[0] in {"activities", "verbs"} and len(path) == 2:
        expected = users(whole, path)
    elif path[-2:-1] == ("display",):
        expected = {place_of(path[:-1])}
    else:
        expected = {place_of(path)}
    yield "", tree, expected


def renamed(whole: dict[str, Any], path: Path) -> Iterator[Mutant]:
    """Return the document with a key of another name, and the places of which all must be told."""
    tree = copy.deepcopy(whole)
    table, other = at(tree, path[:-1]), f"{path[-1]}_x"
    items = [(other if key == path[-1] else key, value) for key, value in table.items()]
    table.clear()
    table.update(items)
    named = path[0] in {"activities", "verbs"} and len(path) == 2
    yield "", tree, users(whole, path) if named else {place_of((*path[:-1], other))}


def retyped(whole: dict[str, Any], path: Path) -> Iterator[Mutant]:
    """Return the document with values of each other type at a key, each with the places of which all must be told."""
    type_ = type(at(whole, path))
    for kind, value in OTHERS.items():
        if not isinstance(value, type_):
            tree = copy.deepcopy(whole)
            at(tree, path[:-1])[path[-1]] = value
            yield f" as {kind}", tree, {place_of(path)}


def blanked(whole: dict[str, Any], path: Path) -> Iterator[Mutant]:
    """Return the document with an empty text at a key that has one."""
    if isinstance(at(whole, path), str):
        tree = copy.deepcopy(whole)
        at(tree, path[:-1])[path[-1]] = " "
        yield "", tree, {place_of(path)}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_mutations_begin_with_a_sound_document(name: str) -> None:
    assert fault_places(tomllib.loads(DOCUMENTS[name])) == set()


@pytest.mark.parametrize("mutate", [dropped, renamed, retyped, blanked])
@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.slow
def test_every_mutation_is_caught_at_its_key_or_harmless_by_the_rule(
    name: str, mutate: Callable[[dict[str, Any], Path], Iterator[Mutant]]
) -> None:
    whole = tomllib.loads(DOCUMENTS[name])
    harmless: set[Path] = set()
    missed: list[tuple[str, set[str]]] = []
    count = 0
    for path in paths(whole):
        for how, tree, expected in mutate(whole, path):
            count += 1
            places = fault_places(tree)
            if not places:
                harmless.add(path)
            elif not expected <= places:
                missed.append((place_of(path) + how, places))

    assert missed == []
    assert harmless == {path for path in paths(whole) if is_harmless(mutate.__name__, whole, path)}
    assert count >= len(list(paths(whole))) or mutate is blanked
