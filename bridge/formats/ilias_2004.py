"""ILIAS's SCORM 2004 player (`storeScorm2004.php`): rows of its tables, whose columns are known by their position.

`{"node": [[…]], "interaction": [[…]], "correct_response": [], "objective": [], "comment": [], "now_global_status": 2}`:
a row of `node` is a SCO with all that its session holds. The rows of the other tables belong to it; they come whole, or
not at all where nothing of that table has changed since the last post.

Source: ILIAS, `rtemain/main.js` and `class.ilSCORM2004StoreData.php`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from bridge.errors import BridgeError, MalformedBody
from bridge.formats.body import Body
from bridge.formats.commit_request import CommitRequest
from bridge.formats.format import Format, FormatRequest, FormatResponse, SessionData, checked_sco_id, json_response
from bridge.formats.ilias import MAX_SCOS, launch_words
from mappings.attempt.commit import Commit
from mappings.cmi.tree import MAX_ITEMS, Tree, scalar

_NODE_ID, _SCO = 15, 19
_ELEMENTS = {
    17: "completion_status", 18: "completion_threshold", 21: "credit", 23: "entry", 24: "exit", 26: "launch_data",
    27: "learner_name", 28: "location", 31: "mode", 33: "progress_measure", 36: "scaled_passing_score",
    37: "session_time", 38: "success_status", 39: "suspend_data", 40: "total_time",
}  # fmt: skip
_PREFERENCES = {12: "audio_captioning", 13: "audio_level", 22: "delivery_speed", 25: "language"}
_SCORE = {29: "max", 30: "min", 34: "raw", 35: "scaled"}
_COMMENT = {2: "comment", 3: "timestamp", 4: "location"}
_COMMENT_IS_OF_LMS = 5
_INTERACTION = {
    2: "description", 3: "id", 4: "latency", 5: "learner_response", 6: "result", 7: "timestamp", 8: "type",
    9: "weighting",
}  # fmt: skip
_PATTERN = {2: "pattern"}
_OBJECTIVE = {3: "completion_status", 4: "description", 5: "id", 10: "progress_measure", 11: "success_status"}
_OBJECTIVE_SCORE = {6: "max", 7: "min", 8: "raw", 9: "scaled"}
_OF_NODE = ("comment", "interaction", "objective", "correct_response")
"""The tables whose rows belong to one of `node`."""

Row = list[Any]


def _detect(request: CommitRequest, body: Body) -> FormatRequest | None:
    content = body.json
    if not isinstance(content, dict) or not isinstance(content.get("node"), list):
        return None
    return _parse(request, body) if "i_check" in content or "now_global_status" in content else None


def _parse(request: CommitRequest, body: Body) -> FormatRequest | None:
    content = body.json
    if not isinstance(content, dict):
        return None
    if "node" not in content:
        # the player's last word as its window closes is of no SCO
        return FormatRequest() if "total_time_sec" in content and "hash" in content else None
    tables = {table: _rows(content, table) for table in ("node", *_OF_NODE)}
    nodes = {_sco(row, number): row for number, row in enumerate(tables["node"])}
    if len(nodes) > MAX_SCOS:
        raise MalformedBody(f"The body has values of {len(nodes)} SCOs; at most {MAX_SCOS} are taken at once.")
    whole_status = content.get("now_global_status")
    package_status = whole_status if isinstance(whole_status, int) and not isinstance(whole_status, bool) else None
    learner, course, launch = launch_words(request, content)
    if len(nodes) == 1:
        ((sco, node),) = nodes.items()
        return FormatRequest(
            commit=_commit(request, node, _of_one_node(node, tables)),
            sco=sco,
            package_status=package_status,
            learner=learner,
            course=course,
            launch=launch,
        )
    parts = [
        FormatRequest(
            commit=_commit(request, nodes[sco], part),
            sco=sco,
            payload=msgspec.json.encode({"node": [nodes[sco]], "i_check": 0, **part}),
            package_status=package_status,
        )
        for sco, part in _by_sco(nodes, tables).items()
    ]
    if not parts:
        return FormatRequest(package_status=package_status)
    return replace(parts[0], others=tuple(parts[1:]), learner=learner, course=course, launch=launch)


def _rows(content: Mapping[str, Any], table: str) -> list[Row]:
    rows = content.get(table)
    if rows is None:
        return []
    if not isinstance(rows, list):
        raise MalformedBody(f"{table} is a list of rows, each of which is a list of values.")
    for number, row in enumerate(rows):
        if not isinstance(row, list):
            raise MalformedBody(f"Number {number} of {table} is not a list of values.")
    return rows


def _sco(row: Row, number: int) -> str:
    sco = checked_sco_id(_cell(row, _SCO), f"Number {number} of node")
    if not sco:
        raise MalformedBody(f"Number {number} of node has no SCO, which is the value at position {_SCO}.")
    return sco


def _of_one_node(node: Row, tables: Mapping[str, list[Row]]) -> dict[str, list[Row]]:
    """Return the rows of the only SCO: all but the objectives that the whole package shares."""
    node_id = _key(node, _NODE_ID)
    objectives = [row for row in tables["objective"] if node_id is None or _key(row, 1) is not None]
    return {table: tables[table] for table in _OF_NODE} | {"objective": objectives}


def _by_sco(nodes: Mapping[str, Row], tables: Mapping[str, list[Row]]) -> dict[str, dict[str, list[Row]]]:
    """Return the rows of each SCO.

    Correct responses name an interaction only; where two SCOs have one of that key, they are left out.
    """
    parts: dict[str, dict[str, list[Row]]] = {sco: {table: [] for table in _OF_NODE} for sco in nodes}
    sco_of_node = {_key(node, _NODE_ID): sco for sco, node in nodes.items()}
    scos_of_interaction: dict[str | None, set[str]] = {}
    for table in _OF_NODE[:3]:
        for row in tables[table]:
            sco = sco_of_node.get(_key(row, 1))
            if sco is not None:
                parts[sco][table].append(row)
                if table == "interaction":
                    scos_of_interaction.setdefault(_key(row, 0), set()).add(sco)
    for row in tables["correct_response"]:
        scos = scos_of_interaction.get(_key(row, 1), set())
        if len(scos) == 1:
            parts[next(iter(scos))]["correct_response"].append(row)
    return parts


def _commit(request: CommitRequest, node: Row, rows: Mapping[str, list[Row]]) -> Commit:
    cmi: Tree = _named(node, _ELEMENTS)
    if score := _named(node, _SCORE):
        cmi["score"] = score
    if preferences := _named(node, _PREFERENCES):
        cmi["learner_preference"] = preferences
    comments = [_named(row, _COMMENT) for row in rows["comment"] if not _cell(row, _COMMENT_IS_OF_LMS)]
    interactions, by_key = _interactions(rows["interaction"])
    objectives: list[Tree] = []
    for row in rows["objective"]:
        interaction = by_key.get(_key(row, 0) or "")
        if interaction is not None:
            interaction.setdefault("objectives", []).append({"id": _cell(row, 5)})
        elif _key(row, 0) is None:
            objectives.append(_objective(row))
    for row in rows["correct_response"]:
        interaction = by_key.get(_key(row, 1) or "")
        if interaction is not None:
            interaction.setdefault("correct_responses", []).append(_named(row, _PATTERN))
    for name, collection in (
        ("comments_from_learner", comments), ("interactions", interactions), ("objectives", objectives)
    ):  # fmt: skip
        if collection:
            cmi[name] = collection
    return Commit(wire_format="ilias-2004", tree={"cmi": cmi}, scorm_version="2004", echoes=True, beacon=request.beacon)


def _interactions(rows: Iterable[Row]) -> tuple[Tree, dict[str, Tree]]:
    """Return interactions by their index in the session, and by the key that other rows have of them.

    The player gives a new one its index as key. Those that it was loaded with have keys of ILIAS's database, and were
    there before: they have the indices from 0 on that no new one has.
    """
    by_key: dict[str, Tree] = {}
    for number, row in enumerate(rows):
        key = _key(row, 0)
        by_key.setdefault(f"row {number}" if key is None else key, _named(row, _INTERACTION))
    new = {key for key in by_key if _is_index(key, len(by_key))}
    free = (str(index) for index in range(len(by_key)) if str(index) not in new)
    indices = {key: key if key in new else next(free) for key in by_key}
    return {indices[key]: interaction for key, interaction in by_key.items()}, by_key


def _is_index(key: str, count: int) -> bool:
    return key.isascii() and key.isdigit() and len(key) < 5 and int(key) < min(count, MAX_ITEMS)


def _objective(row: Row) -> Tree:
    objective: Tree = _named(row, _OBJECTIVE)
    if score := _named(row, _OBJECTIVE_SCORE):
        objective["score"] = score
    return objective


def _named(row: Row, names: Mapping[int, str]) -> Tree:
    """Return the values that a row has, by their names."""
    return {name: value for place, name in names.items() if (value := _cell(row, place)) is not None}


def _cell(row: Row, place: int) -> Any:
    return row[place] if place < len(row) else None


def _key(row: Row, place: int) -> str | None:
    """Return the key of a row that another row, or the same, has at a place; 0 and none are told from each other."""
    return scalar(_cell(row, place))


def _respond(format_request: FormatRequest, commit_response: bytes | None, data: SessionData | None) -> FormatResponse:
    if format_request.requested is not None:
        return json_response(format_request, commit_response, data)
    # the player loads the page around it anew where this is not what it has counted itself
    return FormatResponse(msgspec.json.encode({"new_global_status": format_request.package_status}), "text/javascript")


def _respond_error(error: BridgeError, format_request: FormatRequest | None) -> FormatResponse:  # noqa: ARG001 -- the same for all calls
    return FormatResponse(f"error: {error.detail}".encode(), "text/plain", error.status)


FORMAT = Format(
    name="ilias-2004",
    description='rows of ILIAS\'s tables: {"node": [[…]], "interaction": [[…]], "now_global_status": 1, …}',
    detect=_detect,
    parse=_parse,
    respond=_respond,
    respond_error=_respond_error,
)
