"""`scorm-bridge webhooks`."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest
from aiohttp import web

from tests.cli.conftest import Run, Script
from tests.support.webhooks import serve_receiver

URL = "https://lms.example.org/hooks/scorm"
SECRET = re.compile(r"whsec_[A-Za-z0-9+/]{43}=\n")
ADD = ("webhooks", "add", "gradebook", "--lms", "campus", "--url")


@pytest.fixture
def known(run: Run) -> Run:
    """Run commands where there is an LMS."""
    run("migrate")
    run("tokens", "create", "--lms", "campus", "--home-page", "https://lms.example.org")
    return run


def _items(run: Run, *arguments: str) -> Any:
    return json.loads(run("webhooks", *arguments, "--json").stdout)["items"]


def test_the_secret_stands_alone_on_standard_output(known: Run, script: Script) -> None:
    added = script(*ADD, URL)
    rotated = script("webhooks", "rotate", "gradebook")

    assert (added.returncode, rotated.returncode) == (0, 0)
    assert SECRET.fullmatch(added.stdout)
    assert SECRET.fullmatch(rotated.stdout)
    assert added.stdout != rotated.stdout


def test_no_list_shows_a_secret(known: Run) -> None:
    secret = known(*ADD, URL).stdout.strip()
    rotated = known("webhooks", "rotate", "gradebook").stdout.strip()
    shown = "".join(
        known(*arguments).output
        for arguments in (
            ("webhooks", "list"), ("webhooks", "list", "--json"), ("webhooks", "deliveries", "--json"),
            ("doctor", "--json"),
        )
    )  # fmt: skip

    assert "gradebook" in shown
    assert secret not in shown
    assert rotated not in shown


def test_the_list_says_what_each_gets(known: Run) -> None:
    known(*ADD, URL, "--event", "enrollment.passed", "--event", "enrollment.completed")
    (item,) = _items(known, "list")

    assert (item["name"], item["lms"], item["url"], item["state"]) == ("gradebook", "campus", URL, "flowing")
    assert item["events"] == ["enrollment.completed", "enrollment.passed"]
    assert (item["waiting"], item["dead"]) == (0, 0)


def test_it_is_changed_paused_and_resumed(known: Run) -> None:
    known(*ADD, URL, "--event", "enrollment.passed")
    known("webhooks", "change", "gradebook", "--url", f"{URL}/v2", "--all-events", "--pause", "--reason", "moved")
    (paused,) = _items(known, "list")
    known("webhooks", "change", "gradebook", "--resume")
    (resumed,) = _items(known, "list")

    assert (paused["url"], len(paused["events"]), paused["state"]) == (f"{URL}/v2", 6, "paused")
    assert paused["pause_reason"] == "moved"
    assert resumed["state"] == "flowing"


def test_it_is_removed_with_its_events(known: Run) -> None:
    known(*ADD, URL)

    assert known("webhooks", "remove", "gradebook", "--yes").exit_code == 0
    assert _items(known, "list") == []


REFUSED: tuple[tuple[tuple[str, ...], str], ...] = (
    ((*ADD[:-1], "--url", "ftp://lms.example.org"), "must begin with http:// or https://"),
    ((*ADD[:-1], "--url", "http://10.1.2.3/hook"), "to which the bridge does not connect"),
    ((*ADD[:-1], "--url", "http://169.254.169.254/latest"), "to which the bridge does not connect"),
    ((*ADD[:-1], "--url", "https://u:p@lms.example.org"), "must not hold a name or password"),
    (("webhooks", "add", "a b", "--lms", "campus", "--url", URL), "is no name"),
    (("webhooks", "add", "other", "--lms", "nobody", "--url", URL), "There is no LMS nobody"),
    (("webhooks", "add", "taken", "--lms", "campus", "--url", URL), "There is a webhook taken already"),
    (("webhooks", "change", "taken"), "That changes nothing"),
    (("webhooks", "change", "nobody", "--pause"), "There is no webhook nobody"),
    (("webhooks", "rotate", "nobody"), "There is no webhook nobody"),
    (("webhooks", "test", "nobody"), "There is no webhook nobody"),
    (("webhooks", "retry", "taken"), "that is dead"),
    (("webhooks", "discard", "taken"), "that is dead"),
    (("webhooks", "deliveries", "nobody"), "There is no webhook nobody"),
    (("webhooks", "deliveries", "--after", "nonsense"), "cursor"),
)
"""What cannot be done, and the words that say so."""


def test_what_cannot_be_done_is_said(known: Run) -> None:
    known("webhooks", "add", "taken", "--lms", "campus", "--url", URL)
    results = {arguments: known(*arguments) for arguments, _ in REFUSED}

    for arguments, words in REFUSED:
        assert results[arguments].exit_code != 0, arguments
        assert words in results[arguments].output, arguments


def test_a_secret_is_not_rotated_twice_while_both_sign(known: Run) -> None:
    """The receiver may know the first of three alone, and would get nothing it can verify."""
    known(*ADD, URL)
    first = known("webhooks", "rotate", "gradebook")
    refused = known("webhooks", "rotate", "gradebook")
    forced = known("webhooks", "rotate", "gradebook", "--overlap", "0s")
    (item,) = _items(known, "list")

    assert (first.exit_code, refused.exit_code) == (0, 1)
    assert "was rotated already" in refused.output
    assert forced.exit_code == 0
    assert item["previous_secret_until"] is None


async def test_a_test_shows_what_was_answered(known: Run, script: Script) -> None:
    async with serve_receiver() as receiver:
        settings = '[outgoing]\nallow = ["127.0.0.0/8"]\n'
        added = known(*ADD, receiver.url, file=settings)
        assert added.exit_code == 0, added.output
        taken = await _in_thread(script, "webhooks", "test", "gradebook", "--json")
        receiver.respond = lambda _received: web.Response(status=403, text="who are you?")
        refused = await _in_thread(script, "webhooks", "test", "gradebook")

    assert (taken.returncode, json.loads(taken.stdout)["status"]) == (0, 204)
    assert receiver.requests[0].type == "webhook.test"
    assert receiver.requests[0].is_signed_by(added.stdout.strip())
    assert refused.returncode == 1
    assert "The endpoint answered 403" in refused.stdout
    assert "who are you?" in refused.stdout


async def _in_thread(script: Script, *arguments: str) -> Any:
    return await asyncio.to_thread(script, *arguments)
