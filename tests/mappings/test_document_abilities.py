"""What a mapping document can say beyond the shipped ones: places of a commit, numbers, attributes, other actors."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from mappings.attempt import AttemptState, SessionState
from mappings.attempt.changes import Change, Trigger
from mappings.cmi.scores import Score, score
from mappings.cmi.snapshot import Snapshot
from mappings.definition.compiled import CompiledMapping
from mappings.generation.statements import generate_statements
from mappings.xapi.validation import Edition, check_statement
from tests.mappings.builders import NOON
from tests.mappings.statement_builders import (
    SHIPPED,
    compiled,
    facts,
    reached,
    tell,
)
from tests.mappings.test_documents import SMALL, changed, faults

OTHER = "44444444-4444-4444-8444-444444444444"
PLACE = """
[[rules]]
name = "moved"
when = "location.changed"
verb = "progressed"
object = "page"
once = "change"

[activities.page]
id = "{activity.iri}/pages/{location|none}"
type = "http://adlnet.gov/expapi/activities/module"
name = "{location}"
"""


def with_extensions(*lines: tuple[str, object], rule: str = "") -> CompiledMapping:
    """Return the small document with extensions of the context, each a line, and of its rule."""
    table = "\n[context.extensions]\n" + "\n".join(f'"x:{name}" = {value}' for name, value in lines) if lines else ""
    return compiled(SMALL.replace('once = "attempt"', f'once = "attempt"\n{rule}') + table)


def extensions(
    mapping: CompiledMapping, snapshot: Snapshot | None = None, session: SessionState | None = None, **who: Any
) -> dict[str, Any]:
    """Return the extensions of a statement's context."""
    done = generate_statements(
        mapping,
        facts(**who),
        reached(snapshot or Snapshot()),
        session or SessionState(),
        [Change(Trigger.COMPLETION_COMPLETED)],
        NOON,
    )
    (generated,) = done.statements
    statement = json.loads(generated.body)
    assert generated.problem is None
    assert [*check_statement(statement, "", Edition.ONE), *check_statement(statement, "", Edition.TWO)] == []
    return statement["context"].get("extensions", {})


@pytest.mark.parametrize(("location", "part"), [("p 2", "p%202"), ("a%20b", "a%20b"), ("/x?y#z", "%2Fx%3Fy%23z")])
def test_the_learners_place_can_be_an_activity(location: str, part: str) -> None:
    mapping = compiled(SHIPPED + PLACE)
    (statement,) = tell("location.changed", mapping=mapping, known=Snapshot(location=location))

    assert statement["object"]["id"] == f"https://lms.example.org/courses/7/235/pages/{part}"
    assert statement["object"]["definition"]["name"] == {"en-US": location}


def test_each_commits_place_is_told_in_statements_of_one_session() -> None:
    mapping = compiled(SHIPPED + PLACE)
    statements = [
        tell("location.changed", mapping=mapping, known=Snapshot(location=place))[0] for place in ("1", "2", None, "1")
    ]

    assert [statement["object"]["id"].rpartition("/")[2] for statement in statements] == ["1", "2", "none", "1"]
    assert ["name" in statement["object"]["definition"] for statement in statements] == [True, True, False, True]


@pytest.mark.parametrize(
    ("value", "held"),
    [
        ("0.8", 0.8),
        ("7", 7),
        ("true", True),
        ("false", False),
        ('"{attempt.number:number}"', 2),
        ('"{attempt.number}"', "2"),
        ('"{mastery_score:number}"', 0.85),
        ('"{learner.attributes.grade:number}"', -7.5),
        ('"{learner.attributes.staff:boolean}"', True),
        ('"{learner.attributes.grade}"', "-7.5"),
        ('"{learner.attributes.none|-}"', "-"),
        (
            '"in {learner.attributes.grade}: {session.mode}, {session.credit}{session.part}"',
            "in -7.5: review, no-credit",
        ),
        ('{ a = "{attempt.number:number}", b = 1, c = "x", d = "{location}", e = "{location|?}" }', None),
        ('"{learner.attributes.none}"', ...),
        ('"{learner.attributes.none:number}"', ...),
        ('"{learner.attributes.staff:number}"', ...),
        ('"{learner.attributes.grade:boolean}"', ...),
        ('"{activity.name:number}"', ...),
        ('{ a = "{location}" }', ...),
    ],
)
def test_an_extension_holds_texts_numbers_and_booleans_and_is_left_out_where_it_is_not_known(
    value: str, held: object
) -> None:
    attributes = json.dumps({"grade": "-7.5", "staff": "TRUE"})
    session = SessionState(mode="review", credit="no-credit")
    extension_values = extensions(
        with_extensions(("v", value)), Snapshot(scaled_passing_score=0.85), session, learner_attributes=attributes
    )

    if held is ...:
        assert extension_values == {}
    elif held is None:
        assert extension_values == {"x:v": {"a": 2, "b": 1, "c": "x", "e": "?"}}
    else:
        assert extension_values == {"x:v": held}
        assert type(extension_values["x:v"]) is type(held)


