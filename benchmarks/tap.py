"""What the tap adds to calls of SCORM's API, in Chromium.

Run with `python -m benchmarks.tap`; it needs chromium. The API does nothing but store the value, so that the difference
is all the tap's. What it posts is answered at once by the browser's side of the benchmark.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import sys
from typing import Any

from playwright.async_api import Page, Route, async_playwright

from benchmarks.report import Report
from bridge.tap.script import load_script

ROUNDS, CALLS, COMMITS = 9, 20_000, 200
ORIGIN, BRIDGE = "https://lms.example.org", "https://bridge.example.org"
PAGE = """<!doctype html><title>LMS</title>%s<script>
  const values = { "cmi.core.student_id": "u42" };
  window.API = {
    LMSInitialize: () => "true", LMSFinish: () => "true", LMSCommit: () => "true", LMSGetLastError: () => "0",
    LMSGetValue: (name) => values[name] || "",
    LMSSetValue: (name, value) => { values[name] = value; return "true"; },
  };
  API.LMSInitialize("");
</script>"""
MEASURE = """([calls, commits]) => {
  const api = window.API, times = {};
  const measure = (name, count, run) => {
    const start = performance.now();
    for (let turn = 0; turn < count; turn++) run(turn);
    times[name] = (performance.now() - start) * 1000 / count;
  };
  measure("SetValue", calls, (turn) => api.LMSSetValue("cmi.core.lesson_location", turn));
  measure("GetValue", calls, () => api.LMSGetValue("cmi.core.lesson_location"));
  measure("SetValue and Commit", commits, (turn) => {
    api.LMSSetValue("cmi.core.lesson_location", turn);
    api.LMSCommit("");
  });
  measure("Initialize and Finish", commits, () => {
    api.LMSInitialize("");
    api.LMSFinish("");
  });
  return times;
}"""


async def main() -> None:
    """Measure, in turns with and without, and report."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        rounds: dict[str, list[dict[str, float]]] = {"without": [], "with": [], "recording": []}
        for _ in range(ROUNDS):
            for way, times in rounds.items():
                page = await browser.new_page()
                times.append(await _measure(page, way))
                await page.close()
        version = browser.version
        await browser.close()
    report = Report("tap", "Microseconds of one call, without the tap, and what it adds, with and without data-record:"
                    f" medians of {ROUNDS} rounds (Chromium {version}).", kept="--print" not in sys.argv)  # fmt: skip
    rows = []
    for name in rounds["with"][0]:
        without, *tapped = (statistics.median(each[name] for each in rounds[way]) for way in rounds)
        rows.append((name, f"{without:.2f}", *(f"{time - without:.2f}" for time in tapped)))
    report.table("Calls", ("call", "without", "added", "added with data-record"), rows)


async def _measure(page: Page, way: str) -> dict[str, Any]:
    async def answer(route: Route) -> None:
        address = route.request.url
        if address.startswith(BRIDGE):
            await route.fulfill(
                json={"commit_url": f"{BRIDGE}/commits"}, headers={"Access-Control-Allow-Origin": ORIGIN}
            )
        elif address.endswith("tap.js"):
            await route.fulfill(body=load_script().body, content_type="text/javascript")
        else:
            record = ' data-record="calls"' if way == "recording" else ""
            script = f'<script src="/tap.js" data-key="pk_bench" data-bridge="{BRIDGE}"{record}></script>'
            script = "" if way == "without" else script
            await route.fulfill(body=PAGE % script, content_type="text/html")

    await page.route("**/*", answer)
    await page.goto(f"{ORIGIN}/")
    times: dict[str, Any] = await page.evaluate(MEASURE, [CALLS, COMMITS])
    return times


if __name__ == "__main__":
    asyncio.run(main())
