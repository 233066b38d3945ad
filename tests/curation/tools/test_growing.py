"""Growing and shrinking along the contour of the probability."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from metseg.curation.tools import ToolError, grow, shrink

CUBE = np.ones((3, 3, 3), bool)


def hill(width: float = 6.0) -> tuple[np.ndarray, np.ndarray]:
    """A lesion (label 2) outlined at half of a round hill of probability, with another lesion (5) at its foot."""
    z, y, x = np.ogrid[:7, :48, :48]
    probabilities = np.exp(-(((z - 3) / 2) ** 2 + ((y - 22) / width) ** 2 + ((x - 22) / width) ** 2)).astype(np.float32)
    labels = (probabilities >= 0.5).astype(np.uint16) * 2
    labels[2:5, 20:24, 32:36] = 5
    return labels, probabilities


def applied(labels: np.ndarray, made: object) -> np.ndarray:
    copy = labels.copy()
    made.apply(copy)
    return copy


def scene(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Smooth random probabilities and lesions drawn where they are high, one of them at the border."""
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.normal(size=(6, 30, 30)), (1, 3, 3))
    field = (field - field.min()) / (field.max() - field.min())
    labels, _ = ndimage.label(field > 0.7, CUBE)
    labels = labels.astype(np.uint16)
    labels[0, :3, :3] = 99
    return labels, field.astype(np.float32)


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.floats(0.01, 1.0), st.floats(0.01, 1.0), st.booleans())
def test_growing_is_monotone_and_keeps_away_from_others(seed: int, a: float, b: float, coarse: bool) -> None:
    labels, probabilities = scene(seed)
    if coarse:
        probabilities = np.rint(probabilities * 255).astype(np.uint8)
    for label in np.unique(labels[labels > 0])[:3]:
        old = labels == label
        less, more = (applied(labels, grow(labels, probabilities, int(label), step=s)) for s in sorted((a, b)))
        assert not (old & (less != label)).any()
        assert not ((less == label) & (more != label)).any()
        others = (labels > 0) & ~old
        assert (more[others] == labels[others]).all()
        gained = (more == label) & ~old
        assert not (gained & ndimage.binary_dilation(others, CUBE)).any()
        assert ndimage.label(more == label, CUBE)[1] <= ndimage.label(old, CUBE)[1]


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.floats(0.01, 1.0), st.floats(0.01, 1.0))
def test_shrinking_is_monotone_and_leaves_something(seed: int, a: float, b: float) -> None:
    labels, probabilities = scene(seed)
    for label in np.unique(labels[labels > 0])[:3]:
        small, large = (applied(labels, shrink(labels, probabilities, int(label), step=s)) for s in sorted((a, b)))
        assert (small == label).any()
        assert (large == label).any()
        assert not ((small == label) & (labels != label)).any()
        if (large != labels).any():
            assert not ((large == label) & (small != label)).any()
        assert (np.where(labels == label, 0, large) == np.where(labels == label, 0, labels)).all()


def test_the_new_edge_is_a_contour() -> None:
    labels, probabilities = hill()
    labels[labels == 5] = 0
    grown = applied(labels, grow(labels, probabilities, 2)) == 2
    assert grown.sum() >= 1.15 * (labels == 2).sum()
    rim = ndimage.binary_dilation(grown, CUBE) & ~grown
    assert probabilities[grown].min() > probabilities[rim].max() - 1 / 255
    shrunk = applied(labels, shrink(labels, probabilities, 2)) == 2
    assert 0 < shrunk.sum() <= 0.85 * (labels == 2).sum()
    assert probabilities[shrunk].min() > probabilities[(labels == 2) & ~shrunk].max() - 1 / 255


def test_clicking_on_stops_before_the_neighbour_and_at_the_end_of_the_probability() -> None:
    labels, probabilities = hill(9.0)
    for _ in range(40):
        made = grow(labels, probabilities, 2)
        if not made:
            break
        made.apply(labels)
    assert not made
    other = ndimage.binary_dilation(labels == 5, CUBE)
    assert not (other & (labels == 2)).any()
    assert (labels == 5).sum() == 48


def test_one_click_goes_no_further_than_its_reach() -> None:
    labels = np.zeros((9, 64, 64), np.uint16)
    labels[4, 32, 32] = 1
    flat = np.full(labels.shape, 0.6, np.float32)
    places = np.argwhere(applied(labels, grow(labels, flat, 1)))
    assert np.abs(places - (4, 32, 32)).max(axis=0).tolist() == [2, 8, 8]
    places = np.argwhere(applied(labels, grow(labels, flat, 1, spacing=(8.0, 1.0, 1.0))))
    assert np.abs(places - (4, 32, 32)).max(axis=0).tolist() == [1, 8, 8]
    places = np.argwhere(applied(labels, grow(labels, flat, 1, spacing=(2.0, 1.0, 1.0))))
    assert np.abs(places - (4, 32, 32)).max(axis=0).tolist() == [4, 8, 8]


def test_where_the_network_saw_nothing_there_is_no_contour() -> None:
    labels, _ = hill()
    nothing = np.zeros(labels.shape, np.uint8)
    assert not grow(labels, nothing, 2)
    assert not shrink(labels, nothing, 2)


def test_a_lesion_that_is_not_there_is_refused() -> None:
    labels, probabilities = hill()
    for tool in (grow, shrink):
        with pytest.raises(ToolError, match="no lesion 4"):
            tool(labels, probabilities, 4)
        with pytest.raises(ToolError, match="no lesion 0"):
            tool(labels, probabilities, 0)
