"""A bridge with something of everything, whose audit pages are opened in a browser, and where each of them is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlencode

import msgspec
from playwright.async_api import Locator, Page, ViewportSize, expect
from sqlalchemy import text

from bridge.app import ENDPOINT_MONITOR
from bridge.audit.routes import ROUTES, Route
from bridge.mapping_library.activation import store_version
from bridge.mapping_library.documents import compile_text, read_document
from bridge.operations.audit_context import AuditContext
from bridge.operations.browser_keys import revoke_browser_key
from bridge.operations.erasure import ErasureRequest, erase_learner
from bridge.operations.targets import pause_target
from bridge.recordings.calls import CallManner, CallMethod, RecordedCall
from bridge.settings import TargetSettings
from storage import deliveries, recordings, removals, webhook_endpoints
from storage.deliveries import DeliveryFilter
from storage.engine import reading, writing
from storage.erasures import Later
from storage.queries.learner_data import Learner
from storage.recordings import NewPart
from storage.removals import NewRemoval
from tests.support.accounts import PASSWORD, add_account
from tests.support.bridge import Bridge, FakeClock, Ids, start_bridge
from tests.support.browser import new_visitor
from tests.support.browser_keys import create_key
from tests.support.jobs import jobs_of
from tests.support.sample_data import TARGET, fill
from tests.support.sql import closing_engine
from tests.support.webhooks import add_endpoint

ADMIN = "ada"
DESKTOP: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}

DAY = 86_400_000
LEAVER = "leaver"
"""Somebody who asked to be forgotten."""
SESSION = "11111111-2222-4333-8444-555555555555"
TOLD = (
    {
        "cmi.completion_status": "incomplete",
        "cmi.score.raw": "40",
        "cmi.score.max": "100",
        "cmi.suspend_data": "page=3;" * 200,
        "cmi.session_time": "soon",
    },
    {
        "cmi.completion_status": "completed",
        "cmi.success_status": "passed",
        "cmi.score.raw": "90",
        "cmi.score.max": "100",
        "cmi.session_time": "PT12M3S",
        "cmi.interactions.0.id": "where-is-the-exit",
        "cmi.interactions.0.type": "fill-in",
        "cmi.interactions.0.learner_response": "behind the blue door",
        "cmi.interactions.0.result": "correct",
    },
)
"""What two commits of one attempt tell, a value that cannot be used among it."""

NO_PAGES = {
    "/live",
    "/static/{version}/{name}",
    "/sign-in/oidc",
    "/sign-in/oidc/back",
    "/commits/{session_id}/{number}/body",
    "/statements/{id}/body",
    "/documents/{id}/content",
    "/erasures/{uuid}/receipt",
    "/sessions/{session_id}/recording",
}
"""Routes that do not give a page, besides those of files and pictures."""
LEFT = "^failed: GET [^ ]*/audit/[^ ]*: net::ERR_ABORTED$"
"""What a browser says of a page that was left: it hears no news, nor loads what it heard of."""
FILE = re.compile(r"\.(csv|ndjson|svg)$")


async def sign_in(page: Page, origin: str, name: str = ADMIN) -> None:
    """Sign in as a person does whose account has the password `PASSWORD`."""
    await page.goto(f"{origin}/audit/")
    await page.get_by_label("Name").fill(name)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await page.get_by_role("heading", name="Overview", level=1).wait_for()


async def trail(page: Page) -> list[list[str]]:
    """Return who did what, to how many and why, the newest first."""
    await page.get_by_role("link", name="Audit log", exact=True).click()
    await expect(page.get_by_role("heading", name="Audit log", level=1)).to_be_visible()
    rows = await page.locator("tbody tr").all()
    texts = [await row.locator("td").all_inner_texts() for row in rows]
    return [row[1:3] + row[4:] for row in texts]


def delivery(page: Page, statement: str) -> Locator:
    """Return what an attempt's page tells of a statement's delivery."""
    return page.locator(f"[id='statement-{statement}'] .delivery")


def add_admin(database_url: str) -> None:
    """Store the account of an admin, whose password is `PASSWORD`."""
    with closing_engine(database_url) as engine:
        add_account(engine, ADMIN, sees_names=True)


def gives_a_page(route: Route) -> bool:
    """Return whether a route is of a page for people."""
    return route.method == "GET" and route.path not in NO_PAGES and not FILE.search(route.path)


def name_of(route: Route) -> str:
    """Return what a page is called after its route: letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", route.path).strip("-") or "overview"


