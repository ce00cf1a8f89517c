"""A statement in words: who did what, and with which result."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import msgspec

from bridge.audit.components.json_view import truncate_text

MAX_RESULTS = 20


class StatementDescription(NamedTuple):
    """A statement in words; `response` is what the learner answered, None where there is none or it is hidden.

    None of it is escaped. Actors, objects and responses were written by anybody.
    """

    actor: str = ""
    verb: str = ""
    object: str = ""
    object_id: str = ""
    results: tuple[str, ...] = ()
    response: str | None = None


def summarize(body: str | bytes, *, sees_names: bool, sees_cmi: bool) -> StatementDescription:
    """Return the summary of a statement's JSON.

    Without `sees_names` the actor is the learner's id; without `sees_cmi` there is no response. Whatever is missing or
    of an unexpected type is left out, and long values are cut. An empty body stands for one that is too long to read.
    """
    statement = _decoded(body)
    target, result = _object(statement.get("object")), _object(statement.get("result"))
    response = result.get("response")
    return StatementDescription(
        truncate_text(_actor_name(_object(statement.get("actor")), sees_names=sees_names)),
        truncate_text(_verb_name(_object(statement.get("verb")))),
        truncate_text(_object_name(target, sees_names=sees_names)),
        str(target.get("id", "")),
        tuple(map(truncate_text, _results(result, is_interaction=_is_interaction(target))[:MAX_RESULTS])),
        truncate_text(str(response)) if sees_cmi and response is not None else None,
    )


def format_duration(duration: str) -> str:
    """Return a duration as the bridge writes it (`PT1H2M3.5S`) with units: `1 h 2 min 3.5 s`."""
    text = duration.removeprefix("PT")
    for letter, unit in (("H", " h "), ("M", " min "), ("S", " s")):
        text = text.replace(letter, unit)
    return text.strip()


def _decoded(body: str | bytes) -> dict[str, Any]:
    try:
        return _object(msgspec.json.decode(body)) if body else {}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}


def _actor_name(actor: dict[str, Any], *, sees_names: bool) -> str:
    account = _object(actor.get("account"))
    candidates = [account.get("name")]
    if sees_names:
        candidates = [
            actor.get("name"), account.get("name"), actor.get("mbox"), actor.get("openid"), actor.get("mbox_sha1sum")
        ]  # fmt: skip
    for candidate in candidates:
        if candidate and isinstance(candidate, str):
            return candidate.removeprefix("mailto:")
    members = actor.get("member")
    return f"a group of {len(members)}" if isinstance(members, list) else "a learner"


def _verb_name(verb: dict[str, Any]) -> str:
    return _english(verb.get("display")) or _last_part(verb.get("id"))


def _object_name(target: dict[str, Any], *, sees_names: bool) -> str:
    match target.get("objectType", "Activity"):
        case "StatementRef":
            return f"statement {target.get('id', '')}"
        case "SubStatement":
            actor = _actor_name(_object(target.get("actor")), sees_names=sees_names)
            inner = _object_name(_object(target.get("object")), sees_names=sees_names)
            return f"{actor} {_verb_name(_object(target.get('verb')))} {inner}"
        case "Agent" | "Group":
            return _actor_name(target, sees_names=sees_names)
        case _:
            return _english(_object(target.get("definition")).get("name")) or str(target.get("id", ""))


def _is_interaction(target: dict[str, Any]) -> bool:
    return "interactionType" in _object(target.get("definition"))


def _results(result: dict[str, Any], *, is_interaction: bool) -> list[str]:
    results = []
    success = ("correct", "incorrect") if is_interaction else ("passed", "failed")
    for name, yes, no in (("completion", "completed", "not completed"), ("success", *success)):
        if isinstance(result.get(name), bool):
            results.append(yes if result[name] else no)
    score = _score(_object(result.get("score")))
    if score:
        results.append(f"score {score}")
    extensions = _object(result.get("extensions"))
    results += [f"{_last_part(name)} {value}" for name, value in extensions.items() if isinstance(value, int | float)]
    if isinstance(result.get("duration"), str):
        results.append(format_duration(result["duration"]))
    return results


def _score(score: dict[str, Any]) -> str:
    """Return a score as `80 % (8 of 10)`, as far as its parts are known."""
    raw = ""
    if "raw" in score:
        raw = f"{score['raw']} of {score['max']}" if "max" in score else f"{score['raw']}"
    if not isinstance(score.get("scaled"), int | float):
        return raw
    return f"{score['scaled'] * 100:.4g} %" + (f" ({raw})" if raw else "")


def _english(texts: Any) -> str:
    """Return an English text of a language map, else any."""
    by_tag = {tag: text for tag, text in _object(texts).items() if isinstance(text, str)}
    english = (text for tag, text in by_tag.items() if tag.lower().partition("-")[0] == "en")
    return next(english, next(iter(by_tag.values()), ""))


def _last_part(iri: Any) -> str:
    text = str(iri or "").rstrip("/")
    return re.split(r"[/#:]", text)[-1] or text


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
