"""In a browser, an LMS hears the same of a wrapped package as of the original."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from playwright.async_api import Frame, Page

from bridge.packages.proof import Play, prove
from bridge.packages.wrapping import WrapOptions, wrap
from bridge.sandbox.site import FOLDER, PLAYER
from bridge.tap.script import load_script
from tests.packages import courses
from tests.packages.packing import pack

pytestmark = pytest.mark.slow

OPTIONS = WrapOptions("pk_" + "k" * 43, "https://bridge.example.org", load_script().body)


async def _heard(page: Page, call: str) -> None:
    """Wait until the LMS has heard a call."""
    await page.wait_for_function("name => window.calls.some(call => call[0].endsWith(name))", arg=call)


def _sco(page: Page, name: str = "sco") -> Frame:
    frame = page.frame(name)
    assert frame is not None
    return frame


async def _finish(page: Page) -> None:
    """Press the button of the course once it has begun."""
    await _heard(page, "Initialize")
    await _sco(page).get_by_text("Finish").click()
    await _heard(page, "Finish" if "1.2" in page.url else "Terminate")


async def _finish_in_frame(page: Page) -> None:
    await _heard(page, "Initialize")
    await _sco(page, "content").get_by_text("Finish").click()


async def _finish_in_popup(page: Page) -> None:
    async with page.expect_popup() as opened:
        await page.frame_locator("iframe").get_by_text("Start").click()
    popup = await opened.value
    await _heard(page, "Initialize")
    await popup.get_by_text("Finish").click()
    await _heard(page, "Finish")


COURSES: dict[str, tuple[dict[str, str | bytes], Play]] = {
    "wrapper": (courses.WRAPPER, _finish),
    "popup": (courses.POPUP, _finish_in_popup),
    "frames": (courses.FRAMES, _finish_in_frame),
    "late": (courses.LATE, _finish),
    "policy": (courses.POLICY, _finish),
    "2004": (courses.SCORM_2004, _finish),
}


@pytest.mark.parametrize("name", COURSES)
async def test_an_lms_hears_no_difference(name: str, tmp_path: Path) -> None:
    files, play = COURSES[name]
    wrap(pack(tmp_path / "in.zip", files), tmp_path / "out.zip", OPTIONS)
    (proof,) = await prove(tmp_path / "in.zip", tmp_path / "out.zip", PLAYER, play)

    assert proof.difference == ""
    assert proof.original[0][0].endswith("Initialize")
    assert {"LMSFinish", "Terminate"} & {call[0] for call in proof.original}
    assert proof.reads > 0, "the script was not there"


@pytest.mark.parametrize("version", ["1.2", "2004"])
async def test_an_lms_hears_no_difference_of_the_sample_course(version: str, tmp_path: Path) -> None:
    source = tmp_path / "in"
    shutil.copytree(FOLDER / "course", source, ignore=shutil.ignore_patterns("manifests"))
    shutil.copytree(FOLDER / "course" / "manifests" / version, source, dirs_exist_ok=True)
    wrap(source, tmp_path / "out", OPTIONS)

    async def play(page: Page) -> None:
        await _heard(page, "Commit")

    (proof,) = await prove(source, tmp_path / "out", PLAYER, play)

    assert proof.difference == ""
    assert {"LMSFinish", "Terminate"} & {call[0] for call in proof.original}


async def test_a_difference_is_told(tmp_path: Path) -> None:
    """The twin is another course: what the proof compares is what the LMS hears."""
    other = {**courses.WRAPPER, "lesson.js": str(courses.WRAPPER["lesson.js"]).replace("incomplete", "completed")}
    pack(tmp_path / "in.zip", courses.WRAPPER)
    pack(tmp_path / "out.zip", other)
    (proof,) = await prove(tmp_path / "in.zip", tmp_path / "out.zip", PLAYER, _finish)

    assert proof.difference.startswith("call 4 is LMSSetValue('cmi.core.lesson_status', 'incomplete') -> 'true', and")
