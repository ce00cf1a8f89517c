"""What an LMS says of learners, activities and courses beside ids and names, and where an e-mail address goes."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.parse import quote_plus

import pytest
from sqlalchemy import select, text

from bridge.app import MAPPING_RELOADER
from bridge.commit_model.launch_fields import MAX_ATTRIBUTE_BYTES, MAX_ATTRIBUTES, MAX_DESCRIPTION_BYTES
from bridge.formats.redaction import without_email
from bridge.mapping_library import activation
from bridge.mapping_library.documents import compile_text, read_document
from bridge.operations.audit_context import AuditContext
from storage.engine import reading, writing
from storage.tables import enrollment
from tests.support.accounts import START
from tests.support.bridge import Bridge
from tests.support.frames import stored_texts
from tests.support.replay import replayed, stored

CANARY = "canary.bird@mine.example.org"
PASSED = {"core": {"lesson_status": "passed", "score": {"raw": "95"}}}
SHIPPED = read_document("scorm-profile")
DEPARTMENT = SHIPPED.replace(
    'attempt = "{attempt.number}"',
    'attempt = "{attempt.number}"\ndepartment = "{learner.attributes.department}"\n'
    'grade = "{learner.attributes.grade:number}"\nstaff = "{learner.attributes.staff:boolean}"',
)
SCORM = "https://lms.example.org/xapi/extensions/scorm"


def by(identifier: str) -> str:
    """Return the SCORM Profile's document with learners known otherwise."""
    assert 'identifier = "account"' in SHIPPED
    return SHIPPED.replace('identifier = "account"', f'identifier = "{identifier}"')


async def use(bridge: Bridge, document: str) -> None:
    """Let a document hold from now on."""
    with writing(bridge.engine) as connection:
        version_id = activation.store_version(connection, compile_text(document, "a test's"), START)
        activation.activate_version(
            connection, version_id, None, targets=(), context=AuditContext("ada", "a test", START)
        )
    assert bridge.client.app is not None
    await bridge.client.app[MAPPING_RELOADER].run_once()


def statements(bridge: Bridge, learner: str = "u1") -> list[dict[str, Any]]:
    """Return the statements that are stored of a learner."""
    return [json.loads(statement.body) for report in bridge.reports(learner) for statement in report.statements]


def holding(bridge: Bridge, word: str) -> set[str]:
    """Return the columns of the database that hold a word in any row."""
    return {f"{table}.{column}" for table, column, text in stored_texts(bridge.engine) if word in text}


async def test_attributes_are_kept_with_the_enrollment_and_told(bridge: Bridge) -> None:
    await use(bridge, DEPARTMENT)
    attributes = {"department": 'Sales "East"', "grade": 7, "staff": True, "nothing": None}
    await bridge.open(learner={"id": "u1", "attributes": attributes})
    await bridge.commit(PASSED)
    await bridge.commit(PASSED, learner={"id": "u2", "attributes": {"grade": "seventh", "staff": "maybe"}})

    expected = {"department": 'Sales "East"', "grade": 7, "staff": True}

    for statement in statements(bridge):
        assert expected.items() <= statement["context"]["extensions"][SCORM].items()
    for statement in statements(bridge, "u2"):
        assert not expected.keys() & statement["context"]["extensions"][SCORM].keys()
    assert replayed(bridge.engine, compile_text(DEPARTMENT, "x")) == stored(bridge.engine)


async def test_an_all_in_one_commit_brings_attributes_up_to_date(bridge: Bridge) -> None:
    await use(bridge, DEPARTMENT)
    for department in ("A", None, "B"):
        attributes = {} if department is None else {"attributes": {"department": department}}
        core = {"core": {"lesson_status": "incomplete", "score": {"raw": str(ord(department or "C"))}}}
        await bridge.commit(core, learner={"id": "u1"} | attributes)
    departments = [statement["context"]["extensions"][SCORM]["department"] for statement in statements(bridge)]

    assert departments == ["A", "A", "A", "B"]


