"""The data of AICC's Put commands: lines of names and values in groups, and comma-separated tables.

Groups and names are read in any case. `[Core_Lesson]` and `[Comments]` hold free text, which ends where a group that
AICC knows begins: suspend data may well have brackets in it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice

from bridge.errors import MalformedBody
from mappings.cmi.tree import MAX_ITEMS, Tree

_GROUPS = (
    "core|core_lesson|core_vendor|comments|evaluation|objectives_status|student_data|student_preferences"
    "|student_demographics|interactions_status|paths_status"
)
_HEADER = re.compile(rf"^[ \t]*+\[[ \t]*+({_GROUPS})[ \t]*+\][ \t]*+\r?$", re.IGNORECASE | re.MULTILINE)
_COMMENT_BEGINS = re.compile(r"<(?:l\.)?\d{1,9}>", re.IGNORECASE | re.ASCII)
_COMMENT_ENDS = re.compile(r"<e\.\d{1,9}>", re.IGNORECASE | re.ASCII)
_OBJECTIVE = re.compile(r"j_(id|score|status)\.(\d{1,5})", re.ASCII)
_MAX_ITEMS = MAX_ITEMS + 1
"""More than are kept of a collection, so that it is warned of."""

_STATUS = {"p": "passed", "c": "completed", "f": "failed", "i": "incomplete", "b": "browsed", "n": "not attempted"}
_EXIT = {"l": "logout", "t": "time-out", "s": "suspend"}
_TYPE = {
    "t": "true-false",
    "c": "choice",
    "f": "fill-in",
    "m": "matching",
    "p": "performance",
    "s": "sequencing",
    "l": "likert",
    "n": "numeric",
}
_RESULT = {"c": "correct", "w": "wrong", "u": "unanticipated", "n": "neutral"}
_PREFERENCES = ("audio", "language", "speed", "text")


def read_param(text: str) -> Tree:
    """Parse what PutParam tells.

    Raises:
        MalformedBody: it has no group that AICC knows.
    """
    groups = dict(_groups(text))
    if not groups:
        raise MalformedBody("The aicc_data has no group such as [Core].")
    cmi: Tree = {"core": _core(_pairs(groups.get("core", "")))}
    if "core_lesson" in groups:
        cmi["suspend_data"] = groups["core_lesson"].strip("\r\n")
    if "comments" in groups:
        cmi["comments"] = _comments(groups["comments"])
    preferences = _pairs(groups.get("student_preferences", ""))
    cmi["student_preference"] = {name: preferences[name] for name in _PREFERENCES if preferences.get(name)}
    cmi["objectives"] = _objectives(_pairs(groups.get("objectives_status", "")))
    # a group that is there and empty empties what it stands for
    return {"cmi": {name: value for name, value in cmi.items() if value != {}}}


def read_interactions(text: str) -> Tree:
    """Parse the table of PutInteractions.

    Raises:
        MalformedBody: it is no table with a column `interaction_id`.
    """
    interactions: Tree = {}
    for index, row in _table(text, "interaction_id"):
        item: Tree = {
            "id": row["interaction_id"],
            "type": _word(row.get("type_interaction", ""), _TYPE),
            "student_response": row.get("student_response", ""),
            "result": _word(row.get("result", ""), _RESULT),
            "weighting": row.get("weighting", ""),
            "latency": row.get("latency", ""),
            "time": row.get("time", ""),
            "timestamp": _timestamp(row),
        }
        if row.get("correct_response"):
            item["correct_responses"] = {"0": {"pattern": row["correct_response"]}}
        if row.get("objective_id"):
            item["objectives"] = {"0": {"id": row["objective_id"]}}
        interactions[index] = {name: value for name, value in item.items() if value}
    return {"cmi": {"interactions": interactions}}


def read_objectives(text: str) -> Tree:
    """Parse the table of PutObjectives.

    Raises:
        MalformedBody: it is no table with a column `objective_id`.
    """
    objectives: Tree = {}
    for index, row in _table(text, "objective_id"):
        objectives[index] = _objective(row["objective_id"], row.get("score", ""), row.get("status", ""))
    return {"cmi": {"objectives": objectives}}


def read_comments(text: str) -> Tree:
    """Parse the table of PutComments.

    Raises:
        MalformedBody: it is no table with a column `comment`.
    """
    comments: Tree = {}
    for index, row in _table(text, "comment"):
        item = {"comment": row["comment"], "location": row.get("location", ""), "timestamp": _timestamp(row)}
        comments[index] = {name: value for name, value in item.items() if value}
    return {"cmi": {"comments_from_learner": comments}}


def _groups(text: str) -> Iterator[tuple[str, str]]:
    headers = [header for header in _HEADER.finditer(text)]  # noqa: C416 -- `list` would let no other thread run
    ends = [header.start() for header in headers[1:]] + [len(text)]
    for header, end in zip(headers, ends, strict=False):
        yield header.group(1).lower(), text[header.end() : end]


def _pairs(text: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and not name.lstrip().startswith(";"):
            pairs[name.strip().lower()] = value.strip()
    return pairs


_NAMES_IN_CORE = frozenset({
    "lesson_location", "lesson_status", "score", "time", "student_id", "student_name", "credit", "lesson_mode",
    "output_file", "entry", "exit", "session_time", "total_time", "max_normal",
})  # fmt: skip
"""What AICC has in `[Core]`, and what clients send there that know SCORM."""


def _core(pairs: dict[str, str]) -> Tree:
    # a name that AICC does not have is an unknown element to the reader, which says so
    core: Tree = {name: value for name, value in pairs.items() if name not in _NAMES_IN_CORE}
    if "lesson_location" in pairs:
        core["lesson_location"] = pairs["lesson_location"]
    status, comma, flag = pairs.get("lesson_status", "").partition(",")
    if status.strip():
        core["lesson_status"] = _word(status, _STATUS)
    if flag.strip()[:1].lower() in _EXIT:
        core["exit"] = _EXIT[flag.strip()[0].lower()]
    elif comma and not flag.strip():
        core["exit"] = ""  # a flag that is left empty is a normal exit
    if pairs.get("score"):
        core["score"] = _score(pairs["score"])
    if pairs.get("time"):
        core["session_time"] = pairs["time"]
    return core


def _score(text: str) -> Tree:
    parts = [part.strip() for part in text.split(",")]
    return {name: part for name, part in zip(("raw", "max", "min"), parts, strict=False) if part}


def _comments(text: str) -> str:
    """Return the comments, one a line, without the marks that begin and end each: `<1>…<e.1>`."""
    *marked, rest = _COMMENT_ENDS.split(text)
    comments = [_COMMENT_BEGINS.split(part, maxsplit=1)[-1].strip() for part in marked]
    return "\n".join(comments) if comments else rest.strip()


def _objectives(pairs: dict[str, str]) -> Tree:
    rows: dict[int, dict[str, str]] = {}
    for name, value in pairs.items():
        if len(rows) >= _MAX_ITEMS:
            break
        if (match := _OBJECTIVE.fullmatch(name)) is not None:
            rows.setdefault(int(match.group(2)), {})[match.group(1)] = value
    return {
        str(max(0, number - 1)): _objective(row.get("id", ""), row.get("score", ""), row.get("status", ""))
        for number, row in sorted(rows.items())
    }


def _objective(objective_id: str, score: str, status: str) -> Tree:
    item: Tree = {"id": objective_id, "score": _score(score), "status": _word(status, _STATUS)}
    return {name: value for name, value in item.items() if value}


def _word(text: str, words: dict[str, str]) -> str:
    """Return the word that a text's first letter stands for; numbers and unknown words stay."""
    text = text.strip()
    return words.get(text[:1].lower(), text)


def _timestamp(row: dict[str, str]) -> str:
    date = row.get("date", "").replace("/", "-")
    return f"{date}T{row['time']}" if date and row.get("time") else ""


def _table(text: str, needed: str) -> Iterator[tuple[str, dict[str, str]]]:
    try:
        reader = csv.reader(io.StringIO(text.strip(), newline=""), skipinitialspace=True)
        rows = list(islice((row for row in reader if row), 1 + _MAX_ITEMS))
    except csv.Error as error:
        raise MalformedBody(f"The aicc_data is no table of comma-separated values: {error}.") from None
    names = [name.strip().lower() for name in rows[0]] if rows else []
    if needed not in names:
        raise MalformedBody(f"The aicc_data is no table whose first line names a column {needed}.")
    for index, row in enumerate(rows[1:]):
        pairs = dict.fromkeys(names, "") | dict(zip(names, (value.strip() for value in row), strict=False))
        if any(pairs.values()):
            yield str(index), pairs
