"""Playing a reported case into a bridge."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bridge.cli.verify import find_enrollments
from storage.engine import reading
from tests.support.bridge import Bridge

REPORTED = Path(__file__).parent / "reported"
SECONDS_BETWEEN = 2


class Case:
    """A case and the bridge it is played into. `opened` and `answers` are what was answered, in order."""

    def __init__(self, bridge: Bridge, name: str) -> None:
        self.bridge = bridge
        self.case: dict[str, Any] = json.loads((REPORTED / f"{name}.json").read_text(encoding="utf-8"))
        self.opened: list[dict[str, Any]] = []
        self.answers: list[Any] = []
        self._sessions: list[dict[str, Any]] = []

    async def play(self, first: int = 0, last: int | None = None) -> None:
        """Send the recorded requests of the case, from one number to before another."""
        requests = self.case["requests"]
        for number, request in list(enumerate(requests))[first:last]:
            if request["path"] == "/v1/sessions":
                self.opened.append(await self.bridge.open(**request["body"]))
                # sessions are numbered as far as commits came to them
                if number + 1 < len(requests) and requests[number + 1]["path"] != "/v1/sessions":
                    self._sessions.append(self.opened[-1])
            else:
                self.answers.append(await self._commit(request))
            self.bridge.clock.advance(SECONDS_BETWEEN)

    async def step(self) -> None:
        """Do the steps of the case: open, commit, or let seconds pass."""
        for verb, value in self.case["steps"]:
            if verb == "sleep":
                self.bridge.clock.advance(value)
            elif verb == "open":
                self.opened.append(await self.bridge.open(**value))
            else:
                self.answers.append(await self.bridge.commit(**value, session_id=self.opened[-1]["session_id"]))

    def enrollment(self, suffix: str = "") -> dict[str, Any]:
        """Return what is stored of a learner of the case; `suffix` is what the case adds to the first one's id."""
        first = self.case["requests"][0]["body"]
        learner, activity = first["learner"]["id"], first["activity"]["id"]
        with reading(self.bridge.engine) as connection:
            (stored,) = find_enrollments(connection, _with(learner, suffix), _with(activity, suffix))
        return stored

    def statements(self, suffix: str = "") -> list[dict[str, Any]]:
        """Return the statements about a learner of the case."""
        first = self.case["requests"][0]["body"]
        reports = self.bridge.reports(_with(first["learner"]["id"], suffix), _with(first["activity"]["id"], suffix))
        return [
            json.loads(statement.body) | {"rule": statement.rule}
            for report in reports
            for statement in report.statements
        ]

    async def _commit(self, request: dict[str, Any]) -> Any:
        opened = self._sessions[request["session"] - 1]
        address = urlsplit(opened["commit_url"])
        body = request["body"]
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        kind = request.get("content_type", "application/json")
        response = await self.bridge.client.post(
            f"{address.path}?{address.query}", data=data, headers={"Content-Type": kind}
        )
        text = await response.text()
        assert response.status == 200, text
        return json.loads(text) if response.content_type == "application/json" else text


def _with(name: str, suffix: str) -> str:
    """Return the id of another learner: the first one's ends with the name of the client where each has one."""
    return name.removesuffix("scorm-again").removesuffix("two") + suffix if suffix else name


def verbs(statements: list[dict[str, Any]]) -> list[str]:
    """Return the rules of statements."""
    return [statement["rule"] for statement in statements]


def result_of(statements: list[dict[str, Any]], rule: str) -> dict[str, Any]:
    """Return the result of the newest statement of a rule."""
    result: dict[str, Any] = [statement for statement in statements if statement["rule"] == rule][-1].get("result", {})
    return result
