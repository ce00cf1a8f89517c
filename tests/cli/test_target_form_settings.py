"""Settings of a target's form: what does not go together is refused at start, and says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.settings import SettingsError, load_settings

TARGET = '[[targets]]\nname = "lrs"\nendpoint = "https://lrs.example.org/xapi"\n'
KEY = '[[targets.pseudonym_keys]]\nid = "{}"\nkey_env = "{}"\n'
SECRET = "canary-7c1e" * 4


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set keys in the environment."""
    for name, value in (("ONE", SECRET), ("TWO", "two" * 11), ("SAME", SECRET), ("SHORT", "s" * 31)):
        monkeypatch.setenv(name, value)


PSEUDONYM = TARGET + 'actor = "pseudonym"\n'
SINCE = "since = 2027-01-01T00:00:00Z\n"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (PSEUDONYM, "needs a [[targets.pseudonym_keys]] section"),
        (TARGET + KEY.format("k", "ONE"), 'go with actor = "pseudonym"'),
        (PSEUDONYM + "names = true\n" + KEY.format("k", "ONE"), "whose each pseudonym is"),
        (PSEUDONYM + KEY.format("k", "ONE") + SINCE, "the first one without it"),
        (PSEUDONYM + KEY.format("k", "ONE") + KEY.format("l", "TWO"), "in the order of their `since`"),
        (PSEUDONYM + KEY.format("k", "ONE") + KEY.format("k", "TWO") + SINCE, "the same id"),
        (PSEUDONYM + KEY.format("k", "ONE") + KEY.format("l", "SAME") + SINCE, "the same key"),
        (PSEUDONYM + KEY.format("k", "SHORT"), "fewer than 32 characters"),
        (PSEUDONYM + KEY.format("k", "NONE"), "NONE, which is not set"),
        (PSEUDONYM + KEY.format("a/b", "ONE"), "should match pattern"),
        (PSEUDONYM + f'[[targets.pseudonym_keys]]\nid = "k"\nkey = "{SECRET}"\n', "must not be in the settings"),
        (PSEUDONYM + '[[targets.pseudonym_keys]]\nid = "k"\n', "needs key_env or key_file"),
        (PSEUDONYM + KEY.format("k", "ONE") + KEY.format("l", "TWO") + "since = 2027-01-01\n", "since"),
        (TARGET + 'actor = "openid"\n', "actor"),
    ],
)
def test_what_does_not_go_together_is_refused(text: str, fault: str, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as refused:
        load_settings(file)

    assert fault in str(refused.value)
    assert SECRET not in str(refused.value)


def test_names_are_off_with_pseudonyms_and_on_without(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(PSEUDONYM + KEY.format("k", "ONE") + TARGET.replace("lrs", "other"), encoding="utf-8")
    research, other = load_settings(file).targets

    assert (research.has_names, research.free_text, other.has_names, other.actor) == (False, True, True, None)
    assert research.pseudonym_keys[0].secret("key") == SECRET
