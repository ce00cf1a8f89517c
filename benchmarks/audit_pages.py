"""The audit pages of a running bridge, asked over HTTP by somebody who has signed in as an admin."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from random import Random
from typing import Self
from urllib.parse import urlencode

from sqlalchemy import Connection, Engine, select

from benchmarks.audited import ERASURES, NOW, VERB, Some
from benchmarks.processes import Bridge
from bridge import passwords
from bridge.audit.routes import ROUTES
from mappings.xapi.timestamps import rfc3339
from storage import accounts, pauses
from storage.accounts import NewAccount
from storage.engine import reading, writing
from storage.erasure_tables import erasure
from storage.pauses import Pause
from storage.queries.keyset import encode
from storage.recording_tables import recording_part
from storage.tables import attempt, document, enrollment, mapping_version, session, statement

TARGET = "lrs"
SETTINGS = f"""
[sessions]
idle_after = 2_000_000_000
[log]
level = "warning"
[[targets]]
name = "{TARGET}"
endpoint = "http://127.0.0.1:9/xapi"
username = "u"
password = "p"
"""
"""Nothing is done in the background: no session ends by itself, and the one target is paused."""

APART = {
    "/static/{version}/{name}": "files that browsers keep",
    "/live": "stays open",
    "/sign-in/oidc": "nobody signs in elsewhere here",
    "/sign-in/oidc/back": "nobody signs in elsewhere here",
    "/commits/{session_id}/{number}/body": "a file",
    "/statements/{id}/body": "a file",
    "/mappings/reissues/{id}": "shows a re-issue of the whole history, which takes hours here",
    "/documents/{id}/content": "a file",
    "/erasures/{uuid}/receipt": "a file",
    "/sessions/{session_id}/recording": "a file",
}
"""Routes that give no page, and why; so do all whose paths end like files of all that a search finds."""

_FILE = re.compile(r"\.(csv|ndjson)$")
_PASSWORD = "correct horse battery"


class UnaskedError(RuntimeError):
    """A page is not asked for, or did not come."""


class Visitor:
    """A browser that keeps its cookie and its connection."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port)
        self._cookie = ""

    def get(self, path: str) -> tuple[str, float]:
        """Return a page that must be there, and the milliseconds until all of it had come.

        Raises:
            UnaskedError: it is not there.
        """
        begun = time.perf_counter()
        self._connection.request("GET", path, headers={"Cookie": self._cookie, "Accept": "text/html"})
        response = self._connection.getresponse()
        body = response.read()
        took = (time.perf_counter() - begun) * 1000
        self._keep(response.getheader("Set-Cookie"))
        if response.status != 200:
            raise UnaskedError(f"{path} answered {response.status}: {body[-2000:].decode()}")
        return body.decode(), took

    def post(self, path: str, page: str, **fields: str) -> str:
        """Send a form that stands on a page; return where it leads."""
        token = re.search(r'name="csrf" value="([^"]+)"', self.get(page)[0])
        form = urlencode({"csrf": token[1] if token else ""} | fields)
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        self._connection.request("POST", path, form, {"Cookie": self._cookie} | kind)
        response = self._connection.getresponse()
        body = response.read()
        self._keep(response.getheader("Set-Cookie"))
        if response.status not in {302, 303}:
            raise UnaskedError(f"{path} answered {response.status}: {body[-2000:].decode()}")
        return response.headers["Location"]

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def _keep(self, cookie: str | None) -> None:
        if cookie is not None:
            self._cookie = cookie.partition(";")[0]


