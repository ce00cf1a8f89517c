"""Traces: spans of commits, transactions and requests to LRSs, and nothing at all where they are off."""

from __future__ import annotations

import subprocess
import sys

from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from bridge.settings import TracingSettings
from bridge.tracing import Tracing, open_tracing
from tests.support.bridge import StartBridge
from tests.support.lrs import NO_DOCUMENTS, Lrs

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


async def test_a_commit_its_transaction_and_its_way_to_the_lrs_are_spans(start: StartBridge, lrs: Lrs) -> None:
    exporter = InMemorySpanExporter()
    bridge = await start(
        targets=(lrs.settings(documents=NO_DOCUMENTS),),
        tracing=open_tracing(TracingSettings(enabled=True), exporter),
    )
    body = {
        "learner": {"id": "canary-id", "name": "canary-name"},
        "activity": {"id": "1"},
        "cmi": {"location": "canary"},
    }
    status, _ = await bridge.post("/v1/commits", body, headers={"traceparent": PARENT, "X-Request-Id": "mine"})
    await lrs.wait_until(lambda: bool(lrs.store.statements()))
    await bridge.close()
    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert status == 200
    assert spans.keys() >= {"commit", "store batch", "send statements"}
    commit, send = spans["commit"], spans["send statements"]
    assert format(commit.context.trace_id, "032x") == TRACE
    assert dict(commit.attributes or {}) == {"http.response.status_code": 200, "scorm_bridge.request_id": "mine"}
    assert (spans["store batch"].attributes or {})["scorm_bridge.commands"] == 1
    assert dict(send.attributes or {}) == {
        "scorm_bridge.target": "lrs",
        "scorm_bridge.statements": len(lrs.store.statements()),
        "scorm_bridge.outcome": "delivered",
    }
    assert not any("canary" in span.to_json() for span in spans.values())


async def test_a_caller_that_is_not_traced_is_not_traced_here(start: StartBridge) -> None:
    exporter = InMemorySpanExporter()
    bridge = await start(tracing=open_tracing(TracingSettings(enabled=True), exporter))
    body = {"learner": {"id": "u1"}, "activity": {"id": "1"}, "cmi": {"location": "1"}}
    await bridge.post("/v1/commits", body, headers={"traceparent": PARENT[:-1] + "0"})
    await bridge.close()

    assert "commit" not in {span.name for span in exporter.get_finished_spans()}


def test_no_share_is_no_span() -> None:
    exporter = InMemorySpanExporter()
    tracing = open_tracing(TracingSettings(enabled=True, sample=0), exporter)
    with tracing.span("commit", {}):
        pass
    tracing.close()

    assert exporter.get_finished_spans() == ()


def test_without_the_setting_nothing_of_opentelemetry_is_imported() -> None:
    code = "import sys, bridge.app; sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    with Tracing().span("commit", {}) as span:
        span.set_attribute("nothing", 1)
