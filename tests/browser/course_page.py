"""The launch page with the sample course in it, driven as a learner would."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Awaitable, Callable
from typing import Literal

from playwright.async_api import Locator, Page, Request, expect

PAGES = (
    "page-api",
    "page-commit",
    "page-statements",
    "set-is-not-save",
    "what-resumes",
    "what-it-says",
    "order-of-calls",
    "how-many-right",
    "results",
)
"""The course's pages in their order."""

QUESTIONS = PAGES[3:8]
"""Those of them that ask something."""

OPINIONS = ("in-your-words", "how-sure", "time-of-day")
"""Questions, of those that the course asks only when it is told to ask all, that have no right answer."""

DEADLINE = 30
"""Seconds within which a commit must be answered, even on a busy machine."""

Verdict = Literal["correct", "incorrect", "neutral"]


class CoursePage:
    """One launch of the sample course."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.sco = page.frame_locator("#sco")
        self.status = page.locator("#status")
        self._unanswered: set[Request] = set()
        self._answered = asyncio.Event()
        page.on("request", self._begun)
        page.on("requestfinished", self._ended)
        page.on("requestfailed", self._ended)
        self._answering: dict[str, Callable[[Locator, bool], Awaitable[None]]] = {
            "set-is-not-save": _true_or_false,
            "what-resumes": _choose,
            "what-it-says": _match,
            "order-of-calls": _sort,
            "how-many-right": _calculate,
            "call-that-saves": _fill_in,
            "in-your-words": _say,
            "how-sure": _rate,
            "leave-well": _perform,
            "time-of-day": _tell_time,
        }

    def button(self, name: str) -> Locator:
        """Return one of the course's own buttons."""
        return self.sco.get_by_role("button", name=name, exact=True)

    def question(self, name: str) -> Locator:
        """Return the form of a question, whether or not its page is shown."""
        return self.sco.locator(f"form[data-question={name}]")

    async def expect_page(self, name: str, *, status: str = "saved") -> None:
        """Wait until a page is shown and the launch page has told what became of its commit."""
        await expect(self.sco.locator("body")).to_have_attribute("data-shown", name)
        await expect(self.status).to_have_attribute("data-state", status)

    async def expect_answered(self, name: str, verdict: Verdict) -> None:
        """Wait until a question carries a verdict."""
        await expect(self.question(name)).to_have_attribute("data-result", verdict)

    async def turn_to(self, name: str, *, wrong: tuple[str, ...] = ()) -> None:
        """Go on page by page, from whichever is shown, and answer what is asked on the way but not on the last one."""
        body = self.sco.locator("body")
        # a course that was entered again turns to its page only after it has read where it was left
        await expect(body).to_have_attribute("data-shown", re.compile("."))
        shown = await body.get_attribute("data-shown")
        for here, following in itertools.pairwise(PAGES):
            if PAGES.index(here) < PAGES.index(shown or ""):
                continue
            if here == name:
                break
            if here in QUESTIONS:
                await self.answer(here, right=here not in wrong)
            await self.button("Next").click()
            await self.expect_page(following)

    async def answer(self, name: str, *, right: bool) -> None:
        """Answer the question that is shown, and read the verdict."""
        form = self.question(name)
        await self._answering[name](form, right)
        await form.get_by_role("button", name="Submit answer").click()
        await self.expect_answered(name, "neutral" if name in OPINIONS else "correct" if right else "incorrect")

    async def finish(self) -> None:
        """Finish on the last page."""
        await self.button("Finish").click()

    async def save_and_leave(self) -> None:
        """Leave for now, on any page."""
        await self.button("Save and leave").click()

    async def expect_end(self, outcome: str) -> None:
        """Wait until the course says how it ended, and the session is closed: its last commit is answered."""
        await expect(self.sco.locator("#end")).to_have_attribute("data-outcome", outcome)
        await expect(self.status).to_have_attribute("data-state", "ended")
        await self._wait_for_answers()

    async def _wait_for_answers(self) -> None:
        # the last commit is a beacon, whose answer no page sees: a page that is left before that is there counts the
        # request as aborted, though it goes on
        async with asyncio.timeout(DEADLINE):
            while self._unanswered:
                self._answered.clear()
                await self._answered.wait()

    def _begun(self, request: Request) -> None:
        if request.method == "POST":
            self._unanswered.add(request)

    def _ended(self, request: Request) -> None:
        self._unanswered.discard(request)
        self._answered.set()

    async def play(self, outcome: Literal["passed", "failed"], *, wrong: tuple[str, ...] = ()) -> None:
        """Play to the end from whichever page is shown, answering wrongly what is named."""
        await self.turn_to("results", wrong=wrong)
        await self.finish()
        await self.expect_end(outcome)


async def _true_or_false(form: Locator, right: bool) -> None:  # noqa: FBT001 -- all of them are called alike
    await form.get_by_label("False" if right else "True").check()


async def _choose(form: Locator, right: bool) -> None:  # noqa: FBT001 -- likewise
    for value in ("location", "suspend-data" if right else "latency"):
        await form.locator(f"input[value={value}]").check()


async def _match(form: Locator, right: bool) -> None:  # noqa: FBT001 -- likewise
    pairs = {"session-time": "this-session", "total-time": "all-sessions", "exit": "how-left"}
    if not right:
        pairs |= {"session-time": "all-sessions", "total-time": "this-session"}
    for source, target in pairs.items():
        await form.locator(f"select[data-pair={source}]").select_option(target)


async def _sort(form: Locator, right: bool) -> None:  # noqa: FBT001 -- likewise
    if not right:
        return  # as they come, which is not the order asked for
    for place, item in enumerate(("initialize", "set-value", "commit", "terminate")):
        line = form.locator(f"li[data-item={item}]")
        while await line.evaluate("line => [...line.parentElement.children].indexOf(line)") > place:
            await line.get_by_role("button", name="up").click()


async def _calculate(form: Locator, right: bool) -> None:  # noqa: FBT001 -- likewise
    await form.get_by_label("Your answer").fill("16" if right else "80")


async def _fill_in(form: Locator, right: bool) -> None:  # noqa: FBT001 -- likewise
    await form.get_by_label("Your answer").fill("commit" if right else "Save")


async def _say(form: Locator, _right: bool) -> None:  # noqa: FBT001 -- likewise
    await form.get_by_label("Your answer").fill("Tell the learner,\nkeep what it has and try “again”: 1[,]2.")


async def _rate(form: Locator, _right: bool) -> None:  # noqa: FBT001 -- likewise
    await form.get_by_label("Agree", exact=True).check()


async def _perform(form: Locator, right: bool) -> None:  # noqa: FBT001 -- likewise
    for step, value in {"status": "incomplete", "location": "page-2", "exit": "suspend" if right else "normal"}.items():
        await form.locator(f"select[data-pair={step}]").select_option(value)


async def _tell_time(form: Locator, _right: bool) -> None:  # noqa: FBT001 -- likewise
    await form.get_by_label("Your answer").fill("08:30")
