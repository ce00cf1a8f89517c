"""What can be kept of the layout of tests: where asserts stand, what they compare, and that there are some."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
Function = ast.FunctionDef | ast.AsyncFunctionDef

CHECK = re.compile(r"_?(expect|check)_\w+")
"""Names of what tests call to assert something, so that a reader need not look for the assert."""
FAILING = frozenset({"does_not_raise", "expect", "raises", "run_state_machine_as_test", "wait_until", "warns"})
"""What of others', and of `tests.support`, fails a test without an assert: pytest, Playwright, Hypothesis, waiting."""
CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]*")
COMPOUND = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.For, ast.AsyncFor, ast.If)
"""Statements after which a line may be empty anywhere."""
SETTLED = (ast.Constant, ast.expr_context, ast.unaryop, ast.Tuple, ast.List, ast.Set, ast.Dict, ast.UnaryOp)


@cache
def _trees() -> Mapping[str, ast.Module]:
    """Return the syntax tree of each module of tests by its path below the root."""
    return {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"), str(path))
        for path in sorted((ROOT / "tests").rglob("*.py"))
        if "node_modules" not in path.parts
    }


def _tests(tree: ast.Module) -> Iterator[Function]:
    for node in ast.walk(tree):
        if isinstance(node, Function) and node.name.startswith("test_"):
            yield node


def _asserts(tree: ast.AST) -> Iterator[ast.Assert]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Assert))


def _body(test: Function) -> Sequence[ast.stmt]:
    return test.body[1:] if ast.get_docstring(test) is not None else test.body


def _only_asserts(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.For | ast.AsyncFor | ast.If):
        return all(map(_only_asserts, [*statement.body, *statement.orelse]))
    return isinstance(statement, ast.Assert)


def _narrows(statement: ast.Assert) -> bool:
    """Return whether an assert is there for mypy: what comes next needs a value of this type."""
    condition = statement.test
    if isinstance(condition, ast.Compare):
        return isinstance(condition.ops[0], ast.IsNot) and isinstance(condition.comparators[0], ast.Constant)
    return isinstance(condition, ast.Call) and ast.unparse(condition.func) in {"isinstance", "callable"}


def _has_empty_line(before: ast.stmt, statement: ast.stmt, lines: Sequence[str]) -> bool:
    return not all(line.strip() for line in lines[(before.end_lineno or before.lineno) : statement.lineno - 1])