@pytest.mark.parametrize(
    ("attributes", "field"),
    [
        ({f"a{number}": "x" for number in range(MAX_ATTRIBUTES + 1)}, "learner.attributes"),
        ({"a": "ü" * (MAX_ATTRIBUTE_BYTES // 2 + 1)}, "learner.attributes.a"),
        ({"a b": "x"}, "learner.attributes"),
        ({"": "x"}, "learner.attributes"),
        ({"a": ["x"]}, "learner.attributes.a"),
        ({"a": {"b": "c"}}, "learner.attributes.a"),
    ],
)
async def test_attributes_are_bounded(bridge: Bridge, attributes: dict[str, Any], field: str) -> None:
    """What is beyond a bound is refused, and the answer names the attribute."""
    body = {"learner": {"id": "u1", "attributes": attributes}, "activity": {"id": "235"}}
    status, answer = await bridge.post("/v1/sessions", body)

    assert (status, answer["code"]) == (400, "malformed-field")
    assert answer["detail"].startswith(field)


async def test_attributes_at_their_bounds_are_taken(bridge: Bridge) -> None:
    attributes = {f"{'a' * 62}{number:02}": "ü" * (MAX_ATTRIBUTE_BYTES // 2) for number in range(MAX_ATTRIBUTES)}
    await bridge.open(learner={"id": "u1", "attributes": attributes | {"a" * 62 + "00": "line\nbreak\0"}})
    with reading(bridge.engine) as connection:
        stored_attributes = json.loads(connection.execute(select(enrollment.c.learner_attributes)).scalar_one())

    assert stored_attributes == attributes | {"a" * 62 + "00": "line break "}


async def test_descriptions_are_told_of_activity_and_course(bridge: Bridge) -> None:
    long = "ü" * MAX_DESCRIPTION_BYTES
    activity = {"id": "235", "name": "Fire", "description": "How to\nput it out"}
    await bridge.commit(PASSED, activity=activity, course={"id": "7", "description": long})
    (first, *_) = statements(bridge)
    course, attempt = first["context"]["contextActivities"]["grouping"]

    assert first["object"]["id"] == "https://lms.example.org/courses/7/235"
    assert first["object"]["definition"]["description"] == {"en-US": "How to put it out"}
    assert course["definition"]["description"] == {"en-US": "ü" * (MAX_DESCRIPTION_BYTES // 2)}
    assert attempt["definition"]["name"] == {"en-US": "Attempt 1"}
    assert attempt["definition"]["description"] == {"en-US": "Attempt 1 of Fire"}


async def _post_everywhere(bridge: Bridge) -> None:
    """Return the address in every body that can tell it."""
    learner = {"id": "u1", "name": "Ada", "email": CANARY}
    whole = {"learner": learner, "activity": {"id": "235"}}
    opened = await bridge.open(**whole)
    commits = opened["commit_url"].partition(".org")[2] or opened["commit_url"]
    path = f"/v1/sessions/{opened['session_id']}/commits"
    core = {"core": {"lesson_status": "incomplete", "lesson_location": "1"}}
    assert commits
    bodies: list[dict[str, Any]] = [
        {"cmi": core, **whole},
        {"cmi": core, "user": learner, "sequence": 2},
        {"data": {"cmi": core, "learner": learner}},
        {"payload": json.dumps({"cmi": core, "learner": learner})},
        {"cmi": core, "learner": learner | {"more": {"deep": [1.0, "x"]}}},
    ]
    for number, body in enumerate(bodies):
        status, answer = await bridge.post(path, body | {"n": number})
        assert status == 200, answer
    form = "data=" + quote_plus(json.dumps({"cmi": core, "learner": learner})) + "&x=1"
    raw = json.dumps({"learner": learner, "cmi": core}).replace('"email"', '"\\u0065mail"')
    for data in (form, raw, json.dumps(json.dumps({"cmi": core, "learner": learner}))):
        status, answer = await bridge.post(path, data=data.encode())
        assert status == 200, answer
    await bridge.commit(PASSED, **whole)
    status, answer = await bridge.post("/scorm/progress/235/", {"user": learner, "cmi_data": PASSED, "attempt": 1})
    assert status == 200, answer
    postback = {
        "id": "r1",
        "registrationCompletion": "COMPLETED",
        "learner": {"id": "u9", "firstName": "Ada", "email": CANARY},
        "course": {"id": "235", "title": "Fire"},
    }
    status, answer = await bridge.post("/v1/formats/scorm-cloud", postback)
    assert status == 200, answer


async def test_an_address_that_no_document_needs_is_nowhere(bridge: Bridge) -> None:
    await _post_everywhere(bridge)

    assert holding(bridge, "canary") == set()
    assert holding(bridge, "Ada") >= {"enrollment.learner_name", "journal.body"}
    assert replayed(bridge.engine, compile_text(SHIPPED, "x")) == stored(bridge.engine)


@pytest.mark.parametrize("identifier", ["mbox", "mbox_sha1sum"])
async def test_an_address_that_a_document_needs_is_with_the_enrollment_only(bridge: Bridge, identifier: str) -> None:
    await use(bridge, by(identifier))
    await _post_everywhere(bridge)
    mbox = f"mailto:{CANARY}"
    expected = mbox if identifier == "mbox" else hashlib.sha1(mbox.encode()).hexdigest()
    nowhere = set() if identifier == "mbox_sha1sum" else {"enrollment.learner_mbox", "statement.body"}
    for statement in [*statements(bridge), *statements(bridge, "u9")]:
        assert statement["actor"] == {"objectType": "Agent", "name": statement["actor"]["name"], identifier: expected}
    await bridge.let_documents_follow()

    assert holding(bridge, "canary") - {"document.parameters"} == nowhere
    assert replayed(bridge.engine, compile_text(by(identifier), "x")) == stored(bridge.engine)


async def test_learners_without_an_address_are_known_by_their_account(bridge: Bridge) -> None:
    await use(bridge, by("mbox"))
    for learner, email in (("u1", None), ("u2", "no address"), ("u3", "a@b@c.org"), ("u4", "a#b@c.org")):
        await bridge.commit(PASSED, learner={"id": learner, "email": email})
        (actor, *_) = [statement["actor"] for statement in statements(bridge, learner)]
        assert actor == {"objectType": "Agent", "account": {"homePage": "https://lms.example.org", "name": learner}}


async def test_an_address_is_forgotten_once_no_document_needs_it(bridge: Bridge) -> None:
    await use(bridge, by("mbox"))
    await bridge.commit(PASSED, learner={"id": "u1", "email": CANARY})
    assert "enrollment.learner_mbox" in holding(bridge, "canary")
    await use(bridge, by("mbox_sha1sum"))
    await bridge.commit(PASSED, learner={"id": "u1"}, attempt=2)
    assert "enrollment.learner_mbox" not in holding(bridge, "canary")
    assert statements(bridge)[-1]["actor"]["mbox_sha1sum"] == hashlib.sha1(f"mailto:{CANARY}".encode()).hexdigest()
    await use(bridge, SHIPPED)
    await bridge.commit(PASSED, learner={"id": "u1"}, attempt=3)
    with reading(bridge.engine) as connection:
        assert connection.execute(text("SELECT learner_mbox FROM enrollment")).scalar_one() is None


def test_what_content_says_is_left_as_it_is() -> None:
    inside = '{"suspend_data":"{\\"email\\":\\"a@b.org\\"}","x":1.0,"big":123456789012345678901234567890}'
    posted_body = '{"learner":{"id":"u1","email":"a@b.org"},"cmi":' + inside + "}"

    assert without_email(posted_body.encode()) == ('{"learner":{"id":"u1"},"cmi":' + inside + "}").encode()
    for body in (inside, '{"cmi":' + inside + "}", "a=1&email=a@b.org", "email", "", "{", '{"learner":"email"}'):
        assert without_email(body.encode()) == body.encode()


@pytest.mark.parametrize(
    "body",
    [
        '{"learner":{"id":"u1","Email":"a@b.org"},"cmi":{}}',
        '{"learner":{"id":"u1","E-Mail":"a@b.org"},"cmi":{}}',
        '{"learner":{"id":"u1","email_address":"a@b.org"},"cmi":{}}',
        '{"user":{"id":"u1","MAIL":"a@b.org"},"cmi":{}}',
        '{"learner":{"id":"u1","mbox":"mailto:a@b.org"},"cmi":{}}',
        '{"learner":{"id":"u1"},"email":"a@b.org","cmi":{}}',
        '{"learner":{"id":"u1"},"learnerEmail":"a@b.org","cmi":{}}',
        '{"learner":{"id":"u1","email":"a@b.org"},"learner":{"id":"u1"},"cmi":{}}',
        '{"learner":{"id":"u1","e\\u006dail":"a@b.org"},"cmi":{}}',
    ],
)
def test_other_words_for_an_address_are_taken_out_as_well(body: str) -> None:
    redacted = json.loads(without_email(body.encode()))

    assert "b.org" not in json.dumps(redacted)
    assert redacted[next(iter(redacted))] == {"id": "u1"}
    assert redacted["cmi"] == {}


def test_what_content_calls_an_address_stays() -> None:
    for body in ('{"cmi":{"email":"a@b.org"}}', '{"mailing":"a@b.org","cmi":{}}', '{"cmi.comments":"mail a@b.org"}'):
        assert without_email(body.encode()) == body.encode()


def test_in_a_form_the_address_alone_is_emptied() -> None:
    inside = json.dumps({"suspend_data": json.dumps({"email": "kept@b.org"})})
    posted_body = f'{{"learner": {{"id": 1, "email" : "ü.a@b.org"}}, "cmi": {inside}}}'
    for value in (
        quote_plus(posted_body),
        posted_body,
        quote_plus(posted_body).replace("%22", "%22").replace("+", "%20"),
    ):
        form = without_email(f"a=1&data={value}&b=2".encode()).decode()
        assert "b.org" in form, value
        assert "a@b.org" not in form, value
        assert "a%40b.org" not in form, value
        assert form.startswith("a=1&data="), value
        assert form.endswith("&b=2"), value


@pytest.mark.parametrize(
    "nested", [b'{"a":' * 100_000, b"\xff", b"{" * 10, b"--b\r\n--b\r\n\r\n{", b'"\\u00', b'{"learner":{"email":']
)
def test_a_body_that_no_reader_takes_is_left_as_it_is(nested: bytes) -> None:
    body = nested + b'"email"'

    assert without_email(body) == body
