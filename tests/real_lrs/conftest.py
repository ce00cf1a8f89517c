"""Real LRSs, one after the other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.real_lrs.adl import SOURCE, AdlLrs
from tests.real_lrs.learning_locker import LearningLocker
from tests.real_lrs.ralph import Ralph
from tests.real_lrs.service import RealLrs

needs_adl = pytest.mark.skipif(not SOURCE.exists(), reason="ADL_LRS does not tell where ADL's LRS is")


@pytest.fixture
def adl_lrs(postgresql_server: str) -> Iterator[AdlLrs]:
    """ADL's LRS, which has nothing."""
    with AdlLrs(postgresql_server) as running:
        yield running


@pytest.fixture(params=[Ralph, LearningLocker, pytest.param(AdlLrs, marks=needs_adl)], ids=lambda kind: kind.name)
def lrs(request: pytest.FixtureRequest) -> Iterator[RealLrs]:
    """An LRS that has no statements."""
    if request.param is AdlLrs:
        yield request.getfixturevalue("adl_lrs")
    else:
        with request.param() as running:
            yield running
