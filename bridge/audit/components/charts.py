"""Charts as SVG files of their own: no script, one style sheet, light or dark as the viewer prefers.

pygal draws them: it is pure Python without dependencies of weight, and marks what it draws by classes, so that a style
sheet can have the colours. What it adds for scripts is removed.
"""

from __future__ import annotations

import base64
import hashlib
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

import pygal
from aiohttp import web
from pygal.etree import etree

# for maps that are not installed pygal puts a finder of modules in, of a kind that Python 3.11 warns of at every import
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "pygal"]
# pygal takes lxml where it is installed, whose comments have no attributes: charts depend on nothing else that is there
etree.to_etree()

# what pygal leaves room for; chart.css says how large text is
_FONT_SIZES = {"label_font_size": 15, "major_label_font_size": 15, "value_font_size": 15}
_STEPS = (1, 2, 5)
_REMOVED_TAGS = ("script", "desc")


def per_minute(title: str, numbers: Mapping[str, int]) -> bytes:
    """Draw a column for each minute, label -> number; every tenth column is labelled."""
    chart = pygal.Bar(width=640, height=180, spacing=4, margin=8, show_minor_x_labels=False, **_settings())
    chart.x_labels = list(numbers)
    chart.x_labels_major_every = 10
    chart.truncate_label = -1
    chart.y_labels = list(_marks(max(numbers.values(), default=0)))
    chart.add(title, list(numbers.values()))
    return _rendered(chart, title)


def per_target(
    title: str, numbers: Mapping[str, int], format_number: Callable[[int], str] = str, unit: int = 1
) -> bytes:
    """Draw a bar for each target, name -> number, labelled by `format_number`.

    The scale has its marks at round numbers of `unit`.
    """
    # drawn from below
    rows = dict(reversed(list(numbers.items())))
    chart = pygal.HorizontalBar(width=640, height=46 + 34 * max(len(rows), 1), spacing=4, margin=8, **_settings())
    chart.x_labels = list(rows)
    chart.truncate_label = 28
    chart.y_labels = [mark * unit for mark in _marks(max(rows.values(), default=0) / unit)]
    chart.print_values, chart.print_values_position = True, "top"
    chart.value_formatter = lambda value: format_number(round(value))
    chart.add(title, list(rows.values()))
    return _rendered(chart, title)


def chart_response(drawing: bytes) -> web.Response:
    """Return the response with a chart; nothing in it may run or be loaded, also when it is opened directly."""
    policy = f"default-src 'none'; style-src 'sha256-{_style_digest()}'; frame-ancestors 'none'; sandbox"
    return web.Response(
        body=drawing, content_type="image/svg+xml", charset="utf-8", headers={"Content-Security-Policy": policy}
    )


def _settings() -> dict[str, object]:
    return {
        "style": pygal.style.Style(**_FONT_SIZES),
        "show_legend": False,
        "no_prefix": True,
        "js": (),
        "css": (),
        "include_x_axis": True,
    }


def _marks(highest: float) -> Sequence[int]:
    """Return round numbers from 0 to the highest or above it, three to six of them."""
    size = 10 ** max(math.floor(math.log10(highest / 4)), 0) if highest > 4 else 1
    step = next((size * step for step in _STEPS if size * step * 5 >= highest), size * 10)
    return range(0, step * max(math.ceil(highest / step), 1) + 1, step)


def _rendered(chart: pygal.Graph, title: str) -> bytes:
    """Return the SVG file, with our style sheet in place of pygal's, and without its scripts and tooltips."""
    root = chart.render_tree()
    for parent in list(root.iter()):
        for child in list(parent):
            # pygal draws with lxml where that is installed, whose comments have no attributes
            if child.tag is etree.Comment or child.tag in _REMOVED_TAGS or "tooltip-overlay" in child.get("class", ""):
                parent.remove(child)
    root.attrib.pop("id", None)
    _, _, width, height = root.get("viewBox").split()
    for name, value in (("width", width), ("height", height), ("role", "img")):
        root.set(name, value)
    root.find("title").text = title
    root.find("defs/style").text = _style()
    return bytes(etree.tostring(root, encoding="utf-8"))


@cache
def _style() -> str:
    return (Path(__file__).parent / "chart.css").read_text()


@cache
def _style_digest() -> str:
    return base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