@pytest.mark.parametrize(
    ("snapshot", "expected"),
    [
        (Snapshot(scaled_passing_score=0.123456), 0.1235),
        (Snapshot(scaled_passing_score=1), 1),
        (Snapshot(scaled_passing_score=-0.5), None),
        (Snapshot(mastery_score=80), 0.8),
        (Snapshot(mastery_score=0), 0),
        (Snapshot(mastery_score=180), None),
        (Snapshot(scaled_passing_score=0.5, mastery_score=80), 0.5),
        (Snapshot(), None),
    ],
)
def test_the_score_to_pass_is_told_from_0_to_1(snapshot: Snapshot, expected: float | None) -> None:
    mapping = with_extensions(rule='extensions = { "x:m" = "{mastery_score:number}" }')

    assert extensions(mapping, snapshot).get("x:m") == expected


def test_a_rules_extensions_are_told_with_the_contexts_and_win() -> None:
    mapping = with_extensions(("a", 1), ("b", 1), rule='extensions = { "x:b" = 2, "x:c" = "{learner.id}" }')

    assert extensions(mapping) == {"x:a": 1, "x:b": 2, "x:c": "u42"}


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        ('"{learner.id}"', '"{session.mode}"', "actor.account", "cannot hold session.mode: it must stay the same from"),
        ('"{registration}"', '"{session.mode}"', "context.registration", "cannot hold session.mode: it must stay the"),
        ('"{lms.base}/a/', '"{lms.base}/{session.mode}/', "iris.activity", "cannot hold session.mode: it must stay th"),
        ('"{learner.id}"', '"{attempt.number:number}"', "actor.account", "cannot be a number or boolean: only values"),
        (
            "category = []",
            'category = []\nextensions = {"x:y" = "{attempt.number:text}"}',
            "context.extensions.x:y",
            "{at",
        ),
        (
            "category = []",
            'category = []\nextensions = {"x:y" = "a {attempt.number:number}"}',
            "context.extensions.x:y",
            "a",
        ),
        (
            "category = []",
            'category = []\nextensions = {"x:y" = "{location:number|1}"}',
            "context.extensions.x:y",
            "{loc",
        ),
        (
            "category = []",
            'category = []\nextensions = {"x:y" = [1]}',
            "context.extensions.x:y",
            "must be text, a number",
        ),
        (
            "category = []",
            'category = []\nextensions = {"x:y" = nan}',
            "context.extensions.x:y",
            "must be text, a number",
        ),
        (
            "category = []",
            'category = []\nlanguage = "{learner.id}"',
            "context.language",
            "must be a language tag such",
        ),
        ("category = []", 'category = []\nlanguage = "en_US"', "context.language", "must be a language tag such as"),
        (
            '"{learner.id}"',
            '"{learner.attributes.a b}"',
            "actor.account",
            "{learner.attributes.a b} is not known; know",
        ),
        (
            '"{learner.id}"',
            '"{learner.attributes.a}"',
            "actor.account",
            "cannot do without learner.attributes.a, which",
        ),
        ('"{learner.id}"', '"{learner.id}"\nidentifier = "openid"', "actor.identifier", "'openid' is not an identifie"),
        ('idle = "abandoned"', 'idle = "abandoned"\noverlap = "x"', "status.overlap", "'x' is not one of the policies"),
        (
            'idle = "abandoned"',
            'idle = "abandoned"\nscaled_score = "x"',
            "status.scaled_score",
            "'x' is not a way to s",
        ),
        ('"{activity.iri}"', '"{activity.iri}"\nkeep_iri = true', "activities.sco.keep_iri", "cannot be: the activity"),
        (
            'course = "{lms.base}/c/{course.id}"',
            'course = "{activity.iri}/c"\nactivity_in_course = "{course.base}/a"',
            "iris.activity_in_course",
            "cannot be made of course.iri, which is made of it",
        ),
    ],
)
def test_a_fault_says_where_and_what(old: str, new: str, place: str, message: str) -> None:
    (fault,) = faults(changed(old, new))

    assert fault.place == place
    assert fault.message.startswith(message)


def test_an_activity_that_commits_change_has_no_documents() -> None:
    document = (
        '[documents.d]\nresource = "activities/state"\nid = "x:d"\nactivity = "page"\ncontent = ["location"]\n'
        "every = 1\nsend = true\n"
    )
    (fault,) = faults(SHIPPED + PLACE + document)

    assert fault.place == "documents.d.activity"


@pytest.mark.parametrize(
    ("language", "learner_language", "expected"),
    [
        ('"{learner.language}"', "de-CH", "de-CH"),
        ('"{learner.language}"', "deutsch", None),
        ('"{learner.language}"', "", None),
        ('"{learner.language|en-US}"', "", "en-US"),
        ('"fr"', "de", "fr"),
    ],
)
def test_platform_and_language_can_be_told(language: str, learner_language: str, expected: str | None) -> None:
    text = changed("category = []", f'category = []\nplatform = "{{lms.name}} {{location}}"\nlanguage = {language}')
    mapping = compiled(text)
    statements = [
        json.loads(
            generate_statements(
                mapping,
                facts(),
                reached(Snapshot(language=learner_language, location=place)),
                SessionState(),
                [Change(Trigger.COMPLETION_COMPLETED)],
                NOON,
            )
            .statements[0]
            .body
        )
        for place in ("p1", None)
    ]

    assert [statement["context"].get("language") for statement in statements] == [expected, expected]
    assert [statement["context"].get("platform") for statement in statements] == ["Example LMS p1", None]
    for body in statements:
        assert [*check_statement(body, "", Edition.ONE), *check_statement(body, "", Edition.TWO)] == []