PAGES = {name_of(route): route for route in ROUTES if gives_a_page(route)}


@dataclass(frozen=True)
class AuditSite:
    """A running bridge, and where each page of `PAGES` is below its origin."""

    bridge: Bridge
    paths: dict[str, str]

    @property
    def origin(self) -> str:
        """What addresses begin with."""
        return str(self.bridge.client.make_url("/")).rstrip("/")


async def start_site(database_url: str, endpoint: str) -> AuditSite:
    """Fill a migrated database and start a bridge on it whose one target, an LRS, is paused."""
    clock, ids = FakeClock(), Ids()
    bridge = await start_bridge(database_url=database_url, clock=clock, ids=ids)
    await fill(bridge)
    await _add_webhooks(bridge)
    _add_browser_keys(bridge)
    grace = {
        "learner": {"id": "grace", "name": "Grace Hopper"},
        "course": {"id": "c1", "name": "First aid at work"},
        "scorm_version": "2004",
        "session_id": SESSION,
    }
    await bridge.commit(TOLD[-1], learner={"id": LEAVER}, scorm_version="2004")
    for number, cmi in enumerate((*TOLD, TOLD[-1]), 1):
        clock.advance(90)
        await bridge.commit(cmi, **grace, sequence=min(number, len(TOLD)), terminated=number > 1)
    _add_recording(bridge)
    await bridge.post("/v1/sessions", {"learner": {"id": f"u\n{'1' * 200}"}, "activity": "235"})
    await bridge.post(f"/v1/sessions/{SESSION}/commits", data=b"cmi")
    await bridge.let_documents_follow()
    await bridge.let_names_be_indexed()
    with writing(bridge.engine) as connection:
        connection.execute(text("UPDATE delivery SET target = :target WHERE target = ''"), {"target": TARGET})
        connection.execute(text("UPDATE document_delivery SET target = :target"), {"target": TARGET})
        connection.execute(
            text(
                "UPDATE webhook_delivery SET state = 'dead', tries = 12, tried_at = created_at, status = 400, answer ="
                " 'no such learner' WHERE id = (SELECT min(id) FROM webhook_delivery)"
            )
        )
        store_version(connection, compile_text(_changed_mapping(), "scorm-profile"), clock())
        pause_target(connection, TARGET, AuditContext(ADMIN, "The LRS moves house.", clock()))
    _erase_learner(bridge)
    add_admin(database_url)
    paths = _paths(bridge)
    await bridge.close()
    target = TargetSettings(name=TARGET, endpoint=endpoint, username="u", password="p")
    running = await start_bridge(database_url=database_url, targets=(target,), clock=clock, ids=ids, token=bridge.token)
    return AuditSite(running, paths | await _jobs(running, paths["mappings-hash-reissue"].removesuffix("/reissue")))


async def _add_webhooks(bridge: Bridge) -> None:
    """Add a webhook that is paused, and one that answered 410; neither is sent to."""
    for name in ("gradebook", "analytics-of-the-whole-organisation"):
        add_endpoint(bridge.engine, f"https://lms.example.org/hooks/scorm?for={name}", name)
    with writing(bridge.engine) as connection:
        gone, paused = webhook_endpoints.endpoints(connection)
        webhook_endpoints.pause(connection, paused.id, "Maintenance on Sunday.", bridge.clock())
        webhook_endpoints.pause(connection, gone.id, "the endpoint answered 410 (Gone)", bridge.clock())
        webhook_endpoints.begin_trouble(connection, gone.id, "the endpoint answered 410", bridge.clock())
    assert bridge.client.app is not None
    await bridge.client.app[ENDPOINT_MONITOR].run_once()


