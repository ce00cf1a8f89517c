"""Lines for an LMS's nginx that send a copy of what players post to the bridge.

They are those of `deploy/nginx/scorm-mirror.conf`, which is not where the bridge is installed as a package; a test
compares both.
"""

from __future__ import annotations

from collections.abc import Mapping

from bridge.lms_pages.marks import LmsProduct

_PLAYER = """\
location = {path} {{
    mirror /mirror/{format};
    proxy_pass http://lms;
    proxy_set_header Host $host;
}}
"""
_INTERNAL = """\
location ~ ^/mirror/(ilias|ilias-2004|chamilo)$ {
    internal;
    proxy_pass http://scorm_bridge/v1/mirror/$1$is_args$args;
    proxy_set_header X-Mirror-Learner "";
    proxy_set_header X-Mirror-Launch "";
    include /etc/nginx/scorm-mirror-headers.conf;
}
"""
_PATHS: Mapping[LmsProduct | None, Mapping[str, str]] = {
    LmsProduct.ILIAS: {"ilias": "/storeScorm.php", "ilias-2004": "/storeScorm2004.php"},
    LmsProduct.CHAMILO: {"chamilo": "/main/lp/lp_ajax_save_item.php"},
}
"""Where players post, by the wire format: of the LMSs whose posts say whose they are."""


def mirror_lines(product: LmsProduct | None) -> list[str]:
    """Return the lines of nginx's configuration for an LMS whose posts say whose they are.

    Raises:
        KeyError: those of this LMS do not.
    """
    players = [_PLAYER.format(path=path, format=name) for name, path in _PATHS[product].items()]
    return "".join([*players, _INTERNAL]).splitlines()
