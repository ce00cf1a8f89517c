"""What holds for all pages."""

from __future__ import annotations

import re

from tests.audit.conftest import Meet
from tests.support.bridge import Bridge
from tests.support.browser import Visitor


async def test_pages_show_who_is_signed_in_and_only_what_the_role_may_follow(reader: Visitor, admin: Visitor) -> None:
    text = await admin.text("/audit/targets")

    assert re.findall(r'<a href="(/audit/\w*)"( aria-current="page")?>', text)[-4:] == [
        ("/audit/targets", ' aria-current="page"'),
        ("/audit/lms", ""),
        ("/audit/alerts", ""),
        ("/audit/log", ""),
    ]
    assert "ada <small>admin</small>" in text
    assert '<a href="/audit/log"' not in await reader.text("/audit/targets")


async def test_an_address_that_leads_nowhere_is_told_on_a_page(admin: Visitor) -> None:
    answer = await admin.get("/audit/nothing")

    assert answer.status == 404
    assert "Page not found" in await answer.text()


async def test_every_answer_has_the_headers_that_keep_others_out(bridge: Bridge, meet: Meet, admin: Visitor) -> None:
    stranger = await meet(bridge)
    answers = [await admin.get(path) for path in ("/audit/targets", "/audit/nothing")]
    answers += [await stranger.get(path) for path in ("/audit/sign-in", "/audit/targets", "/audit/live")]
    answers.append(await stranger.client.post("/audit/sign-in"))
    for answer in answers:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy, answer
        assert "frame-ancestors 'none'" in policy, answer
        assert "unsafe" not in policy, answer
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"


async def test_files_are_kept_for_good_under_an_address_that_changes_with_them(bridge: Bridge, meet: Meet) -> None:
    stranger = await meet(bridge)
    paths = re.findall(r'(?:href|src)="(/audit/static/[^"]+)"', await stranger.text("/audit/sign-in"))
    assert {path.rpartition("/")[2] for path in paths} == {"audit.css", "icon.svg", "times.js"}
    for path in paths:
        answer = await stranger.get(path)
        assert (answer.status, "immutable" in answer.headers["Cache-Control"]) == (200, True), path
        of_another_release = path.replace(path.split("/")[3], "0123456789abcdef")
        assert (await stranger.get(of_another_release)).status == 404, path


async def test_no_page_holds_script_or_style_of_its_own(bridge: Bridge, meet: Meet, admin: Visitor) -> None:
    for text in [await admin.text(path) for path in ("/audit/targets", "/audit/log")]:
        assert not re.search(r"<script(?![^>]* src=)|<style| style=| on\w+=", text)
