"""Courses in the habits of authoring tools, each in a few lines: how they look for the LMS, and when they speak."""

from __future__ import annotations

from bridge.packages.manifest import MANIFEST
from tests.packages.packing import MANIFEST_12

MANIFEST_2004 = MANIFEST_12.replace("http://www.adlnet.org/xsd/adlcp_rootv1p2", "http://www.adlnet.org/xsd/adlcp_v1p3")
MANIFEST_2004 = MANIFEST_2004.replace("adlcp:scormtype", "adlcp:scormType")

_FIND = """
function findIn(win) { let tries = 0;
  while (!win.API && !win.API_1484_11 && win.parent && win.parent !== win && tries++ < 7) win = win.parent;
  return win.API || win.API_1484_11 || null; }
function find() { return findIn(window) || (window.opener && findIn(window.opener)) || null; }
"""
_LESSON = """
function begin(api) { api.LMSInitialize("");
  if (api.LMSGetValue("cmi.core.student_id") === "") throw new Error("nobody is there");
  if (api.LMSGetLastError() !== "0") throw new Error("an error of somebody else's");
  api.LMSSetValue("cmi.core.lesson_status", "incomplete"); api.LMSSetValue("cmi.core.exit", "suspend");
  api.LMSSetValue("cmi.unknown", "x"); api.LMSGetLastError(); api.LMSCommit(""); }
function end(api) { api.LMSSetValue("cmi.core.score.raw", String(Math.floor(Math.random() * 100)));
  api.LMSSetValue("cmi.core.lesson_status", "passed"); api.LMSSetValue("cmi.suspend_data", String(Date.now()));
  api.LMSSetValue("cmi.core.exit", ""); api.LMSCommit(""); api.LMSFinish(""); }
"""


def _course(page: str, manifest: str = MANIFEST_12, **files: str) -> dict[str, str | bytes]:
    named = {name.replace("_", "."): content for name, content in files.items()}
    return {MANIFEST: manifest, "index.html": page, "find.js": _FIND, "lesson.js": _LESSON, **named}


_SCRIPTS = '<script src="find.js"></script><script src="lesson.js"></script>'

WRAPPER = _course(
    f"""<!doctype html><html><head>{_SCRIPTS}<script>
    const scorm = {{ api: null, handle() {{ return this.api || (this.api = find()); }} }};
    addEventListener("load", () => begin(scorm.handle()));
    addEventListener("beforeunload", () => {{}}); addEventListener("unload", () => scorm.handle().LMSFinish(""));
    </script></head><body><button onclick="end(scorm.handle())">Finish</button></body></html>"""
)
"""It keeps the object that it has found, and finishes once more when it is left."""

POPUP = _course(
    "<html><head></head><body><button onclick=\"window.open('popup.html')\">Start</button></body></html>",
    popup_html=f"""<html><head>{_SCRIPTS}</head><body><script>const api = find(); begin(api);</script>
    <button onclick="end(api); window.close()">Finish</button></body></html>""",
)
"""It plays in a window of its own, and finds the LMS through its opener."""

FRAMES = _course(
    """<html><head><title>Frames</title></head><frameset cols="20%,80%"><frame src="menu.html">
    <frame src="content.html" name="content"></frameset></html>""",
    menu_html="<p>Menu</p>",
    content_html=f"""<html><head>{_SCRIPTS}</head><body onload="begin(find())">
    <button onclick="end(find())">Finish</button></body></html>""",
)
"""It speaks from a frame within its frame, and looks for the LMS each time."""

LATE = _course(
    f"""<html><head>{_SCRIPTS}<script>
    let tries = 0; const timer = setInterval(() => {{ const api = find();
      if (++tries < 5 || !api) return; clearInterval(timer); window.api = api; begin(api); }}, 50);
    </script></head><body><button onclick="end(window.api)">Finish</button></body></html>"""
)
"""It polls for the LMS, and speaks late."""

POLICY = _course(
    """<html><head><meta charset="utf-8">
    <meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'self'">
    <script src="find.js"></script><script src="lesson.js"></script><script src="start.js"></script>
    </head><body><button id="finish">Finish</button><script src="more.js"></script></body></html>""",
    start_js="begin(find());",
    more_js="document.getElementById('finish').onclick = () => end(find());",
)
"""It has a Content-Security-Policy that lets it reach nobody."""

SCORM_2004 = _course(
    """<!doctype html><html><head><script src="find.js"></script></head><body><script>
    const api = find(); api.Initialize(""); api.SetValue("cmi.completion_status", "incomplete");
    function end() { api.SetValue("cmi.success_status", "passed"); api.SetValue("cmi.score.scaled", "0.5");
      api.SetValue("cmi.completion_status", "nonsense"); api.GetLastError(); api.Terminate(""); }
    </script><button onclick="end()">Finish</button></body></html>""",
    MANIFEST_2004,
)
"""It speaks SCORM 2004, and makes an error."""
