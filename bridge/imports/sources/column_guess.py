"""A first column map, guessed from the names of columns: for people to look through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bridge.imports.sources.column_map import KEYS, REQUIRED
from bridge.imports.tables import LINE

_GUESSES = {
    "learner": ("learner_id", "learner", "user_id", "userid", "username", "user", "student_id", "student", "actor"),
    "learner_name": ("learner_name", "full_name", "fullname", "student_name", "display_name"),
    "activity": ("activity_id", "activity", "sco_id", "scoid", "sco", "topic_id", "module_id", "package_id", "item_id"),
    "activity_name": ("activity_name", "activity_title", "sco_title", "module_name", "title"),
    "course": ("course_id", "course", "courseid"),
    "course_name": ("course_name", "course_title"),
    "attempt": ("attempt", "attempt_number", "attempt_no"),
    "session": ("session_id", "session", "sessionid"),
    "at": ("committed_at", "updated_at", "updated", "last_updated", "modified", "modified_at",
           "timemodified", "timestamp", "last_commit_at",
           "completed_at", "date", "time"),
    "opened_at": ("opened_at", "started_at", "created_at", "created", "start_time"),
    "scorm_version": ("scorm_version", "version"),
    "terminated": ("terminated", "finished"),
    "cmi": ("cmi", "cmi_data", "runtime_data", "scorm_data"),
}  # fmt: skip
_ELEMENTS = {
    "cmi.core.lesson_status": ("lesson_status", "status"),
    "cmi.completion_status": ("completion_status", "completion"),
    "cmi.success_status": ("success_status", "success"),
    "cmi.score.raw": ("score_raw", "score", "raw_score", "grade"),
    "cmi.score.scaled": ("score_scaled", "scaled_score"),
    "cmi.score.min": ("score_min", "min_score"),
    "cmi.score.max": ("score_max", "max_score"),
    "cmi.session_time": ("session_time",),
    "cmi.total_time": ("total_time", "time_spent"),
    "cmi.location": ("location", "lesson_location", "bookmark"),
    "cmi.suspend_data": ("suspend_data",),
    "cmi.progress_measure": ("progress_measure", "progress"),
}  # fmt: skip


def suggest(columns: Sequence[str]) -> str:
    """Return a column map in TOML, as the names of columns suggest it; what is needed and missing is a comment."""
    columns = [column for column in columns if column != LINE]
    by_name = {column.lower().replace(" ", "_"): column for column in columns}
    keys = _guess(_GUESSES, by_name)
    elements: dict[str, str] = {}
    if "cmi" not in keys:
        unused_columns = {name: column for name, column in by_name.items() if column not in keys.values()}
        elements = {column: column for name, column in unused_columns.items() if name.startswith(("cmi.", "adl."))}
        elements = {
            _element(name, unused_columns): column for name, column in _guess(_ELEMENTS, unused_columns).items()
        } | elements
    lines = ["[columns]", *_key_lines(keys, columns)]
    if "scorm_version" not in keys:
        lines += ["", "[constants]", '# scorm_version = "1.2"  # or "2004"']
    if "cmi" not in keys:
        lines += ["", "[cmi]", *(f"{_toml(element)} = {_toml(column)}" for element, column in elements.items())]
        if not elements:
            lines.append('# "cmi.core.lesson_status" = ""  # at least one, or a column of all CMI data as cmi above')
    unused = [column for column in columns if column not in {*keys.values(), *elements.values()}]
    if unused:
        lines += ["", f"# not used: {', '.join(unused)}"]
    return "\n".join(lines) + "\n"


def _element(element: str, columns: Mapping[str, str]) -> str:
    """Return an element's name in the version that the columns are of: one status for both is SCORM 1.2's."""
    if not columns.keys() & {*_ELEMENTS["cmi.core.lesson_status"]} or element not in _IN_CORE:
        return element
    return _IN_CORE[element]


_IN_CORE = {
    "cmi.score.raw": "cmi.core.score.raw",
    "cmi.score.min": "cmi.core.score.min",
    "cmi.score.max": "cmi.core.score.max",
    "cmi.session_time": "cmi.core.session_time",
    "cmi.total_time": "cmi.core.total_time",
    "cmi.location": "cmi.core.lesson_location",
}


def _guess(guesses: Mapping[str, Sequence[str]], by_name: Mapping[str, str]) -> dict[str, str]:
    columns: dict[str, str] = {}
    for key, names in guesses.items():
        column = next((by_name[name] for name in names if name in by_name), None)
        if column is not None:
            columns[key] = column
    return columns


def _key_lines(keys: Mapping[str, str], columns: Sequence[str]) -> list[str]:
    lines: list[str] = []
    for key in KEYS:
        if key in keys:
            lines.append(f"{key} = {_toml(keys[key])}")
        elif key in REQUIRED:
            lines.append(f'# {key} = ""  # needed: one of {", ".join(columns[:20])}')
    return lines


def _toml(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
