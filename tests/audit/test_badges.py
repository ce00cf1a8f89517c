"""Every state has a color, and no word has two."""

from __future__ import annotations

from collections import Counter

from bridge.audit.components.assets import assets
from bridge.audit.components.badges import BY_COLOR, COLORS, STATES, BadgeColor, badge_color


def test_every_state_has_a_color_of_its_own_choice() -> None:
    """A state that is added to an enum and not to the colors fails here, instead of being plain by chance."""
    assert {str(state) for states in STATES for state in states} <= COLORS.keys()


def test_no_word_is_given_two_colors() -> None:
    words = Counter(str(word) for words in BY_COLOR.values() for word in words)

    assert [word for word, times in words.items() if times > 1] == []


def test_a_word_of_others_is_plain() -> None:
    assert badge_color("of others") is BadgeColor.PLAIN


def test_every_color_has_a_style() -> None:
    style = assets()["audit.css"].content.decode()

    assert [color for color in BadgeColor if color is not BadgeColor.PLAIN and f".badge.{color}" not in style] == []
