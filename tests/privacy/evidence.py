"""What becomes of canaries: everything that a bridge stores, says and shows after they were in every input of it."""

from __future__ import annotations

import base64
import io
import json
import logging
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiohttp import web
from sqlalchemy import Engine
from sqlalchemy import text as text_clause
from structlog.testing import capture_logs

from bridge.app import ENDPOINT_MONITOR
from bridge.audit.access.roles import ROLES, Role
from bridge.audit.routes import ROUTES
from bridge.clock import random_id
from bridge.operations import delivery_operations
from bridge.operations.audit_context import AuditAction, AuditContext
from bridge.operations.delivery_operations import DeliveryOperation
from bridge.operations.erasure import ErasureRequest, erase_learner
from bridge.reports.formats import ReportFormat
from bridge.reports.report import ReportRequest, write_report
from bridge.reports.report_rows import LearnerForm, ReportKind
from bridge.routing import build_forms
from bridge.settings import OutgoingSettings, ProxySettings, TargetSettings
from storage import deliveries, report_views, target_alarms
from storage.deliveries import DeliveryFilter
from storage.engine import reading
from storage.erasures import Later
from storage.queries.learner_data import Learner
from storage.states import DeliveryState
from tests.privacy.canaries import (
    ACCOUNT,
    BODIES,
    ELEMENTS,
    EMAIL,
    HEADERS,
    IDEMPOTENCY_KEY,
    KINDS,
    LEARNER,
    LEARNER_ID,
    NAME,
    PASSWORD,
    PATH,
    POSTBACK,
    PSEUDONYM_KEY,
    QUERY,
    TARGET_PASSWORD,
    key_settings,
)
from tests.support.accounts import PASSWORD as ACCOUNT_PASSWORD
from tests.support.accounts import START, add_account
from tests.support.bridge import Bridge, start_bridge
from tests.support.browser import Visitor, new_visitor
from tests.support.browser_keys import PAGE, create_key
from tests.support.browser_keys import PATH as BROWSER_SESSIONS
from tests.support.frames import stored_texts
from tests.support.lrs import serve_lrs
from tests.support.recordings import call
from tests.support.sql import scalar
from tests.support.waiting import wait_until
from tests.support.webhooks import add_endpoint, serve_receiver

PEOPLE = {"reader": ("reader", False), "reader who sees names": ("reader", True), "auditor": ("auditor", False),
          "admin": ("admin", False)}  # fmt: skip
"""Who looks at the pages: role, and whether the account lets a reader see names."""


@dataclass
class Evidence:
    """Texts by where they were found. `columns` are `table.column`, `pages` those of each of `PEOPLE`.

    `searches` are those of readers: status, and whether a name changed what was found. `erasure` is the receipt's id
    of somebody else who was erased.
    """

    tokens: dict[str, str] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    log: str = ""
    log_lines: int = 0
    pages: dict[str, dict[str, str]] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    problems: str = ""
    public: dict[str, str] = field(default_factory=dict)
    sent: dict[str, str] = field(default_factory=dict)
    searches: dict[str, dict[str, tuple[int, bool]]] = field(default_factory=dict)
    reports: dict[str, str] = field(default_factory=dict)
    erasure: str = ""

    def kinds(self, text: str) -> set[str]:
        """Return the kinds of what a text holds, in whatever encoding of addresses or JSON."""
        words = KINDS | self.tokens
        return {kind for kind, word in words.items() if word.lower() in text.lower()}


