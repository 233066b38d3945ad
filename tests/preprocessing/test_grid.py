"""Slices reach the network's grid and come back to their own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metseg.preprocessing import Grid

sides = st.integers(min_value=1, max_value=700)


@given(sides, sides, st.sampled_from([None, 128, 256]), st.sampled_from([1, 16, 32]))
def test_every_shape_comes_back(height: int, width: int, size: int | None, multiple: int) -> None:
    grid = Grid.fit((height, width), size, multiple)
    image = np.full((2, height, width), 0.5, np.float32)
    laid = grid.forward(image)
    assert laid.shape == (2, *grid.padded)
    assert all(side % multiple == 0 for side in grid.padded)
    back = grid.backward(laid)
    assert back.shape == image.shape
    np.testing.assert_allclose(back, 0.5, atol=1e-5)


@given(st.integers(33, 255), st.integers(33, 255))
def test_padding_alone_is_undone_bit_for_bit(height: int, width: int) -> None:
    image = np.random.default_rng(height * width).random((1, height, width)).astype(np.float32)
    grid = Grid.fit((height, width), None, 32)
    np.testing.assert_array_equal(grid.backward(grid.forward(image)), image)


def test_a_256_slice_is_not_touched() -> None:
    image = np.random.default_rng(0).random((3, 256, 256)).astype(np.float32)
    np.testing.assert_array_equal(Grid.fit((256, 256), 256, 32).forward(image), image)


@pytest.mark.parametrize("shape", [(512, 512), (240, 240), (320, 200)])
def test_a_resized_mask_stays_where_it_was(shape: tuple[int, int]) -> None:
    mask = np.zeros(shape, np.uint8)
    mask[shape[0] // 4 : shape[0] // 2, shape[1] // 3 : shape[1] // 2] = 1
    grid = Grid.fit(shape, 256, 32)
    back = grid.backward(grid.forward_mask(mask)[None].astype(np.float32))[0] > 0.5
    assert 2 * (back & (mask > 0)).sum() / (back.sum() + mask.sum()) > 0.95