def _layout_faults(body: Sequence[ast.stmt], lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield the lines of a test where an empty line before asserts is missing or is too many."""
    begin = len(body)
    while begin > 0 and _only_asserts(body[begin - 1]):
        begin -= 1
    first = body[begin] if begin < len(body) else None
    in_steps = any(isinstance(statement, ast.Assert) and not _narrows(statement) for statement in body[:begin])
    for before, statement in pairwise(body):
        is_apart = _has_empty_line(before, statement, lines)
        if statement is first and not in_steps and not is_apart:
            yield statement.lineno, "an empty line goes before the asserts that end a test"
        elif isinstance(statement, ast.Assert) and isinstance(before, ast.Assert) and is_apart:
            if not any(line.strip() for line in lines[before.end_lineno : statement.lineno - 1]):
                yield statement.lineno, "no empty line goes between two asserts"
        elif isinstance(statement, ast.Assert) and in_steps and is_apart and not isinstance(before, COMPOUND):
            yield statement.lineno, "in a test told in steps, asserts stand directly below their step"


def test_an_empty_line_says_that_from_here_on_there_are_only_asserts() -> None:
    faults = []
    for path, tree in _trees().items():
        lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
        for test in _tests(tree):
            faults += [f"{path}:{line}: {fault}" for line, fault in _layout_faults(_body(test), lines)]

    assert faults == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("a = f()\n\nassert a\nassert b", []),
        ("a = f()\nassert a\nassert b", [2]),
        ("a = f()\nassert isinstance(a, A)\nb = a.b\nassert b", [4]),
        ("assert f()\nassert b", []),
        ("a = f()\nfor b in a:\n    assert b", [2]),
        ("a = f()\nassert a\ng()\nassert b", []),
        ("a = f()\n\nassert a\ng()\nassert b", [3]),
        ("a = f()\n\nassert a\n\nassert b", [5]),
        ("a = f()\n\nassert a\n# why\nassert b", []),
        ("with raises(E):\n    f()", []),
    ],
)
def test_faults_of_layout_are_found_where_they_are(body: str, expected: list[int]) -> None:
    assert [line for line, _ in _layout_faults(ast.parse(body).body, body.splitlines())] == expected


def _is_settled(value: ast.expr) -> bool:
    """Return whether a value is the same in every run: a literal, a constant, or a container of them."""
    return all(
        isinstance(node, SETTLED)
        or (isinstance(node, ast.Name) and CONSTANT.fullmatch(node.id))
        or (isinstance(node, ast.Attribute) and CONSTANT.fullmatch(node.attr))
        for node in _outermost(value)
    )


def _outermost(value: ast.expr) -> Iterator[ast.AST]:
    """Yield the nodes of an expression; of an attribute, none below it."""
    yield value
    if not isinstance(value, ast.Attribute):
        for child in ast.iter_child_nodes(value):
            yield from _outermost(child) if isinstance(child, ast.expr) else (child,)


def test_what_is_expected_stands_on_the_right() -> None:
    """In `0 < delay < 5`, and in `"x" in text`, the order is that of words."""
    faults = [
        f"{path}:{node.lineno}: {ast.unparse(node)}"
        for path, tree in _trees().items()
        for statement in _asserts(tree)
        for node in [statement.test]
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and not isinstance(node.ops[0], ast.In | ast.NotIn)
        if _is_settled(node.left) and not _is_settled(node.comparators[0])
    ]

    assert faults == []


def _names(node: ast.AST) -> set[str]:
    return {child.id for child in ast.walk(node) if isinstance(child, ast.Name)}


def _in_loops(statements: Sequence[ast.stmt], targets: set[str]) -> Iterator[tuple[ast.Assert, set[str]]]:
    """Yield the asserts in loops over something, with the names of what is looped over; no functions are entered."""
    for statement in statements:
        if isinstance(statement, ast.Assert) and targets:
            yield statement, targets
        elif isinstance(statement, ast.For | ast.AsyncFor):
            items = {name for name in _names(statement.target) if not name.startswith("_")}
            yield from _in_loops(statement.body, targets | items)
        elif isinstance(statement, ast.While | ast.With | ast.AsyncWith | ast.If):
            yield from _in_loops([*statement.body, *getattr(statement, "orelse", [])], targets)


def test_an_assert_in_a_loop_says_which_item_it_failed_for() -> None:
    """In its message, or since pytest shows the item with what is compared."""
    faults = [
        f"{path}:{statement.lineno}: name one of {sorted(items)}"
        for path, tree in _trees().items()
        for function in ast.walk(tree)
        if isinstance(function, Function)
        for statement, items in _in_loops(function.body, set())
        if statement.msg is None and not _names(statement) & items
    ]

    assert faults == []


def test_no_assert_is_made_twice() -> None:
    """What is called may answer otherwise the second time."""
    faults = [
        f"{path}:{statement.lineno}: {ast.unparse(statement)}"
        for path, tree in _trees().items()
        for node in ast.walk(tree)
        if isinstance(node, Function | ast.For | ast.AsyncFor | ast.With | ast.AsyncWith | ast.If)
        for before, statement in pairwise(node.body)
        if isinstance(statement, ast.Assert) and ast.dump(before) == ast.dump(statement)
        if not any(isinstance(child, ast.Call | ast.Await) for child in ast.walk(statement))
    ]

    assert faults == []


def _called(node: ast.AST) -> set[str]:
    """Return the last names of all that is called, or handed on to be called."""
    return {child.id for child in ast.walk(node) if isinstance(child, ast.Name)} | {
        child.attr for child in ast.walk(node) if isinstance(child, ast.Attribute)
    }


def _can_fail(function: Function, checks: set[str]) -> bool:
    return any(_asserts(function)) or bool(_called(function) & (checks | FAILING))


@cache
def _checks() -> set[str]:
    """Return the names of the functions of tests that say that they assert something."""
    return {
        node.name
        for tree in _trees().values()
        for node in ast.walk(tree)
        if isinstance(node, Function) and CHECK.fullmatch(node.name)
    }


def test_every_test_can_fail() -> None:
    """By an assert of its own, by a check, or by an error that it says would be one (`does_not_raise`)."""
    checks = _checks()
    faults = [
        f"{path}:{test.lineno}: {test.name}"
        for path, tree in _trees().items()
        for test in _tests(tree)
        if not _can_fail(test, checks)
    ]

    assert faults == []


def test_what_is_called_a_check_can_fail() -> None:
    checks = _checks()
    faults = [
        f"{path}:{node.lineno}: {node.name}"
        for path, tree in _trees().items()
        for node in ast.walk(tree)
        if isinstance(node, Function) and node.name in checks
        if not _can_fail(node, checks - {node.name})
        and not any(isinstance(child, ast.Raise) for child in ast.walk(node))
    ]

    assert faults == []
