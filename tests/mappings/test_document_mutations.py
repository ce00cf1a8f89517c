"""Every single-key mutation of the shipped document is caught at that key, or is on the list of harmless ones."""

from __future__ import annotations

import copy
import tomllib
from pathlib import Path

import pytest
import tomlkit

import mappings
from mappings.document import DocumentError, compile_document, load

SHIPPED = tomllib.loads((Path(mappings.__file__).parent / "scorm-profile.toml").read_text(encoding="utf-8"))
OTHERS = {"text": "x y", "truth": True, "list": [7], "table": {"key": "value"}}

NAMES = {"actor.name", "activities.sco.name", "activities.course.name"}
RESULTS = {f"rules[{index}].result" for index in (2, 3, 4, 5, 6, 7, 8)}
OWN_IDS = "context.extensions.{lms.base}/xapi/extensions/scorm"
EXTENSION = {OWN_IDS, *(f"{OWN_IDS}.{key}" for key in ("activity_id", "course_id", "attempt", "session_id"))}

HARMLESS = {
    "dropped": NAMES | RESULTS | EXTENSION | {"context.extensions"},
    "renamed": EXTENSION,
    "retyped": set(),
    "blanked": set(),
}
"""A name, a result or an extension can be left out. An extension's keys are free: renamed, they are others."""


def paths(value, path=()):
    """Give the path of every key."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield (*path, key)
            yield from paths(below, (*path, key))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from paths(below, (*path, index))


def at(tree, path):
    """Return what is at a path."""
    for step in path:
        tree = tree[step]
    return tree


def place_of(path):
    """Return a path as faults write it."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


def users(path):
    """Return where the document names the activity or verb described at a path."""
    kind, name = path
    if kind == "verbs":
        return {f"rules[{index}].verb" for index, rule in enumerate(SHIPPED["rules"]) if rule["verb"] == name}
    named = {f"context.{key}" for key in ("grouping", "category") if name in SHIPPED["context"][key]}
    return named | {f"rules[{index}].object" for index, rule in enumerate(SHIPPED["rules"]) if rule["object"] == name}


def found(tree):
    """Return the places of a document's faults; none where it loads and compiles."""
    try:
        compile_document(load(tomlkit.dumps(tree), "mutant.toml"), "mutant.toml")
    except DocumentError as error:
        return {fault.place for fault in error.faults}
    return set()


def dropped(path):
    """Give the document without a key, and the places of which all must be told."""
    tree = copy.deepcopy(SHIPPED)
    del at(tree, path[:-1])[path[-1]]
    if path[0] in {"activities", "verbs"} and len(path) == 2:
        expected = users(path)
    elif path[-2:-1] == ("display",):
        expected = {place_of(path[:-1])}
    else:
        expected = {place_of(path)}
    yield "", tree, expected


def renamed(path):
    """Give the document with a key of another name, and the places of which all must be told."""
    tree = copy.deepcopy(SHIPPED)
    table, other = at(tree, path[:-1]), f"{path[-1]}_x"
    items = [(other if key == path[-1] else key, value) for key, value in table.items()]
    table.clear()
    table.update(items)
    named = path[0] in {"activities", "verbs"} and len(path) == 2
    yield "", tree, users(path) if named else {place_of((*path[:-1], other))}


def retyped(path):
    """Give the document with values of each other type at a key, each with the places of which all must be told."""
    own = type(at(SHIPPED, path))
    for kind, value in OTHERS.items():
        if not isinstance(value, own):
            tree = copy.deepcopy(SHIPPED)
            at(tree, path[:-1])[path[-1]] = value
            yield f" as {kind}", tree, {place_of(path)}


def blanked(path):
    """Give the document with an empty text at a key that has one."""
    if isinstance(at(SHIPPED, path), str):
        tree = copy.deepcopy(SHIPPED)
        at(tree, path[:-1])[path[-1]] = " "
        yield "", tree, {place_of(path)}


def test_the_mutations_begin_with_a_sound_document():
    assert found(SHIPPED) == set()


@pytest.mark.parametrize("mutate", [dropped, renamed, retyped, blanked])
def test_every_mutation_is_caught_at_its_key_or_known_to_be_harmless(mutate):
    harmless, missed, count = set(), [], 0
    for path in paths(SHIPPED):
        for how, tree, expected in mutate(path):
            count += 1
            places = found(tree)
            if not places:
                harmless.add(place_of(path))
            elif not expected <= places:
                missed.append((place_of(path) + how, places))

    assert missed == []
    assert harmless == HARMLESS[mutate.__name__]
    assert count >= len(list(paths(SHIPPED))) or mutate is blanked