async def gather(database_url: str, folder: Path) -> Evidence:
    """Put canaries into every input of a bridge, and return all that it stored, said and showed."""
    evidence = Evidence()
    key = folder / "pseudonym.key"
    key.write_text(PSEUDONYM_KEY, encoding="utf-8")
    async with AsyncExitStack() as stack:
        log = stack.enter_context(_captured_log())
        everything = await stack.enter_async_context(serve_lrs(_refuse_comments))
        mail = await stack.enter_async_context(serve_lrs(_deny))
        research = await stack.enter_async_context(serve_lrs())
        targets = (
            everything.settings(
                "everything", username="u", password=TARGET_PASSWORD, documents={"adl-suspend-data": True}
            ),
            mail.settings("mail", actor="mbox", username="u", password=TARGET_PASSWORD),
            research.settings("research", actor="pseudonym", free_text=False, pseudonym_keys=(key_settings(str(key)),)),
        )
        bridge = await start_bridge(
            database_url=database_url,
            targets=targets,
            proxy=ProxySettings(hops=1),
            outgoing=OutgoingSettings(allow=("127.0.0.0/8",)),
        )
        stack.push_async_callback(bridge.close)
        receiver = await stack.enter_async_context(serve_receiver())
        receiver.respond = lambda received: web.Response(status=500, text=f"cannot take {received.text}")
        evidence.tokens["webhook secret"] = add_endpoint(bridge.engine, receiver.url)
        assert bridge.client.app is not None
        await bridge.client.app[ENDPOINT_MONITOR].run_once()
        evidence.tokens |= {"LMS token": bridge.token, "account password": ACCOUNT_PASSWORD}
        await _commit_in_every_format(bridge, evidence)
        await _commit_from_a_page(bridge, evidence)
        # a result, of which the LMS is told
        await bridge.commit({"core": {"score": {"raw": "85"}}}, learner=LEARNER)
        await bridge.let_documents_follow()
        await bridge.let_names_be_indexed()
        await wait_until(lambda: _is_told(bridge.engine))
        await wait_until(lambda: scalar(bridge, "SELECT count(*) FROM webhook_delivery WHERE tries > 0") > 0)
        await _meet_problems(bridge, evidence)
        await _ask(bridge, evidence)
        _discard(bridge)
        evidence.erasure = await _erase_another(bridge)
        await _look_at_pages(bridge, evidence)
        evidence.sent = {
            "everything": b"\n".join(everything.bodies).decode(),
            "mail": b"\n".join(mail.bodies).decode(),
            "research": b"\n".join(research.bodies).decode(),
        }
    evidence.columns = columns(bridge.engine)
    evidence.reports = _reports(bridge.engine, targets, folder)
    bridge.engine.dispose()
    evidence.log, evidence.log_lines = "\n".join(map(str, log)), len(log)
    return evidence


