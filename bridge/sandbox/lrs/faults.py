"""Faults by script: what the sandbox LRS does wrong, when, and how often.

A script is an ordered list of rules, in Python or in JSON::

    [{"name": "down", "when": {"method": "POST", "path": "/xapi/statements"}, "after": 10, "times": 3,
      "then": {"do": "answer", "status": 503, "headers": {"Retry-After": "7"}}}]

Rules are asked in their order. A rule that matches, has let ``after`` matching requests pass and has not yet fired
``times`` times, fires; the first that answers or cuts decides, and the rules after it do not see the request. Delays
and manners do not decide: they add to whatever comes after them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Annotated, Final, TypeAlias

import msgspec
from aiohttp import web

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]
Status: TypeAlias = Annotated[int, msgspec.Meta(ge=200, le=599)]


class _Action(msgspec.Struct, frozen=True, tag_field="do", forbid_unknown_fields=True):
    pass


class Answer(_Action, frozen=True, tag="answer"):
    """Answer so, before the request is handled: nothing is checked and nothing stored."""

    status: Status
    headers: dict[str, str] = {}
    body: str = ""


class StoreThenAnswer(_Action, frozen=True, tag="store_then_answer"):
    """Handle the request as if all were well, then answer so, whatever the handling came to."""

    status: Status
    headers: dict[str, str] = {}
    body: str = ""


class Cut(_Action, frozen=True, tag="cut"):
    """Cut the connection before the request is handled."""


class StoreThenCut(_Action, frozen=True, tag="store_then_cut"):
    """Handle the request, then cut the connection instead of answering."""


class Delay(_Action, frozen=True, tag="delay"):
    """Wait so many seconds before the request is handled."""

    seconds: Annotated[float, msgspec.Meta(ge=0)]


class KnownIsConflict(_Action, frozen=True, tag="known_is_conflict"):
    """Manner: never idempotent. A known id is 409 even when its statement is the same, and the batch with it."""


class KnownIsNoContent(_Action, frozen=True, tag="known_is_no_content"):
    """Manner: statements known already are left out of the answer's ids; when all are, it is 204 without a body."""


class InvalidIsServerError(_Action, frozen=True, tag="invalid_is_server_error"):
    """Manner: an invalid statement is answered 500, not 400: a poison that looks like an outage."""


Decision: TypeAlias = Answer | StoreThenAnswer | Cut | StoreThenCut
Manner: TypeAlias = KnownIsConflict | KnownIsNoContent | InvalidIsServerError
Action: TypeAlias = Decision | Delay | Manner


class FaultSubject(msgspec.Struct, frozen=True):
    """What rules look at in a request."""

    method: str
    path: str
    statement_ids: tuple[str, ...] = ()
    size: int = 0


