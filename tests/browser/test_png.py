"""Pictures of the documentation are small, and look like the pages that they show."""

from __future__ import annotations

import base64
import re

import pytest
from playwright.async_api import Browser

from tests.browser.pictures import FOLDER, MAX_BYTES, NAMES
from tests.browser.png import shrink
from tests.documentation.blocks import PAGES

PICTURE = re.compile(r"!\[(?P<text>[^\]]*)\]\((?:\.\./)?pictures/(?P<name>[\w-]+)\.png\)")
READ_COLOURS = """async source => {
    const image = new Image();
    image.src = source;
    await image.decode();
    const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    return [image.width, image.height, [...context.getImageData(0, 0, image.width, image.height).data]];
}"""


@pytest.mark.asyncio(loop_scope="session")
async def test_a_browser_reads_a_shrunk_picture_as_the_one_it_was_made_of(browser: Browser) -> None:
    page = await browser.new_page(viewport={"width": 120, "height": 60})
    await page.set_content("<body style='background: linear-gradient(90deg, #fff, #124)'><h1>Text</h1>")
    picture = await page.screenshot()

    before, after = [
        await page.evaluate(READ_COLOURS, f"data:image/png;base64,{base64.b64encode(data).decode()}")
        for data in (picture, shrink(picture))
    ]
    await page.close()

    assert before[:2] == after[:2] == [120, 60]
    assert max(abs(one - other) for one, other in zip(before[2], after[2], strict=True)) < 40


def test_each_picture_is_small_and_shown_with_words_for_those_who_cannot_see_it() -> None:
    shown = {
        match["name"]: match["text"] for page in PAGES for match in PICTURE.finditer(page.read_text(encoding="utf-8"))
    }

    assert shown.keys() == {file.stem for file in FOLDER.glob("*")} == set(NAMES)
    assert [name for name, text in shown.items() if len(text.split()) < 5] == []
    assert [file.name for file in FOLDER.glob("*") if file.stat().st_size > MAX_BYTES] == []