@contextmanager
def _captured_log() -> Iterator[list[Any]]:
    """Give every line of the log from now on, before anything is hidden in it."""
    lines: list[Any] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.name != "aiohttp.access":  # of the servers of tests, the LRSs' too
                lines.append(record.getMessage())

    handler, root = Collector(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    with capture_logs() as captured:
        try:
            yield lines
        finally:
            root.removeHandler(handler)
            root.setLevel(level)
            lines += captured


async def _refuse_comments(request: web.Request) -> web.Response | None:
    """Refuse comments, and repeat what was sent, as LRSs do."""
    if request.method == "POST" and "zq-comment" in (text := await request.text()):
        return web.Response(status=400, text=f"cannot take {text}")
    return None


async def _deny(request: web.Request) -> web.Response | None:
    """Let nobody in, and repeat what was sent."""
    if request.path.endswith("/about"):
        return None
    return web.Response(status=401, text=f"nobody may send {await request.text()} to {request.rel_url}")


def _is_told(engine: Engine) -> bool:
    """Return whether one statement was refused and the other LRS has raised its alarm."""
    with reading(engine) as connection:
        filter_ = DeliveryFilter(target="everything", state=DeliveryState.DEAD)
        alarms = {alarm.target for alarm in target_alarms.current(connection)}
        refused = deliveries.ids(connection, filter_, after=0, limit=100)
        return len(refused) > len(BODIES) and "mail" in alarms


async def _commit_in_every_format(bridge: Bridge, evidence: Evidence) -> None:
    answers: list[str] = []
    for name, bodies in BODIES.items():
        opened = await _open(bridge, name)
        answers.append(json.dumps(opened))
        address = urlsplit(opened["commit_url"])
        evidence.tokens["commit token"] = parse_qs(address.query)["token"][0].rpartition(".")[2]
        for number, body in enumerate(bodies):
            headers = HEADERS | ({"Idempotency-Key": f"{IDEMPOTENCY_KEY}-{name}-{number}"} if name == "native" else {})
            path = f"/v1/formats/{name}/sessions/{opened['session_id']}/commits?{address.query}&user={QUERY}"
            async with bridge.client.post(path, data=io.BytesIO(body), headers=headers) as response:
                answers.append(await response.text())
                assert response.status == 200, (name, answers[-1])
        async with bridge.client.get(f"{address.path}?{address.query}", headers=HEADERS) as response:
            answers.append(await response.text())
    basic = base64.b64encode(f"{QUERY}:{bridge.token}".encode()).decode()
    headers = HEADERS | {"Authorization": f"Basic {basic}"}
    async with bridge.client.post("/v1/formats/scorm-cloud", data=POSTBACK, headers=headers) as response:
        answers.append(await response.text())
        assert response.status == 200, answers[-1]
    evidence.answers["commits and launches"] = "\n".join(answers)


async def _commit_from_a_page(bridge: Bridge, evidence: Evidence) -> None:
    """Send what a page sends with a browser key, and what is refused of it."""
    key = create_key(bridge).key
    # whose address the LMS has said: targets that know learners by it get no account of them
    looking = {"learner": LEARNER, "activity": {"id": "activity-browser"}, "mode": "review"}
    assert (await bridge.post("/v1/sessions", looking, headers=HEADERS))[0] == 200
    texts = []
    for learner, origin in (({"id": LEARNER_ID, "name": NAME}, PAGE), (LEARNER, PAGE), ({"id": LEARNER_ID}, PATH)):
        body = {"key": key, "learner": learner, "activity": {"id": "activity-browser"}, "scorm_version": "1.2"}
        async with bridge.client.post(BROWSER_SESSIONS, json=body, headers=HEADERS | {"Origin": origin}) as response:
            texts.append(await response.text())
    opened = json.loads(texts[0])
    address = urlsplit(opened["commit_url"])
    data = json.dumps({"cmi": ELEMENTS, "sequence": 1})
    for path in (f"{address.path}?{address.query}", f"{address.path}?{address.query}&user={QUERY}"):
        async with bridge.client.post(path, data=data, headers=HEADERS | {"Origin": PAGE}) as response:
            texts.append(await response.text())
            assert response.status == 200, texts[-1]
    calls = [
        call(1, "GetValue", "cmi.core.student_name", answer=NAME, manner="tap"),
        *(call(number, "SetValue", *pair) for number, pair in enumerate(ELEMENTS.items(), 2)),
    ]
    recording = json.dumps({"started_at": START, "made": len(calls), "calls": calls})
    path = address.path.replace("/commits", "/calls")
    for parameters in ("", f"&user={QUERY}"):
        url = f"{path}?{address.query}{parameters}"
        async with bridge.client.post(url, data=recording, headers=HEADERS | {"Origin": PAGE}) as response:
            texts.append(await response.text())
            assert response.status == 200, texts[-1]
    # any signature is as good as the one that is looked for
    signature = parse_qs(address.query)["token"][0].rpartition(".")[2]
    answers = "\n".join(texts).replace(signature, evidence.tokens["commit token"])
    evidence.answers["pages with a browser key"] = answers


async def _open(bridge: Bridge, name: str) -> dict[str, Any]:
    body = {"learner": LEARNER, "activity": {"id": f"activity-{name}"}, "scorm_version": "1.2"}
    if name == "moodle":
        body |= {
            "course": {"id": "c", "activities": ["235", "236"]},
            "registration": "6f0f0a6e-7d0c-4d0b-8d2b-9d0c0f1d2e3f",
        }
    status, opened = await bridge.post("/v1/sessions", body, headers=HEADERS)
    assert status == 200, opened
    return dict(opened)


async def _ask(bridge: Bridge, evidence: Evidence) -> None:
    """Ask everything that an LMS can ask, and everything that needs no token."""
    for path in ("/healthz", "/readyz", "/openapi.json", "/metrics", "/audit/sign-in"):
        evidence.public[path] = await _get(bridge, path)
    reports = [report for name in BODIES for report in bridge.reports(LEARNER_ID, f"activity-{name}")]
    paths = [
        f"/v1/enrollments?learner={LEARNER_ID}",
        f"/v1/courses/c?learner={LEARNER_ID}",
        *(f"/v1/attempts/{report.attempt.uuid}" for report in reports),
    ]
    paths += [f"/v1/sessions/{session.session_id}" for report in reports for session in report.sessions]
    answers = [await _get(bridge, path, Authorization=f"Bearer {bridge.token}") for path in paths]
    evidence.answers["questions of the LMS"] = "\n".join(answers)


async def _get(bridge: Bridge, path: str, **headers: str) -> str:
    sent = HEADERS | headers
    if path == "/metrics":
        del sent["X-Forwarded-For"]  # only for programs on this machine
    async with bridge.client.get(path, headers=sent) as response:
        text = await response.text()
        assert response.status == 200, (path, text)
        return text


async def _meet_problems(bridge: Bridge, evidence: Evidence) -> None:
    """Send what is refused, with canaries wherever something can be wrong."""
    opened = await _open(bridge, "native")
    commits = f"/v1/sessions/{opened['session_id']}/commits"
    wrongs: list[tuple[str, str, Any]] = [
        ("POST", "/v1/commits", {"learner": LEARNER | {"name": [LEARNER["name"]]}, "activity": {"id": "a"}, "cmi": {}}),
        ("POST", "/v1/commits", {"learner": LEARNER, "activity": {"id": "a"}, "cmi": KINDS["comment"]}),
        ("POST", "/v1/commits", {"learner": LEARNER, "cmi": {"suspend_data": KINDS["suspend data"]}}),
        (
            "POST",
            "/v1/commits",
            {"learner": LEARNER, "activity": {"id": "a"}, "cmi": {}, "sequence": KINDS["location"]},
        ),
        (
            "POST",
            "/v1/commits",
            {
                "session_id": opened["session_id"],
                "learner": LEARNER | {"id": f"other {LEARNER_ID}"},
                "activity": {"id": "activity-native"},
                "cmi": {},
            },
        ),
        ("POST", commits, f"what is no format: {KINDS['response']} {EMAIL}"),
        ("GET", f"/v1/enrollments?learner={LEARNER_ID}&name={QUERY}", None),
        ("GET", f"/v1/sessions/{PATH}", None),
        ("POST", f"/v1/formats/{PATH}", {}),
        ("GET", f"/no/such/{PATH}", None),
    ]
    texts = []
    for method, path, body in wrongs:
        for token in (bridge.token, "wrong"):
            headers = HEADERS | {"Authorization": f"Bearer {token}"}
            data = body if isinstance(body, str) else None
            json_body = None if isinstance(body, str) else body
            async with bridge.client.request(method, path, data=data, json=json_body, headers=headers) as response:
                texts.append(await response.text())
                assert 400 <= response.status < 500, (path, response.status, texts[-1])
    evidence.problems = "\n".join(texts)


def _discard(bridge: Bridge) -> None:
    """Discard what one LRS refused of the learner, which the audit log records."""
    context = AuditContext(ACCOUNT, "a test", START)
    selection = DeliveryFilter(learner=LEARNER_ID, target="everything", rule="commented", state="dead")
    filters = delivery_operations.build_filters(AuditAction.DISCARD, selection)
    assert sum(
        step.changed
        for step in delivery_operations.execute(
            bridge.engine, DeliveryOperation(AuditAction.DISCARD, filters, context), lambda: START
        )
    )


async def _erase_another(bridge: Bridge) -> str:
    """Erase somebody whose id has the learner's in it, and return the receipt's id."""
    # an erasure blanks the reasons of alarms that have the name: a name of their own
    learner = {"id": f"erased-{LEARNER_ID}", "name": "Somebody Else"}
    await bridge.commit({"comments": KINDS["comment"]}, learner=learner)
    keeping = dict.fromkeys(("everything", "mail", "research"), True)
    context = AuditContext(ACCOUNT, "a test", START)
    request = ErasureRequest(Learner(learner["id"]), Later.REFUSE, keeping, context)
    return erase_learner(bridge.engine, request, now=lambda: START, new_id=random_id).uuid


async def _look_at_pages(bridge: Bridge, evidence: Evidence) -> None:
    """Look at every page there is, as people of each kind, and fail to sign in once."""
    async with new_visitor(bridge.url, **HEADERS) as stranger:
        await stranger.sign_in(f"{ACCOUNT}-nobody", PASSWORD)
    for who, (role, sees_names) in PEOPLE.items():
        async with new_visitor(bridge.url, **HEADERS) as visitor:
            name = f"{ACCOUNT}-{who}".replace(" ", "-")
            add_account(bridge.engine, name, role, sees_names=sees_names)
            assert (await visitor.sign_in(name)).status == 303, who
            evidence.pages[who] = await _pages(bridge, visitor, role, evidence.erasure)
            if role == "reader":
                parameters = ("name",) if sees_names else ("name", "learner", "learner_name", "q", "search")
                evidence.searches[who] = await _search_for_names(visitor, *parameters)


async def _pages(bridge: Bridge, visitor: Visitor, role: str, erasure: str) -> dict[str, str]:
    pages: dict[str, str] = {}
    for route in ROUTES:
        if route.method != "GET" or route.path in _WITHOUT_CONTENT or (route.role or 0) > ROLES[role]:
            continue
        for path in _addresses(bridge, route.path, erasure):
            async with visitor.client.get(f"/audit{path}", allow_redirects=False) as response:
                pages[f"{route.path} {path}"] = await response.text()
                assert response.status in {200, 400, 404}, (path, response.status)
    return pages


async def _search_for_names(visitor: Visitor, *parameters: str) -> dict[str, tuple[int, bool]]:
    """Return of each search by each word for it the status, and whether it tells a name from one that nobody has."""
    results = {}
    for route in ROUTES:
        if route.method != "GET" or route.role != Role.READER or "{" in route.path or route.path in _WITHOUT_CONTENT:
            continue
        for parameter in parameters:
            texts, statuses = [], []
            for name in ("Zq-nobody", NAME, "Zq-nobody"):
                query = {parameter: name}
                async with visitor.client.get(f"/audit{route.path}", params=query, allow_redirects=False) as response:
                    texts.append(_without_query(await response.text(), name))
                    statuses.append(response.status)
            # a page about what goes on meanwhile differs each time
            is_steady = texts[0] == texts[-1] and statuses[0] == statuses[-1]
            tells = is_steady and (len({*texts}) > 1 or len({*statuses}) > 1)
            results[f"{route.path}?{parameter}="] = (statuses[0], tells)
    return results


def _without_query(text: str, name: str) -> str:
    """Return a page without what it repeats of its address, and without what differs each time."""
    text = re.sub(re.escape(name), "", text)
    return re.sub(r'nonce="[^"]*"|name="csrf" value="[^"]*"|[?&;]?after=[^"&]*', "", text)


_WITHOUT_CONTENT = {
    *(f"/charts/{name}.svg" for name in ("commits", "statements", "depth", "age")),
    "/static/{version}/{name}",
    "/live",
    "/sign-in/oidc",
    "/sign-in/oidc/back",
}
"""Charts, style sheets, the live view's signals, and what is only there with OpenID Connect."""


def _addresses(bridge: Bridge, path: str, erasure: str) -> list[str]:
    """Return the addresses of a route: those of what is stored of one attempt, where it is about something stored."""
    names = re.findall(r"{(\w+)}", path)
    if not names:
        return [path, *(f"{path}?{query}" for query in _QUERIES.get(path, ()))]
    (report,) = bridge.reports(LEARNER_ID, "activity-native")
    recorded = [{"session_id": str(scalar(bridge, "SELECT min(CAST(session_id AS text)) FROM recording_part"))}]
    first = "SELECT content_hash FROM mapping_version LIMIT 1"
    values = {
        "/statements/": [{"id": statement.id} for statement in report.statements],
        "/documents/": [{"id": document.id} for document in report.documents],
        "/enrollments/": [{"registration": report.attempt.enrollment.registration}],
        "/attempts/": [{"uuid": report.attempt.uuid}],
        "/commits/": [{"session_id": session.session_id, "number": "1"} for session in report.sessions],
        "/sessions/": recorded,
        "/erasures/": [{"uuid": erasure}],
        "/targets/": [{"name": "everything"}],
        "/mappings/": [{"hash": str(scalar(bridge, first)), "id": "1"}],
    }
    prefix = next((prefix for prefix in values if path.startswith(prefix)), None)
    assert prefix is not None, f"say here what {path} is about"
    return [path.format(**value) for value in values[prefix]]


_QUERIES = {
    "/learner": (f"lms=lms&id={LEARNER_ID}",),
    "/course": ("lms=lms&id=c",),
    "/activity": ("lms=lms&id=activity-native",),
    "/search": (f"q={LEARNER_ID}", f"q={NAME[:-1]}"),
    "/learners": (f"learner_is={LEARNER_ID}",),
    "/statements": (f"learner={LEARNER_ID}", "rule=commented"),
    "/deliveries": ("state=dead", "state=discarded"),
    "/deliveries/retry": (f"learner={LEARNER_ID}",),
    "/deliveries/discard": (f"learner={LEARNER_ID}",),
    "/documents": (f"learner={LEARNER_ID}",),
}


def _reports(engine: Engine, targets: tuple[TargetSettings, ...], folder: Path) -> dict[str, str]:
    """Return each report, and all of them with names and with pseudonyms."""
    forms = {
        "--names": LearnerForm(names=True),
        "--pseudonyms": LearnerForm(pseudonyms=build_forms(targets)["research"]),
    }
    texts: dict[str, list[str]] = {}
    for kind in ReportKind:
        for name, form in {kind.value: LearnerForm(), **forms}.items():
            file = folder / f"{kind.value}{name}.ndjson"
            write_report(engine, ReportRequest(kind, ReportFormat.NDJSON, file, learners=form))
            texts.setdefault(name, []).append(file.read_text(encoding="utf-8"))
    return {name: "\n".join(parts) for name, parts in texts.items()}


def columns(engine: Engine) -> dict[str, str]:
    """Return all that a database holds, by `table.column`, and what views show of it."""
    texts: dict[str, list[str]] = {}
    for table, column, text in stored_texts(engine):
        texts.setdefault(f"{table}.{column}", []).append(text)
    with reading(engine) as connection:
        for view in report_views.VIEWS:
            for values in connection.execute(text_clause(f"SELECT * FROM {view.name}")).mappings():
                for name, value in values.items():
                    texts.setdefault(f"{view.name}.{name}", []).append(str(value))
    return {place: "\n".join(values) for place, values in texts.items()}