def _add_recording(bridge: Bridge) -> None:
    """Add calls between the commits of `SESSION`: many of them, long values among them."""
    calls = [
        RecordedCall(number, number * 90, 3, min(number // 30 + 1, 3), CallMethod.SET_VALUE,
                     [f"cmi.interactions.{number}.learner_response", "x" * 400], "false", CallManner.USUAL)
        for number in range(1, 80)
    ]  # fmt: skip
    stored = [(call.number, call.commit, msgspec.json.encode(call)) for call in calls]
    with writing(bridge.engine) as connection:
        recordings.add_part(connection, NewPart(SESSION, bridge.clock(), 90, bridge.clock(), stored))


def _add_browser_keys(bridge: Bridge) -> None:
    """Add a key for many pages and activities, one that expired and one that was revoked."""
    create_key(
        bridge,
        origins=["https://learning-management-of-the-whole-organisation.example.org", "http://localhost:8000"],
        activities=["https://learning-management-of-the-whole-organisation.example.org/course/*", "235"],
        expires_at=bridge.clock() + 90 * DAY,
    )
    create_key(bridge, expires_at=bridge.clock() + 1)
    revoked = create_key(bridge)
    with writing(bridge.engine) as connection:
        revoke_browser_key(connection, revoked.id, AuditContext(ADMIN, "The pages are gone.", bridge.clock()))


def _erase_learner(bridge: Bridge) -> None:
    """Erase somebody whose document the LRS does not delete."""
    context = AuditContext(ADMIN, "Request 2026-17, by mail.", bridge.clock())
    request = ErasureRequest(Learner(LEAVER), Later.REFUSE, {TARGET: False}, context)
    erasure = erase_learner(bridge.engine, request, now=bridge.clock, new_id=Ids(1000))
    with writing(bridge.engine) as connection:
        removals.add(connection, [NewRemoval(erasure.id, TARGET, "activities/state", "{}")], bridge.clock())
        waiting = connection.execute(text("SELECT max(id) FROM removal")).scalar_one()
        removals.postpone(connection, [waiting], bridge.clock() * 2, "the LRS answered 403: no documents here")


async def _jobs(bridge: Bridge, version: str) -> dict[str, str]:
    """Ask for what a version would do, and would have done, and return the addresses of both."""
    admin = new_visitor(bridge.url)
    async with admin:
        await admin.sign_in(ADMIN)
        impact = await admin.post(f"{version}/impact", page=version, days="30", lms="")
        await jobs_of(bridge).wait()
        reissue = await admin.post(f"{version}/reissue", page=version, since="2020-01-01")
        await jobs_of(bridge).wait()
    return {"mappings-impacts-id": impact.headers["Location"], "mappings-reissues-id": reissue.headers["Location"]}


def _changed_mapping() -> str:
    """Return the shipped mapping with one rule left out and others told differently."""
    mapping = read_document("scorm-profile").replace('result = ["success", "score"]', 'result = ["success"]')
    return mapping[: mapping.rindex("[[rules]]")]


def _paths(bridge: Bridge) -> dict[str, str]:
    """Return an address for each page: one with much to show."""
    with reading(bridge.engine) as connection:
        registration, attempt = connection.execute(
            text(
                "SELECT enrollment.registration, attempt.uuid FROM attempt JOIN enrollment ON enrollment.id ="
                " attempt.enrollment_id JOIN session ON session.attempt_id = attempt.id WHERE session.session_id = :id"
            ),
            {"id": SESSION},
        ).one()
        (dead, *_) = deliveries.find(connection, DeliveryFilter(state="dead"))
        document_id = connection.execute(text("SELECT min(id) FROM document")).scalar_one()
        erasure = connection.execute(text("SELECT uuid FROM erasure")).scalar_one()
        older, newer = connection.execute(text("SELECT content_hash FROM mapping_version ORDER BY id")).scalars()
    values = {
        "registration": registration,
        "uuid": attempt,
        "session_id": SESSION,
        "number": 2,
        "hash": older,
        "name": TARGET,
    }
    queries = {
        "deliveries-retry": {"target": TARGET, "state": "dead"},
        "deliveries-discard": {"target": TARGET, "state": "quarantined"},
        "deliveries-reissue": {"target": TARGET},
        "mappings-diff": {"from": older, "to": newer},
        "search": {"q": "gra"},
        "learner": {"lms": "lms", "id": "grace"},
        "course": {"lms": "lms", "id": "c1"},
        "activity": {"lms": "lms", "id": "235"},
    }
    ids = {"statements-id": dead.statement_id, "documents-id": document_id}
    overrides = {"mappings-hash-reissue": {"hash": newer}, "erasures-uuid": {"uuid": erasure}}
    return {
        name: f"/audit{route.path.format_map(values | {'id': ids.get(name, '')} | overrides.get(name, {}))}"
        + (f"?{urlencode(queries[name])}" if name in queries else "")
        for name, route in PAGES.items()
    }