class Site:
    """A bridge with the pages of a filled database; a context manager that starts and stops it."""

    def __init__(self, directory: Path, url: str, engine: Engine, size: int) -> None:
        self._engine = engine
        self._some = Some(size)
        self._bridge = Bridge(directory, url, SETTINGS)
        with writing(engine) as connection:
            accounts.add(
                connection,
                NewAccount("ada", "admin", sees_names=True, password=passwords.hash_password(_PASSWORD)),
                NOW,
            )
            pauses.begin(connection, Pause(TARGET, NOW, "ada", "It is measured.", automatic=False))

    def __enter__(self) -> Self:
        self._bridge.start()
        self.visitor = Visitor(self._bridge.port)
        self.visitor.post("/audit/sign-in", "/audit/sign-in", name="ada", password=_PASSWORD)
        return self

    def __exit__(self, *_error: object) -> None:
        self.visitor.close()
        self._bridge.stop()

    def times(self, rounds: int, only: str) -> Iterator[tuple[str, list[float]]]:
        """Return each page with its times in milliseconds.

        Raises:
            UnaskedError: a page is not among those that are asked for, or does not come.
        """
        with reading(self._engine) as connection:
            chosen = self._addresses(connection, Random(1), rounds + 2)
        self._check(chosen)
        for name, paths in chosen.items():
            if only in name:
                yield name, [self.visitor.get(f"/audit{path}")[1] for path in paths][2:]  # the first ones compile

    def _check(self, chosen: dict[str, list[str]]) -> None:
        paths = {name.split()[0] for name in chosen}
        pages = {route.path for route in ROUTES if route.method == "GET" and not _FILE.search(route.path)}
        if paths != pages - APART.keys():
            raise UnaskedError(f"the pages are not those of the routes: {paths ^ (pages - APART.keys())}")

    def _addresses(self, connection: Connection, chance: Random, number: int) -> dict[str, list[str]]:
        """Return the name of each page, which begins with its route's path, -> so many addresses of it."""
        some = self._some
        old, new = connection.execute(select(mapping_version.c.content_hash).order_by(mapping_version.c.id)).scalars()
        longest = connection.execute(select(attempt.c.uuid).where(attempt.c.id == 1)).scalar_one()

        def each(path: str, *values: object) -> list[str]:
            return [path.format(*(value() if callable(value) else value for value in values)) for _ in range(number)]

        def row(column: object) -> object:
            return lambda: some.row(connection, chance, column)  # type: ignore[arg-type]

        def searches(path: str, **fields: object) -> list[str]:
            return [
                f"{path}?{urlencode({name: value() if callable(value) else value for name, value in fields.items()})}"
                for _ in range(number)
            ]

        at = some.imported()
        imported = {"since": rfc3339(at["since"]), "until": rfc3339(at["until"])}
        learner = lambda: some.learner(chance)  # noqa: E731 -- one of many little ones
        day = rfc3339(NOW - 86_400_000)[:10]
        registration = enrollment.c.registration
        registrations = connection.execute(select(registration).where(enrollment.c.id.between(1_000, 1_999))).scalars()
        registration_ids = list(registrations)
        recorded = list(connection.execute(select(recording_part.c.session_id).limit(200)).scalars())
        erasures = list(connection.execute(select(erasure.c.uuid).order_by(erasure.c.id.desc()).limit(200)).scalars())
        return {
            **{path: each(path) for path in (
                "/", "/charts/commits.svg", "/charts/statements.svg", "/charts/depth.svg", "/charts/age.svg",
                "/learners", "/statements", "/documents", "/deliveries", "/mappings", "/mappings/draft", "/targets",
                "/refusals", "/lms", "/erasures", "/alerts", "/log", "/sign-in", "/webhooks", "/webhooks/deliveries",
            )},
            "/learners by the beginning of the id": searches("/learners", learner=lambda: learner()[:7]),
            "/learners by the beginning of the name": searches("/learners", name=lambda: f"Name {learner()[1:]}"),
            "/learners of an activity with many, failed": searches("/learners", activity="a1", success="failed"),
            "/learners of no such course": searches("/learners", course="none"),
            "/learners from any page on": searches("/learners", after=lambda: some.cursor(chance)),
            "/learners from the midst of an import on, failed": searches(
                "/learners", success="failed", after=lambda: some.in_import(chance)
            ),
            "/search by a learner's id": searches("/search", q=learner),
            "/search by a part of a name": searches("/search", q=lambda: learner()[4:]),
            "/search by two words, one of which all have": searches("/search", q=lambda: f"ame {learner()[3:]}"),
            "/search by a word that all have": searches("/search", q="name"),
            "/search by two words of which many have one": searches("/search", q="name zzz"),
            "/search by a letter": searches("/search", q="a"),
            "/search by a UUID's beginning": searches("/search", q=lambda: chance.choice(registration_ids)[:8]),
            "/search for nothing that is there": searches("/search", q="nobody"),
            "/learner": searches("/learner", lms="lms", id=learner),
            "/course": searches("/course", lms="lms", id=lambda: f"c{chance.randrange(160)}"),
            "/course sorted": searches("/course", lms="lms", id=lambda: f"c{chance.randrange(160)}", sort="-score"),
            "/activity": searches("/activity", lms="lms", id=lambda: some.activity(chance)),
            "/activity with many": searches("/activity", lms="lms", id="a1"),
            "/enrollments/{registration}": each("/enrollments/{}", lambda: chance.choice(registration_ids)),
            "/attempts/{uuid}": each("/attempts/{}", row(attempt.c.uuid)),
            "/attempts/{uuid} with 2,000 commits": each(f"/attempts/{longest}"),
            "/commits/{session_id}/{number}": each("/commits/{}/1", row(session.c.session_id)),
            "/commits/{session_id}/{number} with its rules": each("/commits/{}/1?rules=1", row(session.c.session_id)),
            "/sessions/{session_id}/calls": each("/sessions/{}/calls", lambda: chance.choice(recorded)),
            "/statements of a verb": searches("/statements", verb="completed"),
            "/statements of a rare verb": searches("/statements", verb=f"{VERB}failed"),
            "/statements of a learner": searches("/statements", learner=learner),
            "/statements of an activity with many": searches("/statements", activity="a1"),
            "/statements of a rule that is not there": searches("/statements", rule="none"),
            "/statements that are dead": searches("/statements", state="dead"),
            "/statements of a day": searches("/statements", since=day, until=day),
            "/statements by time, the oldest first": searches("/statements", sort="made"),
            "/statements by attempt": searches("/statements", sort="-attempt"),
            "/statements by attempt, of a learner": searches("/statements", sort="attempt", learner=learner),
            "/statements by attempt, of a rule that is not there": searches("/statements", sort="attempt", rule="none"),
            "/statements by attempt, of the first day": searches("/statements", sort="-attempt", until=day),
            "/statements the oldest first, of an import that are dead": searches(
                "/statements", sort="made", state="dead", **imported
            ),
            "/statements of an import": searches("/statements", **imported),
            "/statements of an import that are dead": searches("/statements", state="dead", **imported),
            "/statements from the midst of an import on, of no rule": searches(
                "/statements", rule="none", after=lambda: some.in_import(chance, 2)
            ),
            "/statements/{id}": each("/statements/{}", row(statement.c.id)),
            "/documents of an activity with many": searches("/documents", activity="a1"),
            "/documents that are not there": searches("/documents", name="none"),
            "/documents that are dead": searches("/documents", state="dead"),
            "/documents of an import": searches("/documents", **imported),
            "/documents/{id}": each("/documents/{}", row(document.c.id)),
            "/deliveries that are dead": searches("/deliveries", state="dead"),
            "/deliveries that wait": searches("/deliveries", state="waiting", target=TARGET),
            "/deliveries the oldest first": searches("/deliveries", sort="made"),
            "/deliveries that are dead, the oldest first": searches("/deliveries", state="dead", sort="made"),
            "/deliveries that wait, the oldest first": searches("/deliveries", state="waiting", sort="made"),
            "/deliveries of a rule that is not there, the oldest first": searches(
                "/deliveries", rule="none", sort="made"
            ),
            "/deliveries of a learner": searches("/deliveries", learner=learner),
            "/deliveries of a rule that is not there": searches("/deliveries", rule="none"),
            "/deliveries/retry": searches("/deliveries/retry", target=TARGET, state="dead"),
            "/deliveries/retry of a rule that is not there": searches("/deliveries/retry", rule="none"),
            "/deliveries/discard": searches("/deliveries/discard", target=TARGET),
            "/deliveries/discard of an activity with many": searches("/deliveries/discard", activity="a1"),
            "/deliveries/reissue": searches("/deliveries/reissue", target=TARGET, state="dead"),
            "/webhooks/deliveries that are dead": searches(
                "/webhooks/deliveries", webhook="gradebook", state="dead"
            ),
            "/targets/{name}/backfill": each(f"/targets/{TARGET}/backfill"),
            "/refusals of a reason": searches("/refusals", lms="lms", code="malformed-field"),
            "/erasures from the second page on": searches("/erasures", after=encode([ERASURES - 50])),
            "/erasures/{uuid}": each("/erasures/{}", lambda: chance.choice(erasures)),
            "/mappings/diff": searches("/mappings/diff", **{"from": old, "to": new}),
            "/mappings/{hash}": each(f"/mappings/{old}"),
            "/mappings/{hash}/activate": each(f"/mappings/{new}/activate"),
            "/mappings/{hash}/reissue": each(f"/mappings/{old}/reissue"),
            "/mappings/{hash}/preview": each(f"/mappings/{old}/preview"),
            "/mappings/{hash}/preview of a commit": searches(
                f"/mappings/{new}/preview", session=row(session.c.session_id), number=1
            ),
            "/mappings/impacts/{id}": each(self._report(new)),
            "/log by a part of the subject": searches("/log", subject="nobody's"),
        }  # fmt: skip

    def _report(self, version: str) -> str:
        """Have an impact report of a day made, and return where it is."""
        version = f"/audit/mappings/{version}"
        path = self.visitor.post(f"{version}/impact", version, days="1", lms="")
        while 'role="status"' in self.visitor.get(path)[0]:
            time.sleep(0.5)
        return path.removeprefix("/audit")
