"""The script that LMSs' pages load, and what tells one release of it from another.

`tap.js` is what `npm run build` makes of `src/`. It is kept in the repository: nobody needs Node.js to serve it.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
from functools import cache
from html import escape
from pathlib import Path

import msgspec

PATH = "/tap.js"
"""Where the bridge serves it."""
FILE = Path(__file__).parent / "tap.js"
VERSION_LENGTH = 12


class TapScript(msgspec.Struct, frozen=True, gc=False):
    """The script as it is sent.

    Attributes:
        body: what a browser runs.
        compressed: the same, as gzip.
        version: of these very bytes; part of the address that may be cached for good.
        integrity: what a page's `integrity` attribute has to be for a browser to run this script and no other.
    """

    body: bytes
    compressed: bytes
    version: str
    integrity: str

    def element(self, public_url: str, key: str) -> str:
        """Return the HTML element that a page loads it with, from the bridge at `public_url`."""
        return (
            f'<script src="{escape(public_url.rstrip("/"))}{PATH}?v={self.version}" integrity="{self.integrity}"'
            f' crossorigin="anonymous" data-key="{escape(key)}"></script>'
        )


@cache
def load_script() -> TapScript:
    """Load the script."""
    body = FILE.read_bytes()
    return TapScript(
        body=body,
        compressed=gzip.compress(body, mtime=0),
        version=hashlib.sha256(body).hexdigest()[:VERSION_LENGTH],
        integrity=f"sha384-{base64.b64encode(hashlib.sha384(body).digest()).decode()}",
    )
