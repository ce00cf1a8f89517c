"""docs/privacy.md says of everything that is said about a person where it is, and nothing of it is anywhere else."""

from __future__ import annotations

import asyncio

import pytest

from bridge.clock import random_id, system_now
from bridge.formats import BY_NAME
from bridge.operations.audit_context import AuditContext
from bridge.operations.erasure import ErasureRequest, erase_learner
from storage.erasures import Later
from storage.queries.learner_data import Learner
from tests.privacy.canaries import BODIES, KINDS, LEARNER_ID, NAME
from tests.privacy.disclosure import disclosed
from tests.privacy.evidence import PEOPLE, Evidence, columns, gather
from tests.support.sql import closing_engine


@pytest.fixture(scope="module")
def evidence(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """What became of canaries in every input."""
    return asyncio.run(gather(module_database_url, tmp_path_factory.mktemp("keys")))


def test_every_wire_format_is_tried() -> None:
    assert BODIES.keys() | {"scorm-cloud"} == BY_NAME.keys()


def test_every_kind_is_described() -> None:
    described = disclosed("What is said about a person")

    assert described.keys() == KINDS.keys() | {"LMS token", "commit token", "account password"}


def test_the_database_holds_what_is_disclosed(evidence: Evidence) -> None:
    held = {place: kinds for place, text in evidence.columns.items() if (kinds := evidence.kinds(text))}

    assert held == disclosed("In the database")


def test_the_log_holds_what_is_disclosed(evidence: Evidence) -> None:
    assert "statement_dead" in evidence.log
    assert {"log": evidence.kinds(evidence.log)} == disclosed("In the log")


def test_answers_hold_what_is_disclosed(evidence: Evidence) -> None:
    answers = {place: evidence.kinds(text) for place, text in (evidence.answers | evidence.public).items()}

    assert answers | {"problems": evidence.kinds(evidence.problems)} == disclosed("In answers")


def test_each_role_sees_what_is_disclosed(evidence: Evidence) -> None:
    seen = {who: evidence.kinds("\n".join(evidence.pages[who].values())) for who in PEOPLE}

    assert seen == disclosed("On the pages")


def test_the_pages_of_an_erasure_name_nobody_but_who_ordered_it(evidence: Evidence) -> None:
    pages = {where: text for where, text in evidence.pages["auditor"].items() if where.startswith("/erasures")}

    assert {where.partition(" ")[0] for where in pages} == {
        "/erasures", "/erasures/{uuid}", "/erasures/{uuid}/receipt",
    }  # fmt: skip
    assert {where: evidence.kinds(text) for where, text in pages.items()} == {where: {"account"} for where in pages}


def test_targets_get_what_is_disclosed(evidence: Evidence) -> None:
    assert {target: evidence.kinds(text) for target, text in evidence.sent.items()} == disclosed("At LRSs")


def test_a_name_that_may_not_be_seen_cannot_be_searched_for(evidence: Evidence) -> None:
    assert [search for search, (_, tells) in evidence.searches["reader"].items() if tells] == []
    assert evidence.searches["reader"]["/learners?name="][0] == 403
    assert evidence.searches["reader who sees names"]["/learners?name="] == (200, True)
    by_part = f"/search /search?q={NAME[:-1]}"
    assert NAME not in evidence.pages["reader"][by_part]
    assert NAME in evidence.pages["reader who sees names"][by_part]


def test_once_erased_a_learner_is_nowhere_in_the_database(evidence: Evidence, module_database_url: str) -> None:
    """But for what targets are still to delete, until they have."""
    assert evidence.columns["enrollment.learner_id"]
    request = ErasureRequest(
        Learner(LEARNER_ID), Later.REFUSE, {}, AuditContext("me", "she asked for it", system_now())
    )
    with closing_engine(module_database_url) as engine:
        erase_learner(engine, request, now=system_now, new_id=random_id)
        left = {place: evidence.kinds(text) for place, text in columns(engine).items()}
    about_the_learner = KINDS.keys() - {"path", "account", "password"}
    found = {place: kinds & about_the_learner for place, kinds in left.items() if kinds & about_the_learner}
    assert found.keys() <= {"removal.body"}
