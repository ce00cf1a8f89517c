"""Rates of requests, by token and by LMS."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from bridge.errors import LmsRateExceeded, TokenRateExceeded
from bridge.limits import rate_windows
from bridge.limits.request_rates import RequestRates
from bridge.settings import LimitSettings
from storage.lms import Lms
from storage.states import TokenScope
from storage.tokens import StoredToken
from tests.support.accounts import register_lms
from tests.support.bridge import StartBridge

NO_RATES: dict[str, Any] = {"reads_per_token": "", "reads_per_lms": ""}


def _token(number: int, lms_id: int = 1) -> StoredToken:
    return StoredToken(number, Lms(lms_id, "lms", "https://lms.example.org", ()), (), 0, None, None, None, None)


class Client:
    """Makes requests at times that a test chooses."""

    def __init__(self, **settings: Any) -> None:
        self.now = 1000.0
        self.rates = RequestRates(LimitSettings(**(NO_RATES | settings)), lambda: self.now)

    def ask(self, token: StoredToken, scope: TokenScope = TokenScope.COMMIT) -> int | None:
        """Make a request; return the seconds to wait, None where it was answered."""
        try:
            self.rates.check(token, scope)
        except (TokenRateExceeded, LmsRateExceeded) as error:
            return error.retry_after
        return None


def test_so_many_requests_of_a_token_are_answered_until_its_window_is_over() -> None:
    client = Client(requests_per_token="2/minute")
    assert [client.ask(_token(1)) for _ in range(3)] == [None, None, 60]
    assert client.ask(_token(2)) is None
    client.now += 59.5
    assert client.ask(_token(1)) == 1
    client.now += 0.5
    assert [client.ask(_token(1)) for _ in range(3)] == [None, None, 60]


def test_the_tokens_of_an_lms_have_a_rate_together() -> None:
    client = Client(requests_per_lms="2/second")

    assert [client.ask(_token(number)) for number in (1, 2, 3)] == [None, None, 1]
    assert client.ask(_token(4, lms_id=2)) is None


def test_reading_has_rates_of_its_own() -> None:
    client = Client(reads_per_token="1/minute")

    assert [client.ask(_token(1), TokenScope.READ) for _ in range(2)] == [None, 60]
    assert [client.ask(_token(1)) for _ in range(3)] == [None] * 3


def test_of_several_rates_each_counts() -> None:
    client = Client(requests_per_token="2/second; 3/minute")
    assert [client.ask(_token(1)) for _ in range(3)] == [None, None, 1]
    client.now += 1
    assert [client.ask(_token(1)) for _ in range(2)] == [None, 60 - 1]


def test_windows_in_memory_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_windows, "MAX_WINDOWS", 3)
    client = Client(requests_per_token="1/hour")

    assert [client.ask(_token(number)) for number in range(5)] == [None] * 5
    assert client.ask(_token(4)) == 3600
    assert client.ask(_token(0)) is None


@pytest.mark.parametrize("rate", ["nonsense", "0/minute", "10", "10/fortnight", "-1/second", "1.5/second", ";"])
def test_what_is_no_rate_is_refused(rate: str) -> None:
    with pytest.raises(ValidationError, match="is no rate such as"):
        LimitSettings(requests_per_token=rate)


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"requests_per_token": "2/minute"}, "token-rate-exceeded"),
        ({"requests_per_lms": "2/minute"}, "lms-rate-exceeded"),
    ],
)
async def test_what_exceeds_a_rate_is_answered_429_and_not_stored(
    start: StartBridge, settings: dict[str, Any], code: str
) -> None:
    bridge = await start(limits=LimitSettings(**settings), monotonic=lambda: 1000.0)
    other = register_lms(bridge.engine, "other", "https://other.example.org").token
    for _ in range(2):
        await bridge.commit({"core": {"lesson_status": "incomplete"}})
    body = {"learner": {"id": "u1"}, "activity": {"id": "235"}, "cmi": {"core": {"lesson_status": "passed"}}}
    headers = {"Authorization": f"Bearer {bridge.token}"}
    async with bridge.client.post("/v1/commits", json=body, headers=headers) as response:
        answer = await response.json(content_type=None)
        assert (response.status, response.headers["Retry-After"], answer["code"]) == (429, "60", code)
        assert response.content_type == "application/problem+json"
    assert (await bridge.get("/v1/enrollments"))[0] == 429
    status, answer = await bridge.get("/v1/enrollments", token=other)
    assert (status, answer["enrollments"]) == (200, [])
