"""The tables of state and profile documents: every fault is found, named and placed."""

from __future__ import annotations

import pytest

from mappings.definition import compile_definition, load_definition
from mappings.definition.model import DOCUMENT_PARTS, PARTS_OF, RESOURCES, DocumentDefinition, DocumentPart, Resource
from tests.mappings.test_documents import SMALL, changed, faults, line_of

STATE = """
[documents.state]
resource = "activities/state"
id = "https://example.org/state"
activity = "sco"
content = ["location", "total_time"]
every = 10
send = true
"""
ATTEMPTS = """
[documents.attempts]
resource = "activities/state"
id = "https://example.org/attempts"
activity = "sco"
content = ["attempts"]
attempts = "attempt"
every = 0
send = false

[activities.attempt]
id = "{activity.iri}{attempt.query}"
type = "http://adlnet.gov/expapi/activities/attempt"
"""
LEARNER = """
[documents.learner]
resource = "agents/profile"
id = "https://example.org/learner"
content = ["learner_id"]
every = 86400
send = true
"""
ITEM = """
[activities.item]
id = "{activity.iri}/{item.id}"
type = "http://adlnet.gov/expapi/activities/objective"
"""
WHOLE = SMALL + STATE + ATTEMPTS + LEARNER + ITEM


def documents(text: str) -> tuple[DocumentDefinition, ...]:
    """Return the documents that a mapping document describes."""
    return compile_definition(load_definition(text, "test.toml"), "test.toml").definition.documents


def test_a_document_is_read_as_it_is_described() -> None:
    assert documents(WHOLE) == (
        DocumentDefinition(
            "state",
            "activities/state",
            "https://example.org/state",
            "sco",
            ("location", "total_time"),
            None,
            10,
            send=True,
        ),
        DocumentDefinition(
            "attempts",
            "activities/state",
            "https://example.org/attempts",
            "sco",
            ("attempts",),
            "attempt",
            0,
            send=False,
        ),
        DocumentDefinition(
            "learner", "agents/profile", "https://example.org/learner", None, ("learner_id",), None, 86400, send=True
        ),
    )


@pytest.mark.parametrize("text", [SMALL, SMALL + "\n[documents]\n"], ids=["no table", "an empty table"])
def test_a_mapping_document_can_do_without_documents(text: str) -> None:
    assert documents(text) == ()


@pytest.mark.parametrize("resource", RESOURCES)
@pytest.mark.parametrize("part", DOCUMENT_PARTS)
def test_each_resource_holds_its_parts_and_no_others(resource: Resource, part: DocumentPart) -> None:
    described = LEARNER if resource == "agents/profile" else STATE
    text = changed(f'"{described.split(chr(34))[1]}"', f'"{resource}"', described)
    text = changed('"learner_id"' if described is LEARNER else '"location", "total_time"', f'"{part}"', text)
    if part == "attempts":
        text += 'attempts = "attempt"\n'
    text = SMALL + text + ATTEMPTS[ATTEMPTS.index("[activities") :]
    if part in PARTS_OF[resource]:
        assert [document.content for document in documents(text)] == [(part,)]
    else:
        (fault,) = faults(text)
        assert fault.place.endswith(".content")
        assert fault.message == f"cannot hold {part}: {resource} is {RESOURCES[resource]}"


