"""A statement as a sentence that people read."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from bridge.audit.components.json_view import shortened

RESULTS = 20
"""Results that a sentence tells."""


class Sentence(NamedTuple):
    """Who did what to what, and what came of it; `response` is what the learner gave, None where there is none.

    None of it is escaped. Actors, objects and responses were written by anybody.
    """

    actor: str
    verb: str
    object: str
    results: tuple[str, ...]
    response: str | None


def sentence(body: str, *, sees_names: bool, sees_cmi: bool) -> Sentence:
    """Read a statement's JSON. Without names the actor is the learner's id; without CMI data there is no response.

    Whatever is missing or of an unexpected kind is left out: mappings make statements of many shapes. What is long is
    shortened. An empty body is one that is too long to be told among others.
    """
    told = _object(msgspec.json.decode(body)) if body else {}
    verb, target, result = (_object(told.get(part)) for part in ("verb", "object", "result"))
    response = result.get("response")
    return Sentence(
        shortened(_actor(_object(told.get("actor")), sees_names=sees_names)),
        shortened(_in_a_language(verb.get("display")) or _last_part(verb.get("id"))),
        shortened(_in_a_language(_object(target.get("definition")).get("name")) or str(target.get("id", ""))),
        tuple(map(shortened, _results(result)[:RESULTS])),
        shortened(str(response)) if sees_cmi and response is not None else None,
    )


def _actor(actor: dict[str, Any], *, sees_names: bool) -> str:
    name = actor.get("name")
    if sees_names and isinstance(name, str) and name:
        return name
    account, mbox = _object(actor.get("account")), actor.get("mbox")
    if sees_names and isinstance(mbox, str):
        return mbox.removeprefix("mailto:")
    return str(account.get("name") or "a learner")


def _results(result: dict[str, Any]) -> list[str]:
    said = []
    if isinstance(result.get("completion"), bool):
        said.append("completed" if result["completion"] else "not completed")
    if isinstance(result.get("success"), bool):
        said.append("success" if result["success"] else "no success")
    score = _object(result.get("score"))
    if isinstance(score.get("scaled"), int | float):
        said.append(f"score {score['scaled'] * 100:.4g} %")
    elif "raw" in score:
        said.append(f"score {score['raw']}" + (f" of {score['max']}" if "max" in score else ""))
    extensions = _object(result.get("extensions"))
    said += [f"{_last_part(name)} {value}" for name, value in extensions.items() if isinstance(value, int | float)]
    if isinstance(result.get("duration"), str):
        said.append(time_spent(result["duration"]))
    return said


def time_spent(duration: str) -> str:
    """Say a duration as the bridge writes it, `PT1H2M3.5S`: `1 h 2 min 3.5 s`."""
    said = duration.removeprefix("PT")
    for letter, unit in (("H", " h "), ("M", " min "), ("S", " s")):
        said = said.replace(letter, unit)
    return said.strip()


def _in_a_language(texts: Any) -> str:
    """Give an English text of a language map, else any."""
    known = {tag: text for tag, text in _object(texts).items() if isinstance(text, str)}
    return next((text for tag, text in known.items() if tag.lower().startswith("en")), next(iter(known.values()), ""))


def _last_part(iri: Any) -> str:
    return str(iri or "").rstrip("/").rpartition("/")[2]


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
