"""Objectives that content sets up before the learner has done anything."""

from __future__ import annotations

import pytest

from tests.mappings.builders import NOON, SECOND, Play, delta, numbered, triggers


@pytest.mark.parametrize("status", ["", "not attempted"])
def test_a_nought_that_an_objective_is_set_up_with_is_no_score(status: str) -> None:
    play = Play()
    first = play.send(delta({"objectives": numbered({"id": "O", "score": {"raw": "0"}, "status": status})}))

    assert "objective.scored" not in triggers(first)


def test_a_nought_that_was_scored_is_told() -> None:
    play = Play()
    done = play.send(delta({"objectives": numbered({"id": "O", "score": {"raw": "0"}, "status": "failed"})}))

    assert "objective.scored" in triggers(done)


def test_a_score_that_falls_to_nought_is_told() -> None:
    play = Play()
    play.send(delta({"objectives": numbered({"id": "O", "score": {"raw": "5"}})}))
    done = play.send(delta({"objectives": numbered({"id": "O", "score": {"raw": "0"}})}), at=NOON + SECOND)

    assert triggers(done) == ["objective.scored"]
