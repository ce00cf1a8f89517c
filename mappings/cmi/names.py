"""The names of all elements that SCORM 1.2, SCORM 2004 and AICC have, and what is said of any other one.

Sources: SCORM 1.2 RTE 3.4, SCORM 2004 RTE 4th edition 4.2 and AICC CMI001 4.0 appendix A, of which players send groups
in SCORM's clothes. What is named here is never warned of, whether the bridge reads it or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from mappings.cmi.spelling import MAX_LENGTH, nearest
from mappings.cmi.warnings import CmiWarning, WarningCode, is_full, warn

KEYWORDS = frozenset({"_children", "_count", "_version"})
"""What SCORM lets content ask of any group."""

_BOTH = """
    suspend_data launch_data comments_from_lms objectives interactions
    objectives.n.id objectives.n.score.raw objectives.n.score.min objectives.n.score.max
    interactions.n.id interactions.n.type interactions.n.weighting interactions.n.result interactions.n.latency
    interactions.n.objectives interactions.n.objectives.n.id
    interactions.n.correct_responses interactions.n.correct_responses.n.pattern
"""
_SCORM_12 = """
    core.student_id core.student_name core.lesson_location core.credit core.lesson_status core.entry core.total_time
    core.lesson_mode core.exit core.session_time core.score.raw core.score.min core.score.max
    student_data.mastery_score student_data.max_time_allowed student_data.time_limit_action
    student_preference.audio student_preference.language student_preference.speed student_preference.text
    comments objectives.n.status interactions.n.time interactions.n.student_response
"""
_SCORM_2004 = """
    learner_id learner_name location credit completion_status success_status entry exit mode session_time total_time
    completion_threshold scaled_passing_score progress_measure max_time_allowed time_limit_action
    score.scaled score.raw score.min score.max
    learner_preference.audio_level learner_preference.language learner_preference.delivery_speed
    learner_preference.audio_captioning
    comments_from_learner comments_from_learner.n.comment comments_from_learner.n.location
    comments_from_learner.n.timestamp comments_from_lms.n.comment comments_from_lms.n.location
    comments_from_lms.n.timestamp
    objectives.n.score.scaled objectives.n.success_status objectives.n.completion_status objectives.n.progress_measure
    objectives.n.description
    interactions.n.timestamp interactions.n.learner_response interactions.n.description
"""
_AICC = """
    evaluation paths student_demographics student_data.attempt_number student_data.attempt_records
    student_data.lesson_status student_data.score student_data.tries student_data.tries_during_lesson
    student_preference.lesson_type student_preference.text_color student_preference.text_location
    student_preference.text_size student_preference.video student_preference.windows
    core.score.scaled
"""
"""What content in SCORM 1.2's clothes sends besides; the last of them some players know from SCORM 2004."""


def _groups(*lists: str) -> dict[str, dict[str, None]]:
    """Return path of the group -> names of its elements and groups."""
    groups: dict[str, dict[str, None]] = {}
    for element in " ".join(lists).split():
        path = "cmi"
        for name in element.split("."):
            groups.setdefault(path, {})[name] = None
            path = f"{path}.{name}"
    return groups


_OF_12, _OF_2004 = _groups(_BOTH, _SCORM_12), _groups(_BOTH, _SCORM_2004)
_ALL = _groups(_BOTH, _SCORM_12, _SCORM_2004, _AICC) | {
    "adl": dict.fromkeys(("nav", "data")),
    "adl.nav": dict.fromkeys(("request", "request_valid")),
}
_ITEM = ".n"


def names(group: str) -> frozenset[str]:
    """Return the names of the elements and groups in a group: `cmi`, `cmi.core`, `cmi.interactions.n`, `adl.nav`."""
    return frozenset(_ALL[group]) | KEYWORDS


def check_names(branch: Mapping[str, object], group: str, path: str, warnings: list[CmiWarning]) -> None:
    """Warn of what a group or item has that SCORM does not. `path` is the group's as sent: `cmi.interactions.0`."""
    allowed = _NAMES[group]
    for name, value in branch.items():
        if name not in allowed:
            warn_of_unknown(name, value, group, path, warnings)


_NAMES = {group: names(group) for group in _ALL}


def warn_of_unknown(name: str, value: object, group: str, path: str, warnings: list[CmiWarning]) -> None:
    """Warn of an element that SCORM does not have in a group, unless it was sent empty: then nothing is lost."""
    if (not value and not isinstance(value, (bool, int, float))) or is_full(warnings):
        return
    code, message = _finding(name, group) if len(name) <= MAX_LENGTH else (WarningCode.UNKNOWN_ELEMENT, _UNKNOWN)
    warnings.append(warn(code, f"{path}.{name}" if path else name, value, message))


_UNKNOWN = "is no element of SCORM's data model and was not read"


@lru_cache(maxsize=1_024)
def _finding(name: str, group: str) -> tuple[WarningCode, str]:
    places = _places(name, group)
    if places:
        return WarningCode.MISPLACED_ELEMENT, f"belongs in the group {places} and was not read here"
    suggestion = nearest(name, (element for element in _ALL.get(group, {}) if element != "n"))
    if suggestion is not None:
        return WarningCode.UNKNOWN_ELEMENT, f"{_UNKNOWN}; did you mean {suggestion}?"
    suggestion = nearest(name, _names_anywhere())
    if suggestion is not None:
        return (
            WarningCode.UNKNOWN_ELEMENT,
            f"{_UNKNOWN}; did you mean {suggestion}? It belongs in the group {_places(suggestion, group)}.",
        )
    return WarningCode.UNKNOWN_ELEMENT, _UNKNOWN


def _names_anywhere() -> Iterable[str]:
    return (name for group, elements in _ALL.items() if group.startswith("cmi") for name in elements if name != "n")


def _places(name: str, group: str) -> str:
    """Return the groups that have an element of this name, in words; those of items only where they are meant."""
    paths = [
        path
        for path, elements in _ALL.items()
        if name in elements and path != group and (name in _OF_12.get(path, ()) or name in _OF_2004.get(path, ()))
    ]
    near = paths if _ITEM in group else [path for path in paths if _ITEM not in path] or paths
    if _ITEM in group:
        near = [path for path in paths if path.split(".")[1:2] == group.split(".")[1:2]] or paths
    return " or ".join(path + _version_of(path, name) for path in near)


def _version_of(path: str, name: str) -> str:
    old, new = name in _OF_12.get(path, ()), name in _OF_2004.get(path, ())
    if old == new:
        return ""
    return " (SCORM 1.2)" if old else " (SCORM 2004)"