@pytest.mark.parametrize("name", ["Doe, Jane", ""])
def test_a_learner_can_be_known_by_e_mail_address_or_its_hash(name: str) -> None:
    mbox = "mailto:jane@example.org"
    digest = hashlib.sha1(mbox.encode()).hexdigest()
    for identifier, learner_mbox, expected in (
        ("mbox", mbox, {"mbox": mbox}),
        ("mbox_sha1sum", mbox, {"mbox_sha1sum": digest}),
        ("mbox_sha1sum", digest, {"mbox_sha1sum": digest}),
        ("mbox", digest, {"account": {"homePage": "https://lms.example.org/", "name": "u42"}}),
        ("mbox_sha1sum", "", {"account": {"homePage": "https://lms.example.org/", "name": "u42"}}),
        ("account", mbox, {"account": {"homePage": "https://lms.example.org/", "name": "u42"}}),
    ):
        mapping = compiled(SHIPPED.replace('identifier = "account"', f'identifier = "{identifier}"'))
        who = facts(learner_mbox=learner_mbox, learner_name=name)
        done = generate_statements(
            mapping, who, AttemptState(), SessionState(), [Change(Trigger.ATTEMPT_STARTED)], NOON
        )
        statement = json.loads(done.statements[0].body)

        assert done.statements[0].problem is None, identifier
        assert statement["actor"] == {"objectType": "Agent"} | ({"name": name} if name else {}) | expected
        assert json.loads(mapping.bind(who).agent) == {"objectType": "Agent"} | expected


def test_the_registration_in_a_course_is_one_for_all_its_activities() -> None:
    mapping = compiled(SHIPPED.replace('registration = "{registration}"', 'registration = "{course.registration}"'))

    def registration(**who: Any) -> str:
        (statement,) = tell("attempt.started", mapping=mapping, **who)
        return statement["context"]["registration"]

    shared = registration()

    assert registration(activity_id="236", registration=OTHER, attempt_id=OTHER) == shared
    assert len({shared, registration(course_id="8"), registration(learner_id="u2"), registration(lms="2")}) == 4
    assert registration(course_id="", activity_id="7") == shared
    assert registration(course_registration=OTHER) == OTHER


@pytest.mark.parametrize(
    ("raw", "low", "high", "expected"),
    [
        (8, 0, 10, 0.08),
        (50, 0, 100, 0.5),
        (50, None, None, 0.5),
        (100, 0, 200, 1),
        (150, 0, 200, 0.75),
        (-50, -100, 100, 0.25),
        (5, None, 5, 0.05),
    ],
)
def test_scorm_12_is_scaled_by_100_or_by_its_range_as_the_document_says(
    raw: int, low: int | None, high: int | None, expected: float
) -> None:
    snapshot = Snapshot(scorm_version="1.2", score_raw=raw, score_min=low, score_max=high)
    by_range = compiled(SHIPPED.replace('scaled_score = "raw/100"', 'scaled_score = "range"'))
    (statement,), (other,) = (
        tell("score.changed", known=snapshot),
        tell("score.changed", known=snapshot, mapping=by_range),
    )

    ranged = score(snapshot)

    assert ranged is not None
    assert statement["result"]["score"].get("scaled") == expected
    assert other["result"]["score"].get("scaled") == ranged.scaled


def test_scorm_2004_is_scaled_as_the_content_says_whatever_the_document_says() -> None:
    for snapshot in (
        Snapshot(scorm_version="2004", score_raw=8, score_min=0, score_max=10),
        Snapshot(scorm_version="2004", score_raw=8, score_min=0, score_max=10, score_scaled=0.3),
    ):
        (statement,) = tell("score.changed", known=snapshot)
        scaled = score(snapshot)
        assert scaled is not None, snapshot
        assert statement["result"]["score"]["scaled"] == scaled.scaled, snapshot


def test_a_condition_sees_the_score_as_it_is_told() -> None:
    rule = (
        '\n[[rules]]\nname = "low"\nwhen = "score.changed"\nif = "score.scaled < 0.1 && change.after.scaled < 0.1"\n'
        'verb = "scored"\nobject = "sco"\nonce = "change"\n'
    )
    snapshot = Snapshot(scorm_version="1.2", score_raw=8, score_min=0, score_max=10)
    statements = tell(
        Change(Trigger.SCORE_CHANGED, None, Score(0.8, 8, 0, 10)), known=snapshot, mapping=compiled(SHIPPED + rule)
    )

    assert len(statements) == 2
