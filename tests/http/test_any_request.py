"""Requests derived from the API description, valid and invalid: each is answered as described, and never fails."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection, positive_data_acceptance
from yarl import URL

from bridge.http.openapi import description
from bridge.operations.audit_context import AuditContext
from bridge.operations.browser_keys import NewBrowserKey, create_browser_key
from mappings.xapi.validation.syntax import UUID_PATTERN
from storage import lms
from storage.engine import writing
from storage.states import TokenScope
from tests.support.accounts import START, register_lms
from tests.support.server import Server
from tests.support.sql import closing_engine

CASES = {"": 15, "full": 700}[os.environ.get("CHAOS", "")]
"""Requests made at random for each operation and database, beside those that are made of every edge described."""
SESSION = "6f3c2a9e-0000-4000-8000-000000000001"
ANSWER_TIMEOUT = 30
"""Seconds after which a request counts as hanging."""
KNOWN = {"session_id": SESSION}
"""What can be asked for, by parameter; the attempt is known once a bridge is served."""
DOOR = "/v1/formats/{format}/sessions/{session_id}/commits"
BROWSER_SESSIONS = "/v1/browser/sessions"
MIRROR = "/v1/mirror/{format}"
CALLS = "/v1/sessions/{session_id}/calls"
ORIGIN = "https://lms.example.org"
IN_WORDS = {"/v1/sessions/{session_id}/commits", "/v1/formats/scorm-cloud", DOOR}
"""Addresses whose bodies are described in words only."""
REFUSE_WITH_200 = {"aicc", "moodle", "rpc"}

API = schemathesis.openapi.from_dict(
    description(), config=SchemathesisConfig.from_dict({"generation": {"with-security-parameters": False}})
)


@API.hooks.hook
def map_path_parameters(_context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Ask for what there is most of the time."""
    if path_parameters is None:
        return None
    for name, value in path_parameters.items():
        if name in KNOWN and UUID_PATTERN.fullmatch(str(value)) is not None and not str(value).endswith("0"):
            path_parameters[name] = KNOWN[name]
    return path_parameters


@dataclass
class Served:
    """A bridge, an LMS's tokens and browser key, and how often it gave which answer to which operation."""

    server: Server
    token: str
    mirror_token: str
    key: str
    commit_url: URL
    seen: Counter[tuple[str, int]] = field(default_factory=Counter)


def _may(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _new_key(database_url: str) -> str:
    """Store a browser key for pages at `ORIGIN`, as `scorm-bridge keys create` does before a bridge starts."""
    with closing_engine(database_url) as engine, writing(engine) as connection:
        owner = lms.names(connection)[0]
        return create_browser_key(connection, NewBrowserKey(owner, [ORIGIN]), AuditContext("ada", "", START)).key


def _new_mirror_token(database_url: str) -> str:
    with closing_engine(database_url) as engine:
        return register_lms(engine, "mirrored", scopes=[TokenScope.MIRROR]).token


@pytest.fixture(scope="module")
def served(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A bridge in a process of its own with a session that is open, and an LMS's token."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def run(doing: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(doing, loop).result()

    server = Server(tmp_path_factory.mktemp("served"), module_database_url)
    token = server.new_token()
    mirror_token = _new_mirror_token(module_database_url)
    key = _new_key(module_database_url)
    run(server.start())
    opening: Any = {"session_id": SESSION, "learner": {"id": "u1"}, "activity": {"id": "235"}}
    opened = requests.post(f"{server.url}/v1/sessions", json=opening, headers=_may(token), timeout=ANSWER_TIMEOUT)
    KNOWN["attempt_id"] = opened.json()["attempt"]["id"]
    page: Any = {"key": key, "learner": {"id": "u2"}, "activity": {"id": "235"}}
    opened = requests.post(
        f"{server.url}{BROWSER_SESSIONS}", json=page, headers={"Origin": ORIGIN}, timeout=ANSWER_TIMEOUT
    )
    yield Served(server, token, mirror_token, key, URL(opened.json()["commit_url"]))
    assert run(server.stop()) == 0
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
    assert "request_not_processed" not in server.log


@API.parametrize()
@settings(
    max_examples=CASES,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_every_request_is_answered_as_described(case: schemathesis.Case[Any], served: Served) -> None:
    headers = _may(served.mirror_token if case.path == MIRROR else served.token)
    if case.path == BROWSER_SESSIONS and isinstance(case.body, dict) and isinstance(case.body.get("key"), str):
        headers["Origin"] = ORIGIN
        case.body["key"] = served.key
    if case.path == CALLS and case.path_parameters.get("session_id") == SESSION:
        headers["Origin"] = ORIGIN
        case.path_parameters["session_id"] = served.commit_url.parts[3]
        case.query = dict(served.commit_url.query)
    response = case.call(base_url=served.server.url, headers=headers, timeout=ANSWER_TIMEOUT)
    served.seen[case.operation.label, response.status_code] += 1
    assert response.status_code < 500, response.text
    excluded: list[Any] = []
    if case.path == MIRROR:
        excluded.append(negative_data_rejection)  # what is wrong with it is seen later
    if case.path == CALLS:
        excluded += [positive_data_acceptance, ignored_auth]  # numbers have to rise; the token is that of one session
    if case.path in IN_WORDS:
        excluded.append(positive_data_acceptance)
    if case.path == DOOR and case.path_parameters.get("format") in REFUSE_WITH_200:
        excluded += [ignored_auth, negative_data_rejection]
    if response.status_code == 413:
        excluded.append(negative_data_rejection)  # too long as well, which counts for no refusal there
    if response.status_code == 422:
        excluded.append(positive_data_acceptance)  # the key was that of another request made here
    if case.path.startswith("/scorm/progress/") and _names_session_only(case.body):
        excluded.append(negative_data_rejection)  # whose activity is known: the one in the address is not looked at
    if isinstance(case.body, dict) and case.body.get("learner") is not None and case.body.get("user") is not None:
        excluded.append(negative_data_rejection)  # `user` stands for `learner`: where both are, it is not looked at
    case.validate_response(response, headers=headers, excluded_checks=excluded)


def _names_session_only(body: Any) -> bool:
    return isinstance(body, dict) and bool(body.get("session_id")) and not (body.get("learner") or body.get("user"))


def test_requests_were_both_taken_and_refused(served: Served) -> None:
    """Else the test above says little."""
    operations = {label for label, _ in served.seen}
    for_anyone = {"GET /", "GET /healthz", "GET /readyz", "GET /openapi.json", "GET /tap.js"}
    assert len(operations) == len([operation for paths in description()["paths"].values() for operation in paths])
    assert operations - {label for label, status in served.seen if status in {200, 204}} == set()
    assert operations - for_anyone - {label for label, status in served.seen if 400 <= status < 500} == set()
    print(f"{served.seen.total()} requests: {sorted(served.seen.items())}")  # noqa: T201 -- `pytest -s` shows the figure
