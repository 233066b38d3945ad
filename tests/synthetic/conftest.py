"""The sample study, drawn once."""

from __future__ import annotations

import pytest

from metseg.study import Study
from metseg.synthetic import synthetic_study


@pytest.fixture(scope="session")
def head() -> Study:
    """The synthetic head of seed 0 in full size."""
    return synthetic_study(0)


@pytest.fixture(scope="session")
def healthy() -> Study:
    """A full-size head without lesions."""
    return synthetic_study(0, lesions=())
