"""Whether two statements of one id are the same one, as an LRS and its clients must tell (xAPI Data 2.3.1 and 2.4)."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest

from mappings.xapi.statement_equality import MAX_DEPTH, Equality, compare, fingerprint

EXTENSION = "https://lms.example.org/xapi/extensions/scorm"
SENT: dict[str, Any] = {
    "id": "0d1b7a5e-6f0c-5d3c-9a43-9a7d61c3b8ef",
    "actor": {"account": {"homePage": "https://lms.example.org", "name": "u42"}, "name": "Ada"},
    "verb": {"id": "http://adlnet.gov/expapi/verbs/passed", "display": {"en-US": "passed"}},
    "object": {
        "id": "https://lms.example.org/activities/235",
        "definition": {"type": "http://adlnet.gov/expapi/activities/lesson", "name": {"en-US": "Safety"}},
    },
    "result": {
        "score": {"scaled": 0.85, "raw": 85, "min": 0, "max": 100},
        "success": True,
        "duration": "PT120S",
        "extensions": {EXTENSION: {"display": "a", "parts": [1, 2]}},
    },
    "context": {
        "registration": "c2f0a8de-4a6b-4f0e-8f4e-2d7b9e0a1c3d",
        "contextActivities": {
            "grouping": [{"id": "https://lms.example.org/courses/12", "definition": {"name": {"en-US": "Welcome"}}}],
            "category": [{"id": "https://w3id.org/xapi/scorm"}, {"id": "https://example.org/second"}],
        },
    },
    "timestamp": "2026-01-01T00:00:00.500Z",
}


def _changed(place: str, value: Any) -> dict[str, Any]:
    """Copy the statement with the value at a place such as `result score raw` exchanged; None takes it away."""
    whole = copy.deepcopy(SENT)
    part: Any = whole
    *path, last = [int(step) if step.isdigit() else step for step in place.split()]
    for step in path:
        part = part[step]
    if value is None:
        del part[last]
    else:
        part[last] = value
    return whole


def _equality(sent: dict[str, Any], stored: dict[str, Any]) -> Equality:
    return compare(_text(sent), stored).equality


def _same(sent: dict[str, Any], stored: dict[str, Any]) -> bool:
    return _equality(sent, stored) is Equality.SAME


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def test_a_statement_is_the_same_as_itself_however_its_json_is_written() -> None:
    spread = msgspec.json.format(msgspec.json.encode(SENT, order="sorted"), indent=4).decode()

    assert _same(SENT, msgspec.json.decode(spread))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("stored", "2026-01-01T00:00:01Z"),
        ("authority", {"objectType": "Agent", "account": {"homePage": "https://lrs.example", "name": "bridge"}}),
        ("version", "1.0.0"),
        ("verb display", {"de": "bestanden"}),
        ("verb display", None),
        ("object definition", {"name": {"en-US": "Another course by now"}}),
        ("object definition", None),
        ("object objectType", "Activity"),
        ("actor objectType", "Agent"),
        ("context contextActivities grouping 0 definition", None),
        ("context contextActivities grouping 0 objectType", "Activity"),
        ("timestamp", "2026-01-01T00:00:00.5Z"),
        ("timestamp", "2026-01-01T00:00:00.500+00:00"),
        ("timestamp", "2026-01-01T01:00:00.500000+01:00"),
        ("timestamp", "2026-01-01T00:00:00.500000000Z"),
        ("result score raw", 85.0),
        ("id", SENT["id"].upper()),
        ("context registration", SENT["context"]["registration"].upper()),
        ("context contextActivities grouping", {"id": "https://lms.example.org/courses/12"}),
        ("result duration", "PT120.00S"),
    ],
)
def test_what_an_lrs_may_add_or_write_otherwise_does_not_count(place: str, value: Any) -> None:
    sent = SENT if place != "result duration" else _changed(place, "PT120.004S")
    stored = _changed(place, value)

    assert _same(sent, stored)
    assert fingerprint(sent).same_as(fingerprint(stored))


INNER = {"actor": SENT["actor"], "verb": SENT["verb"], "object": SENT["object"], "objectType": "SubStatement"}
REFERENCE = {"objectType": "StatementRef", "id": SENT["id"]}


@pytest.mark.parametrize(
    ("place", "sent", "stored"),
    [
        ("actor", {"mbox": "mailto:Ada@example.org"}, {"mbox": "mailto:Ada@EXAMPLE.org"}),
        ("actor", {"mbox_sha1sum": "a" * 40}, {"mbox_sha1sum": "A" * 40}),
        ("context language", "de-CH", "de-ch"),
        ("object", REFERENCE, REFERENCE | {"id": SENT["id"].upper()}),
        ("context statement", REFERENCE, REFERENCE | {"id": SENT["id"].upper()}),
        (
            "object",
            INNER | {"timestamp": "2026-01-01T00:00:00Z", "attachments": [{"usageType": "https://example.org/u"}]},
            INNER | {"timestamp": "2026-01-01T01:00:00+01:00"},
        ),
    ],
)
def test_case_and_instants_do_not_count_where_xapi_says_so(place: str, sent: Any, stored: Any) -> None:
    ours, theirs = _changed(place, sent), _changed(place, stored)

    assert _same(ours, theirs)
    assert fingerprint(ours).same_as(fingerprint(theirs))


@pytest.mark.parametrize(
    ("place", "sent", "stored"),
    [
        ("actor", {"mbox": "mailto:Ada@example.org"}, {"mbox": "mailto:ada@example.org"}),
        ("object id", "https://lms.example.org/a", "https://lms.example.org/A"),
        ("result score raw", 1, True),
        ("result success", True, 1),
    ],
)
def test_case_counts_where_xapi_does_not_say_otherwise_and_true_is_no_number(
    place: str, sent: Any, stored: Any
) -> None:
    ours, theirs = _changed(place, sent), _changed(place, stored)

    assert _equality(ours, theirs) is Equality.DIFFERENT
    assert not fingerprint(ours).same_as(fingerprint(theirs))


def test_an_lrs_compares_no_timestamp_that_it_had_to_set() -> None:
    assert fingerprint(SENT).same_as(fingerprint(_changed("timestamp", None)))
    assert not fingerprint(SENT).same_as(fingerprint(_changed("timestamp", "2026-01-01T00:00:00.501Z")))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("id", "1d1b7a5e-6f0c-5d3c-9a43-9a7d61c3b8ef"),
        ("actor account name", "u43"),
        ("actor account homePage", "https://lms.example.org/"),
        ("actor objectType", "Group"),
        ("verb id", "http://adlnet.gov/expapi/verbs/failed"),
        ("object id", "https://lms.example.org/activities/236"),
        ("object objectType", "StatementRef"),
        ("result", None),
        ("result score scaled", 0.86),
        ("result score raw", 84),
        ("result score max", None),
        ("result success", False),
        ("result completion", True),
        ("result duration", "PT120.5S"),
        (f"result extensions {EXTENSION} parts", [2, 1]),
        (f"result extensions {EXTENSION} display", "b"),
        ("context registration", "d2f0a8de-4a6b-4f0e-8f4e-2d7b9e0a1c3d"),
        ("context contextActivities grouping 0 id", "https://lms.example.org/courses/13"),
        ("context contextActivities category", None),
        ("context contextActivities parent", [{"id": "https://lms.example.org/courses/12"}]),
        ("timestamp", "2026-01-01T00:00:00.501Z"),
        ("timestamp", "2026-01-01T00:00:00.500+01:00"),
        ("timestamp", "2026-01-01T00:00:00.500"),
        ("timestamp", "yesterday"),
        ("timestamp", None),
    ],
)
def test_everything_else_makes_it_another_statement(place: str, value: Any) -> None:
    comparison = compare(_text(SENT), _changed(place, value))
    assert comparison.equality is Equality.DIFFERENT
    step = next(step for step in reversed(place.split()) if not step.isdigit())
    assert comparison.difference.startswith("it differs at ")
    assert step.partition("/")[0] in comparison.difference or value is None


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("actor name", "Ada Lovelace by now"),
        ("actor name", None),
        ("result duration", "PT2M"),
        ("result duration", "PT2M0.00S"),
        ("result duration", "PT0H2M0S"),
        ("result score scaled", 0.8500000238418579),
        ("context contextActivities category", [{"id": "https://example.org/second"}, {"id": "https://w3id.org/xapi/scorm"}]),
    ],
)  # fmt: skip
def test_what_is_ours_in_all_but_spelling_is_equivalent(place: str, value: Any) -> None:
    comparison = compare(_text(SENT), _changed(place, value))

    assert comparison.equality is Equality.EQUIVALENT
    assert not fingerprint(SENT).same_as(fingerprint(_changed(place, value)))
    assert ".".join(place.split()[:2]) in comparison.difference


@pytest.mark.parametrize(
    ("ours", "theirs", "equality"),
    [
        ("PT90.57S", "PT1M30.57S", Equality.EQUIVALENT),
        ("PT90.57S", "PT90.5S", Equality.EQUIVALENT),
        ("PT90.57S", "PT90.6S", Equality.EQUIVALENT),
        ("PT90.57S", "PT90S", Equality.EQUIVALENT),
        ("PT90.57S", "PT91S", Equality.EQUIVALENT),
        ("PT90.57S", "PT92S", Equality.DIFFERENT),
        ("PT90.57S", "PT90.58S", Equality.DIFFERENT),
        ("PT90S", "PT90.5S", Equality.DIFFERENT),
        ("PT26H", "P1DT2H", Equality.EQUIVALENT),
        ("PT168H", "P1W", Equality.EQUIVALENT),
        ("PT90S", "P", Equality.DIFFERENT),
        ("PT90S", "PT1.5.5S", Equality.DIFFERENT),
        ("PT90S", "P1M", Equality.DIFFERENT),
        ("PT90S", "PT" + "9" * 400 + "S", Equality.DIFFERENT),
    ],
)
def test_a_duration_is_ours_when_it_is_respelled_or_has_fewer_places(
    ours: str, theirs: str, equality: Equality
) -> None:
    assert _equality(_changed("result duration", ours), _changed("result duration", theirs)) is equality


@pytest.mark.parametrize("value", [True, "0.85", None, [0.85], 10**400], ids=lambda value: str(value)[:9])
def test_a_number_is_ours_only_as_a_number(value: Any) -> None:
    stored = copy.deepcopy(SENT)
    stored["result"]["score"]["scaled"] = value

    assert _equality(SENT, stored) is Equality.DIFFERENT


def _nested(levels: int) -> Any:
    value: Any = "deep"
    for number in range(levels):
        value = {"a": value} if number % 2 else [value]
    return value


@pytest.mark.parametrize("levels", [MAX_DEPTH, 900, 100_000])
@pytest.mark.parametrize("place", [f"result extensions {EXTENSION}", "actor name", "actor account", "object", "id"])
def test_what_is_nested_too_deeply_to_be_compared_is_another_statement(place: str, levels: int) -> None:
    stored = copy.deepcopy(SENT)
    part: Any = stored
    *path, last = place.split()
    for step in path:
        part = part[step]
    part[last] = _nested(levels)
    equality, difference = compare(_text(SENT), stored)

    assert equality is Equality.DIFFERENT
    assert "deeper than 100" in difference


@pytest.mark.parametrize("value", [None, 7, "text", [], {}, [[]], {"objectType": {}}, {"member": [{}, 1]}, {"id": []}])
@pytest.mark.parametrize(
    "place", ["actor", "verb", "object", "result", "context", "timestamp", "context contextActivities"]
)
def test_whatever_an_lrs_has_there_can_be_compared(place: str, value: Any) -> None:
    stored = copy.deepcopy(SENT)
    part: Any = stored
    *path, last = place.split()
    for step in path:
        part = part[step]
    part[last] = value

    assert _equality(SENT, stored) is Equality.DIFFERENT


def test_the_order_of_a_groups_members_does_not_count() -> None:
    members = [{"mbox": "mailto:a@example.org"}, {"mbox": "mailto:b@example.org"}]
    one, other = (
        _changed("context team", {"objectType": "Group", "member": order}) for order in (members, members[::-1])
    )

    assert _same(one, other)
    assert not _same(one, _changed("context team", {"objectType": "Group", "member": members[:1]}))


def test_attachments_do_not_count() -> None:
    attachment = {
        "usageType": "https://example.org/u",
        "display": {"en": "x"},
        "contentType": "text/plain",
        "length": 1,
    }

    assert _same(_changed("attachments", [attachment]), SENT)
