"""The settings of the audit pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bridge.settings import load_settings
from tests.cli.conftest import Run

GUIDE = Path(__file__).parents[2] / "docs/audit.md"
OIDC = """
[audit.oidc]
issuer = "https://login.example.org/realm"
client_id = "bridge"
roles = { staff = "reader" }
"""


def test_the_settings_that_the_guide_shows_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_OIDC_SECRET", "hidden")
    file = tmp_path / "guide.toml"
    file.write_text("\n".join(re.findall(r"```toml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)))
    audit = load_settings(file).audit

    assert (audit.enabled, audit.session_hours, audit.behind_proxy) == (True, 12, False)
    assert audit.oidc is not None
    assert audit.oidc.secret("client_secret") == "hidden"
    assert audit.oidc.roles["lrs-admins"] == "admin"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('issuer = "https://login', 'issuer = "http://login'), "audit.oidc.issuer: must begin with https://"),
        (('"https://login.example.org/realm"', '"login"'), "audit.oidc.issuer: must be the issuer's address"),
        (('"reader"', '"root"'), "audit.oidc.roles.staff: "),
        (('{ staff = "reader" }', "{}"), "audit.oidc.roles: "),
        (("roles =", 'sees_names = ["boss"]\nroles ='), "boss has no role in roles"),
        (("roles =", 'scope = "profile"\nroles ='), "audit.oidc.scope: must contain openid"),
        (("roles =", 'client_secret_env = "NOT_THERE"\nroles ='), "NOT_THERE, which is not set"),
        (("[audit.oidc]", "[audit]\nsession_hours = 0\n[audit.oidc]"), "audit.session_hours: "),
        (("roles =", "rolls = 1\nroles ="), "audit.oidc.rolls: is not a known setting"),
    ],
)
def test_what_is_wrong_is_told(run: Run, change: tuple[str, str], words: str) -> None:
    result = run("tokens", file=OIDC.replace(*change))

    assert result.exit_code == 78
    assert words in result.stderr


@pytest.mark.parametrize("issuer", ["http://127.0.0.1:9", "http://[::1]:9", "http://localhost:9/x"])
def test_an_issuer_on_this_machine_needs_no_tls(tmp_path: Path, issuer: str) -> None:
    file = tmp_path / "local.toml"
    file.write_text(OIDC.replace("https://login.example.org/realm", issuer))
    provider = load_settings(file).audit.oidc

    assert provider is not None
    assert provider.issuer == issuer