class Match(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which requests a rule is for; every part that is given must hold, and none given means any.

    Attributes:
        method: the HTTP method.
        path: how the path begins, as in ``/xapi/statements``.
        statement_ids: at least one of these ids is in the body, whatever its case.
        min_statements: at least so many statements are in the body.
        min_bytes: the body is at least so long.
    """

    method: str | None = None
    path: str = ""
    statement_ids: tuple[str, ...] = ()
    min_statements: Count = 0
    min_bytes: Count = 0

    def covers(self, subject: FaultSubject) -> bool:
        """Return whether the rule is for this request."""
        wanted = {statement_id.lower() for statement_id in self.statement_ids}
        return (
            (self.method is None or self.method.upper() == subject.method)
            and subject.path.startswith(self.path)
            and (not wanted or any(statement_id.lower() in wanted for statement_id in subject.statement_ids))
            and len(subject.statement_ids) >= self.min_statements
            and subject.size >= self.min_bytes
        )


class FaultRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rule of a script.

    Attributes:
        then: what happens.
        when: which requests it is for.
        after: how many such requests pass unharmed first.
        times: how often it fires at most; None for ever.
        name: what the ledger calls it; without one, the name of its action.
    """

    then: Action
    when: Match = Match()
    after: Count = 0
    times: Annotated[int, msgspec.Meta(ge=1)] | None = None
    name: str = ""

    @property
    def label(self) -> str:
        """What the ledger calls the rule."""
        return self.name or str(self.then.__struct_config__.tag)


class Tally(msgspec.Struct):
    """How often a rule matched a request that reached it, and how often it fired."""

    matched: int = 0
    fired: int = 0


class Report(msgspec.Struct, frozen=True):
    """The script with its counters: three lists of one length."""

    rules: tuple[FaultRule, ...]
    matched: tuple[int, ...]
    fired: tuple[int, ...]


class Plan:
    """What the script has in store for one request.

    Attributes:
        delays: seconds to wait before anything else.
        decision: what happens instead of the plain handling; None leaves it alone.
        fired: the labels of the rules that have fired so far.
    """

    def __init__(self) -> None:
        self.delays: list[float] = []
        self.decision: Decision | None = None
        self.fired: list[str] = []
        self._manners: list[tuple[FaultRule, Tally]] = []

    def expect(self, rule: FaultRule, tally: Tally) -> None:
        """Note a rule whose manner may come to bear on the request."""
        self._manners.append((rule, tally))

    def fire(self, rule: FaultRule, tally: Tally) -> None:
        """Count a rule as fired."""
        tally.fired += 1
        self.fired.append(rule.label)

    def takes(self, manner: type[Manner]) -> bool:
        """Return whether a manner is to be shown now that the occasion is there; it counts as fired only then."""
        for rule, tally in self._manners:
            if isinstance(rule.then, manner) and _may_fire(rule, tally):
                self.fire(rule, tally)
                return True
        return False


def _may_fire(rule: FaultRule, tally: Tally) -> bool:
    return rule.times is None or tally.fired < rule.times


class Faults:
    """The script in force, and its counters.

    Args:
        rules: the script to begin with.
        sleep: waits so many seconds; the seam for tests of delays.
    """

    def __init__(
        self, rules: Iterable[FaultRule] = (), *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self.sleep: Final = sleep
        self._rules: list[tuple[FaultRule, Tally]] = []
        self.exchange(rules)

    def exchange(self, rules: Iterable[FaultRule]) -> None:
        """Put another script in force, with counters at zero; requests under way keep to the old one."""
        self._rules = [(rule, Tally()) for rule in rules]

    def reset(self) -> None:
        """Set the counters to zero, so that the script begins anew."""
        self.exchange(rule for rule, _ in self._rules)

    def report(self) -> Report:
        """Return the script and how often each rule matched and fired."""
        return Report(
            rules=tuple(rule for rule, _ in self._rules),
            matched=tuple(tally.matched for _, tally in self._rules),
            fired=tuple(tally.fired for _, tally in self._rules),
        )

    def plan(self, subject: FaultSubject) -> Plan:
        """Ask the rules about a request, counting it."""
        plan = Plan()
        for rule, tally in self._rules:
            if not rule.when.covers(subject):
                continue
            tally.matched += 1
            if tally.matched <= rule.after or not _may_fire(rule, tally):
                continue
            match rule.then:
                case Delay(seconds=seconds):
                    plan.fire(rule, tally)
                    plan.delays.append(seconds)
                case KnownIsConflict() | KnownIsNoContent() | InvalidIsServerError():
                    plan.expect(rule, tally)
                case decision:
                    plan.fire(rule, tally)
                    plan.decision = decision
                    break
        return plan


FAULTS: Final = web.AppKey("FAULTS", Faults)
"""Where the application keeps its script."""


def load(script: bytes | str) -> tuple[FaultRule, ...]:
    """Read a script from JSON.

    Raises:
        msgspec.DecodeError: it is not JSON, or (msgspec.ValidationError) no script; the message names the place,
            as in ``$[0].then.status``.
    """
    return msgspec.json.decode(script, type=tuple[FaultRule, ...])
