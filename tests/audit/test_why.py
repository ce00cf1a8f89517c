"""Why a statement was made: the element that changed, its line in the commit, the rule, and its condition."""

from __future__ import annotations

import re
from html import unescape

from tests.support.bridge import Bridge
from tests.support.browser import Visitor
from tests.support.sql import column


async def test_a_statement_is_explained_down_to_the_line_of_the_commit(
    bridge: Bridge, auditor: Visitor, reader: Visitor
) -> None:
    who = {"scorm_version": "2004", "session_id": "11111111-2222-4333-8444-555555555555"}
    await bridge.commit({"cmi.completion_status": "incomplete", "cmi.location": "1"}, **who)
    unchanged = {"cmi.completion_status": "incomplete", "cmi.location": "1"}
    await bridge.commit(unchanged | {"cmi.success_status": "failed", "cmi.score.scaled": "0.2"}, **who)
    statement = column(bridge, "SELECT id FROM statement WHERE rule = 'failed'")[0]

    page = await auditor.text(f"/audit/statements/{statement}")
    why = re.search(r'<p id="why">(.*?)</p>', page, re.DOTALL)
    assert why is not None
    words = " ".join(unescape(re.sub(r"<[^>]+>", " ", why[1])).split())
    assert words.startswith("The attempt became failed: cmi.success_status unknown → failed line ")
    assert 'session.mode was "normal"' in " ".join(words.split())
    link = re.search(r'href="(/audit/commits/[^"#]+)#(line-\d+)"', why[1])
    assert link is not None

    commit = await auditor.text(link[1])
    line = re.search(rf'<span id="{link[2]}" class="told">([^<]*)', commit)
    assert line is not None
    assert "cmi.success_status" in line[1]
    told = [text.split("&#34;")[1] for text in re.findall(r'class="told">([^<]*)', commit)]
    assert told == ["cmi.success_status", "cmi.score.scaled"]
    assert f'href="#{link[2]}"' in commit

    for path in (f"/audit/statements/{statement}", link[1]):
        text = await reader.text(path)
        assert 'id="why"' not in text, path
        assert "session.mode" not in text.split("<h3>Rules</h3>")[0], path
        assert "told" not in text, path
