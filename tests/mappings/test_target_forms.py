"""The form of one target: what it replaces in a statement's bytes, what it takes out, and by which key."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bridge.mapping_library.documents import compile_text, load_mapping, read_document
from mappings.definition.form_conflicts import find_conflicts
from mappings.definition.statement_context import StatementContext
from mappings.generation.target_forms import CHOSEN_RESPONSES, MappingForm, PseudonymKey, TargetForm

PROFILE = load_mapping("scorm-profile")
UUID = "00000000-0000-4000-8000-00000000000{}"
KEYS = tuple(PseudonymKey(name, name.encode() * 32, since) for name, since in (("a", 0), ("b", 1_000), ("c", 2_000)))
PSEUDONYM = TargetForm("pseudonym", names=False, keys=KEYS)


def _context(**changed: Any) -> StatementContext:
    values: dict[str, Any] = {
        "lms": "1",
        "lms_name": "lms",
        "home_page": "https://lms.example.org/",
        "learner_id": "u1",
        "learner_name": 'Ada "A" Lovelace',
        "activity_id": "235",
        "registration": UUID.format(1),
        "attempt_id": UUID.format(2),
        "attempt_number": 1,
        "session_id": UUID.format(3),
    }
    return StatementContext(**(values | changed))


def _body(result: str = "", definition: str = "") -> str:
    """Return a statement as the bridge makes them, with spaces and an escape that no encoder would write so."""
    return (
        f'{{"id":"{UUID.format(4)}","actor":{{"name":"Ada \\"A\\" Lovelace","objectType":"Agent","account":'
        '{"homePage":"https://lms.example.org/","name":"u1"}},"verb":{"id":"http://adlnet.gov/expapi/verbs/responded"},'
        f'"object":{{"id":"https://lms.example.org/\\u0041"{definition}}}{result},"timestamp":"2026-01-01T00:00:00.000Z"}}'
    )


def _form(form: TargetForm, body: str, started_at: int = 0, **changed: Any) -> str:
    return MappingForm(form, PROFILE).of_attempt(_context(**changed), started_at).statement(body)


def test_all_but_the_actor_stays_byte_for_byte() -> None:
    body = _body(',"result":{"response":"b","score":{"raw":1.50}}')
    head, _, tail = body.partition(',"verb"')
    formed = _form(PSEUDONYM, body)
    assert formed.endswith(',"verb"' + tail)
    assert formed.startswith(head[: head.index('{"name"')])
    actor = json.loads(formed)["actor"]
    assert actor["account"]["homePage"] == "https://lms.example.org/pseudonyms/a"
    assert "Ada" not in formed


def test_a_name_stays_where_names_may_and_goes_where_they_may_not() -> None:
    kept = json.loads(_form(TargetForm("account"), _body()))["actor"]
    left_out = json.loads(_form(TargetForm(names=False), _body()))["actor"]

    assert kept == json.loads(_body())["actor"]
    assert left_out == {name: value for name, value in kept.items() if name != "name"}


@pytest.mark.parametrize(
    ("started_at", "key"), [(0, "a"), (999, "a"), (1_000, "b"), (1_999, "b"), (2_000, "c"), (9_999, "c")]
)
def test_a_key_is_for_attempts_that_began_in_its_time(started_at: int, key: str) -> None:
    home_page = json.loads(_form(PSEUDONYM, _body(), started_at))["actor"]["account"]["homePage"]

    assert home_page.endswith(f"/{key}")


def test_pseudonyms_differ_by_learner_home_page_and_key() -> None:
    forms = [
        _form(PSEUDONYM, _body(), started_at, **changed)
        for started_at in (0, 1_000)
        for changed in ({}, {"learner_id": "u2"}, {"home_page": "https://other.example.org"})
    ]

    assert len({json.loads(form)["actor"]["account"]["name"] for form in forms}) == 6


@pytest.mark.parametrize("actor", ["mbox", "mbox_sha1sum"])
def test_without_an_address_the_account_identifies_the_learner(actor: Any) -> None:
    assert json.loads(_form(TargetForm(actor), _body()))["actor"]["account"]["name"] == "u1"


@pytest.mark.parametrize(
    "kind", ["true-false", "choice", "sequencing", "matching", "likert", "numeric", "fill-in", "long-fill-in",
             "performance", "other", None]
)  # fmt: skip
def test_what_learners_write_is_taken_out_and_what_they_choose_stays(kind: str | None) -> None:
    definition = "" if kind is None else f',"definition":{{"interactionType":"{kind}"}}'
    body = _body(',"result":{"response":"words","success":true}', definition)
    result = json.loads(_form(TargetForm(free_text=False), body))["result"]

    assert result == ({"response": "words"} if kind in CHOSEN_RESPONSES else {}) | {"success": True}


def test_a_result_of_which_nothing_is_left_is_taken_out() -> None:
    formed = json.loads(_form(TargetForm(free_text=False), _body(',"result":{"response":"words"}')))

    assert "result" not in formed


def test_forms_say_in_words_what_is_different() -> None:
    for form, words in (
        (PSEUDONYM, "pseudonym by key a, no name"),
        (TargetForm("mbox", free_text=False), "mbox, no free text"),
        (TargetForm(names=False), "no name"),
    ):
        assert MappingForm(form, PROFILE).of_attempt(_context(), 0).description == words


def test_a_key_does_not_show_its_secret() -> None:
    assert repr(PSEUDONYM).count("aaaa") == 0
    assert "PseudonymKey('a')" in repr(PSEUDONYM)


def test_another_context_of_a_session_is_not_mistaken_for_the_one_before() -> None:
    form = MappingForm(TargetForm("mbox"), PROFILE)
    addresses = ("mailto:a@example.org", "mailto:b@example.org")
    actors = [
        json.loads(form.of_attempt(_context(learner_mbox=address), 0).statement(_body()))["actor"]["mbox"]
        for address in addresses
    ]

    assert actors == [*addresses]


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('account = "{learner.id}"', 'account = "{learner.name|x}"', "actor.account"),
        ('name = "{course.name}"', 'name = "{learner.name|x}"', "activities.course.name"),
        ('id = "{course.iri}"', 'id = "{course.iri}/{learner.name|x}"', "activities.course.id"),
        ('course = "{lms.base}/courses/', 'course = "{lms.base}/{learner.name|x}/courses/', "iris.course"),
        ('registration = "{registration}"', 'registration = "{registration}"\nplatform = "{learner.name|x}"',
         "context.platform"),
    ],
)  # fmt: skip
def test_places_that_name_learners_and_cannot_be_left_out_are_listed(old: str, new: str, place: str) -> None:
    text = read_document("scorm-profile")
    assert old in text
    definition = compile_text(text.replace(old, new, 1), "a test's").definition
    assert find_conflicts(definition, names=False, is_pseudonym=False, has_account=True) == [place]
    assert find_conflicts(definition, names=True, is_pseudonym=False, has_account=True) == []
    assert find_conflicts(PROFILE.definition, names=False, is_pseudonym=True, has_account=False) == []