STATES, LIST, PROFILE = "documents.state", "documents.attempts", "documents.learner"


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        ("[documents.state]", "[documents.State]", "documents.State", "must be named with lower-case letters, digits"),
        ("[documents.state]", '[documents."a b"]', "documents.a b", "must be named with lower-case letters, digits, -"),
        (
            '"activities/state"\nid = "https://example.org/state"',
            '"x"\nid = "x:y"',
            f"{STATES}.resource",
            "'x' is not ",
        ),
        ('resource = "agents/profile"\n', "", f"{PROFILE}.resource", "is missing: text is needed"),
        ('"https://example.org/state"', '"state"', f"{STATES}.id", "must be a full IRI such as http"),
        ('"https://example.org/state"', '"x:{learner.id}"', f"{STATES}.id", "must be a full IRI such as http"),
        ('"https://example.org/state"', "7", f"{STATES}.id", "must be text, not 7"),
        ('"https://example.org/state"', '""', f"{STATES}.id", "must not be empty"),
        ('activity = "sco"\ncontent = ["l', 'content = ["l', f"{STATES}.activity", "is missing: text is needed"),
        (
            '"sco"\ncontent = ["l',
            '"scos"\ncontent = ["l',
            f"{STATES}.activity",
            "'scos' is not an activity described in",
        ),
        (
            '"sco"\ncontent = ["l',
            '"item"\ncontent = ["l',
            f"{STATES}.activity",
            "'item' is not an activity described in",
        ),
        (
            '"agents/profile"',
            '"agents/profile"\nactivity = "sco"',
            f"{PROFILE}.activity",
            "is not known here; known ar",
        ),
        ('content = ["learner_id"]\n', "", f"{PROFILE}.content", "is missing: a list of text is needed"),
        ('["learner_id"]', "[]", f"{PROFILE}.content", "needs at least one; there are: attempts, comments_from_lms"),
        ('["learner_id"]', '"learner_id"', f"{PROFILE}.content", "must be a list of text, not 'learner_id'"),
        ('["learner_id"]', "[7]", f"{PROFILE}.content", "must hold text only, not 7"),
        (
            '["learner_id"]',
            '["learner"]',
            f"{PROFILE}.content",
            "'learner' is not a part of a document; there are: att",
        ),
        ('["learner_id"]', '["learner_id", "learner_id"]', f"{PROFILE}.content", "names one of its words twice"),
        (
            '["learner_id"]',
            '["learner_id", "mode"]',
            f"{PROFILE}.content",
            "cannot hold mode: agents/profile is of one",
        ),
        (
            '"total_time"]',
            '"suspend_data"]',
            f"{STATES}.content",
            "cannot hold suspend_data together with other parts: it must",
        ),
        (
            '["attempts"]',
            '["attempts", "mode"]',
            f"{LIST}.content",
            "cannot hold attempts together with other parts: it must",
        ),
        ('attempts = "attempt"\n', "", f"{LIST}.attempts", "is missing: text is needed"),
        ('attempts = "attempt"', 'attempts = "try"', f"{LIST}.attempts", "'try' is not an activity described in [acti"),
        ('attempts = "attempt"', 'attempts = "item"', f"{LIST}.attempts", "'item' is not an activity described in [ac"),
        (
            'attempts = "attempt"',
            'attempts = "sco"',
            f"{LIST}.attempts",
            "cannot be sco, which is the same in all atte",
        ),
        (
            "every = 10",
            'every = 10\nattempts = "attempt"',
            f"{STATES}.attempts",
            "is not known here; known are activit",
        ),
        ("every = 10\n", "", f"{STATES}.every", "is missing: a number of seconds is needed"),
        ("every = 10", "every = -1", f"{STATES}.every", "must be 0 to 86400 seconds, not -1"),
        ("every = 10", "every = 86401", f"{STATES}.every", "must be 0 to 86400 seconds, not 86401"),
        ("every = 10", "every = 1.5", f"{STATES}.every", "must be a number of seconds, not 1.5"),
        ("every = 10", 'every = "10"', f"{STATES}.every", "must be a number of seconds, not '10'"),
        ("every = 10", "every = true", f"{STATES}.every", "must be a number of seconds, not True"),
        ("send = false\n", "", f"{LIST}.send", "is missing: true or false is needed"),
        ("send = false", "send = 0", f"{LIST}.send", "must be true or false, not 0"),
        (
            "send = false",
            "send = false\nsent = true",
            f"{LIST}.sent",
            "is not known here; known are activity, attempts",
        ),
    ],
)
def test_a_fault_says_where_and_what(old: str, new: str, place: str, message: str) -> None:
    text = changed(old, new, WHOLE)
    (fault,) = faults(text)

    assert fault.place == place
    assert fault.message.startswith(message)
    assert fault.line


@pytest.mark.parametrize(
    ("table", "place"),
    [("documents = 7", "documents"), ("documents = [1]", "documents"), ("documents.state = 7", "documents.state")],
)
def test_documents_that_are_no_tables_are_a_fault(table: str, place: str) -> None:
    problems = faults(f"{table}\n{SMALL}")

    assert (problems[0].place, problems[0].message[:16]) == (place, "must be a table,")


@pytest.mark.parametrize("name", ["state", "learner"])
def test_two_documents_of_one_place_are_a_fault(name: str) -> None:
    described = {"state": STATE, "learner": LEARNER}[name]
    text = WHOLE + described.replace(f"[documents.{name}]", "[documents.again]")
    (fault,) = faults(text)

    assert (fault.place, fault.line) == ("documents.again", line_of(text, "[documents.again]"))
    assert fault.message == "has the resource, activity and id of an earlier document"


def test_two_documents_of_one_activity_under_two_names_are_at_one_place() -> None:
    same = SMALL[SMALL.index("[activities.sco]") : SMALL.index("[context]")].replace("sco", "lesson")
    again = STATE.replace("documents.state", "documents.again").replace('"sco"', '"lesson"')

    assert [fault.place for fault in faults(WHOLE + same + again)] == ["documents.again"]


def test_documents_of_other_resources_activities_or_ids_have_places_of_their_own() -> None:
    for old, new in (
        ("example.org/state", "example.org/other"),
        ('"sco"', '"attempt"'),
        ('"activities/state"', '"activities/profile"'),
    ):
        again = changed(old, new, STATE).replace("documents.state", "documents.again")
        again = again.replace('"location", "total_time"', '"launch_data"')
        assert len(documents(WHOLE + again)) == 4, old


def test_documents_without_a_place_are_not_told_to_share_one() -> None:
    bare = "\n[documents.{}]\n" + STATE.split("\n", 4)[-1]
    problems = faults(SMALL + bare.format("one") + bare.format("two"))

    assert {fault.message[:10] for fault in problems} == {"is missing"}
    assert {fault.place.rpartition(".")[0] for fault in problems} == {"documents.one", "documents.two"}
