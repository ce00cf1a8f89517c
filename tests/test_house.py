"""What can be kept of the project's style by a test: names, docstrings and the size of modules."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("bridge", "mappings", "storage")
MIGRATIONS = "storage/migrations/versions/"

MIN_LINES, MAX_LINES, MAX_EXCEPTION = 40, 350, 500
SMALL = {
    "bridge/audit/access/signer.py": "cookies, flashes and page addresses are signed alike",
    "bridge/audit/components/flash.py": "every form redirects with it",
    "bridge/audit/components/list_order.py": "pages of statements and of deliveries share it",
    "bridge/audit/components/time_zone.py": "all pages show times in one zone",
    "bridge/audit/dependencies.py": "what all pages are given",
    "bridge/cli/exit_codes.py": "the one table of exit codes",
    "bridge/commit_model/state_codec.py": "the one codec of states, for commits, replays and previews",
    "bridge/commit_model/statement_context.py": "commits, replays and previews make it of rows alike",
    "bridge/commit_model/target_forms.py": "commits, re-issues and adoptions make rows of it alike",
    "bridge/commits/package_scos.py": "a case of its own, which its docstring explains",
    "bridge/forwarding/backoff.py": "one formula",
    "bridge/forwarding/rate_limiter.py": "one limiter",
    "bridge/http/access_log.py": "what aiohttp asks for",
    "bridge/http/attempts.py": "one resource",
    "bridge/http/query_limiter.py": "one limiter",
    "bridge/http/query_parameters.py": "every resource checks with it",
    "bridge/loopback.py": "settings, the HTTP entry and the command line ask it",
    "bridge/operations/targets.py": "pages and commands share it",
    "bridge/settings/proxy.py": "one section of the settings",
    "bridge/spreadsheet.py": "exports of pages and reports write it alike",
    "bridge/single_flight.py": "belongs to none of its callers",
    "bridge/webhooks/subscriptions.py": "commits ask it, and must not import what sends",
    "mappings/attempt/enrollment.py": "a state, beside those of attempt and session",
    "mappings/attempt/resuming.py": "one rule, and what it can be",
    "mappings/described_enum.py": "tables of every package of the core are made with it",
    "mappings/generation/session_source.py": "what statements of pages' sessions have beside those of servers'",
    "mappings/definition/errors.py": "readers and compilers raise it",
    "mappings/xapi/timestamps.py": "every layer writes times with it",
    "storage/migrations/env.py": "Alembic's entry",
    "storage/read_only.py": "statements of the driver and of SQLAlchemy fail alike",
    "storage/refusals.py": "one table",
    "storage/gradebook_tables.py": "tables that two modules of theirs share with `storage/tables.py`",
    "storage/recording_tables.py": "one table, which two modules share with `storage/tables.py`",
    "storage/schema.py": "what the modules of tables share",
}
"""Modules of fewer lines, and why each stands alone."""
LARGE = {
    "bridge/commits/unit_of_work.py": "one transaction's rows, all of which know each other",
    "bridge/errors.py": "the one tree of errors",
    "bridge/formats/native.py": "the format with all names that clients use",
    "bridge/forwarding/forwarder.py": "the life of one batch",
    "mappings/generation/statements.py": "what is known while a commit's statements are made",
    "bridge/http/openapi_paths.py": "a table of all paths",
    "storage/attempts.py": "three tables that are read and written together",
    "storage/outbox.py": "one queue",
    "storage/queries/timeline.py": "one page's queries",
    "storage/tables.py": "all tables",
}
"""Modules of more lines, and what holds each together."""

VERBS = frozenset(
    re.findall(
        r"\w+",
        """
        Abort Accept Activate Add Admit Advance Allow Alter Answer Append Apply Ask Assert Assign Authenticate
        Authorize Bind Build Cache Calculate Call Cancel Change Check Choose Claim Classify Clear Close Collect
        Combine Commit Compare Compile Complete Compress Compute Configure Connect Convert Copy Count Create
        Decide Decode Define Delete Deliver Derive Describe Detect Discard Dispatch Draw Drop Encode End Ensure
        Erase Escape Estimate Evaluate Execute Exit Expire Explain Export Extend Extract Fail Fetch Fill Filter
        Find Finish Flush Fold Format Forward Free Generate Group Handle Hash Hide Hold Import Increment
        Initialize Insert Insist Install Invalidate Issue Iterate Join Keep Let Limit Link List Listen Load Lock
        Log Look Make Manage Map Mark Match Measure Merge Migrate Move Name Normalize Note Notify Open Order
        Pair Parse Pass Pause Poll Prepare Preview Print Probe Process Prune Publish Put Queue Raise Read
        Receive Record Redact Redirect Reduce Refill Refuse Register Reissue Reject Release Reload Remember
        Remove Render Renew Repeat Replace Replay Report Request Require Reserve Reset Resolve Respond Resume
        Retry Return Revoke Roll Round Route Run Sample Save Say Schedule Search Select Send Serialize Serve Set
        Settle Share Show Shut Sign Skip Sort Split Start Step Stop Store Stream Strip Subscribe Sum Summarize
        Take Test Throttle Track Translate Truncate Try Turn Undo Unpack Unwrap Update Upgrade Use Validate
        Verify Wait Walk Warn Watch Wrap Write Yield
        """,
    )
)
"""Verbs in the imperative that the docstring of a public function or method may begin with."""


VAGUE = re.compile(
    r"(^|_)(LONGEST|MOST|LARGEST|DEEPEST|BIGGEST|HIGHEST|LEAST|FEWEST|EVERY|BETWEEN|ENOUGH|FEW|MANY)(_|$)"
)
"""Words in constants for which `MAX_*`, `MIN_*`, `*_INTERVAL` and the like are the standard."""


PARTICIPLES = frozenset(
    {"asked", "begun", "found", "going", "gone", "kept", "made", "noted", "one", "said", "taken", "told", "whose"}
)
"""Names that say how a value came about, or nothing; a noun says what it is."""
STATE_ENUMS = frozenset(
    {
        "AlarmState",
        "AttemptStatus",
        "CompletionStatus",
        "DeliveryState",
        "DifferenceKind",
        "Disposition",
        "Ending",
        "LessonStatus",
        "RequestKind",
        "RuleOutcome",
        "SuccessStatus",
        "TargetState",
        "TryOutcome",
    }
)
"""Enums whose values no code compares with as text: members are found by every search, words are not."""
OTHER_WORDS = {
    ("bridge/formats/hyperf.py", "unknown"): "what the client sends",
}
"""Comparisons with the same word that is no state."""


def _modules() -> list[Path]:
    return [
        path
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if "node_modules" not in path.parts and MIGRATIONS not in path.as_posix()
    ]


@cache
def _trees() -> Mapping[str, ast.Module]:
    """Return the syntax tree of each module by its path below the root."""
    return {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"), str(path)) for path in _modules()
    }


def _functions(tree: ast.AST, *, inside: str = "") -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Yield the public functions, and methods of public classes, with their dotted names; no properties."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from _functions(node, inside=f"{inside}{node.name}.")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            decorators = {ast.unparse(decorator).rpartition(".")[2] for decorator in node.decorator_list}
            if not decorators & {"property", "cached_property", "setter"}:
                yield f"{inside}{node.name}", node


def _constants(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        yield from (target.id for target in targets if isinstance(target, ast.Name) and target.id.isupper())


def test_no_class_name_is_given_twice() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path, tree in _trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(path)

    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


def test_modules_are_neither_tiny_nor_huge() -> None:
    sizes = {path: len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in _trees()}
    modules = {path: size for path, size in sizes.items() if not path.endswith("__.py")}

    assert {path for path, size in modules.items() if size < MIN_LINES} == SMALL.keys()
    assert {path for path, size in modules.items() if size > MAX_LINES} == LARGE.keys()
    assert max(sizes.values()) <= MAX_EXCEPTION


def test_docstrings_of_functions_begin_with_a_verb_in_the_imperative() -> None:
    violations = []
    for path, tree in _trees().items():
        for name, node in _functions(tree):
            first = re.match(r"[\w-]+", ast.get_docstring(node) or "")
            if first is not None and first[0].replace("-", "").capitalize() not in VERBS:
                violations.append(f"{path}: {name}: {first[0]}")

    assert violations == []


def test_limits_are_called_limits() -> None:
    vague = [f"{path}: {name}" for path, tree in _trees().items() for name in _constants(tree) if VAGUE.search(name)]

    assert vague == []


def _state_words() -> set[str]:
    return {
        statement.value.value
        for tree in _trees().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and node.name in STATE_ENUMS
        for statement in node.body
        if isinstance(statement, ast.Assign)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    }


def _compared_words(tree: ast.Module) -> Iterator[str]:
    """Yield the text literals that a module compares with."""
    for node in ast.walk(tree):
        for side in [node.left, *node.comparators] if isinstance(node, ast.Compare) else []:
            for value in side.elts if isinstance(side, ast.Tuple | ast.Set | ast.List) else [side]:
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield value.value


def test_states_are_compared_with_members_and_not_with_words() -> None:
    states = _state_words()
    compared = {(path, word) for path, tree in _trees().items() for word in _compared_words(tree) if word in states}

    assert compared == OTHER_WORDS.keys()


def test_templates_compare_with_members_and_not_with_words() -> None:
    comparison = re.compile(r"(?:[=!]=|equalto\",|\bin \()\s*[\"'](?P<word>[^\"']+)[\"']")
    states = _state_words()
    violations = [
        f"{path.name}: {match['word']}"
        for path in sorted((ROOT / "bridge/audit/templates").rglob("*.html"))
        for match in comparison.finditer(path.read_text(encoding="utf-8"))
        if match["word"] in states
    ]

    assert violations == []


def test_one_pattern_tells_what_a_uuid_is() -> None:
    """Storage, which knows no xAPI, asks the standard library; in what LRSs answer it looks for ids amid other text."""
    pattern = re.compile(r"\[[0-9A-Fa-f-]+\]\{8\}")
    places = [path for path in _trees() if pattern.search((ROOT / path).read_text(encoding="utf-8"))]

    assert set(places) == {"mappings/xapi/validation/syntax.py", "storage/queries/causes.py"}


def _local_names(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    """Yield the names that a function binds: parameters, variables, loops, exceptions."""
    for node in ast.walk(function):
        if isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.ExceptHandler) and node.name is not None:
            yield node.name


def test_values_have_nouns_as_names() -> None:
    violations = {
        f"{path}: {function.name}: {name}"
        for path, tree in _trees().items()
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for name in _local_names(function)
        if name in PARTICIPLES
    }

    assert violations == set()


MIN_WORDS = 4
"""Words of a test's name that can say a property by themselves."""


def test_tests_with_short_names_say_what_they_prove() -> None:
    silent = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        if "node_modules" not in path.parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if node.name.startswith("test_") and node.name.count("_") < MIN_WORDS and ast.get_docstring(node) is None
    ]

    assert silent == []
