"""Padding far below air changes nothing: not the network's input, not the brain, not how a head is shown."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from metseg.preprocessing import PreprocessingConfig, Preprocessor, display_window, head_voxels, raise_padding
from metseg.synthetic import synthetic_study

HEAD = synthetic_study(3, slices=8, size=96).voxels


def corners() -> npt.NDArray[np.bool_]:
    """Where a head that was turned by some degrees has no voxels."""
    y, x = np.mgrid[:96, :96] - 47.5
    turned = np.abs(0.97 * x + 0.26 * y), np.abs(0.97 * y - 0.26 * x)
    return np.broadcast_to(np.maximum(*turned) > 46, HEAD.shape)


#: The head with air in its corners: what padding is to be taken for.
PLAIN = np.where(corners(), HEAD.min(axis=(1, 2, 3), keepdims=True), HEAD)


def padded(value: float, offset: float, dtype: str) -> npt.NDArray[np.generic]:
    return np.where(corners(), value, HEAD.astype(np.float64) + offset).astype(dtype)


PADDED = {
    "-1000": (-1000, 0, "int16"),
    "-1024": (-1024, 0, "int16"),
    "-32768": (-32768, 0, "int16"),
    "-32768 in float32": (-32768, 0, "float32"),
    "the lowest float32": (np.finfo(np.float32).min, 0, "float32"),
    "the lowest float64": (np.finfo(np.float64).min, 0, "float64"),
    "the lowest int32": (np.iinfo(np.int32).min, 0, "int32"),
    "0 below signed numbers stored as unsigned": (0, 32768, "uint16"),
    "0 below air at 4000": (0, 4000, "uint16"),
    "0 below air at 1024": (0, 1024, "uint16"),
}


@pytest.mark.parametrize("normalisation", ["median", "zscore"])
@pytest.mark.parametrize("case", PADDED)
def test_the_network_sees_what_it_sees_without(normalisation: str, case: str) -> None:
    config = PreprocessingConfig(normalisation=normalisation, size=None)  # type: ignore[arg-type]
    expected = Preprocessor(config, PLAIN).images([2, 5])
    got = Preprocessor(config, padded(*PADDED[case])).images([2, 5])
    assert np.abs(got - expected).mean() < 0.005
    assert np.isfinite(got).all()


@pytest.mark.parametrize("case", PADDED)
def test_the_head_and_its_window_are_found_without(case: str) -> None:
    _, offset, _ = PADDED[case]
    volume = padded(*PADDED[case])[1]
    np.testing.assert_allclose(np.subtract(display_window(volume), offset), display_window(PLAIN[1]), atol=2)
    np.testing.assert_array_equal(head_voxels(raise_padding(volume)), head_voxels(PLAIN[1]))


def test_padding_that_was_blended_into_its_edge_is_padding() -> None:
    from scipy.ndimage import gaussian_filter

    config = PreprocessingConfig(size=None)
    blended = gaussian_filter(padded(-1024, 0, "float32"), (0, 0, 0.6, 0.6))
    blended[corners()] = -1024
    expected = Preprocessor(config, np.maximum(gaussian_filter(PLAIN.astype("float32"), (0, 0, 0.6, 0.6)), 0))
    got = Preprocessor(config, blended)
    assert np.abs(got.windowed(4) - expected.windowed(4)).mean() < 0.02


def test_two_values_of_padding_are_both_padding() -> None:
    both = padded(-1024, 0, "int16")
    both[:, :, :6] = -32768
    assert raise_padding(both).min() >= 0


def test_a_head_without_padding_is_kept_as_it_is() -> None:
    for voxels in (HEAD, PLAIN, HEAD.astype("int16"), HEAD.astype("float32") / 255, HEAD.astype("int32") - 40):
        assert raise_padding(voxels) is voxels


def test_a_stripped_brain_keeps_its_background() -> None:
    stripped = np.zeros((8, 64, 64), np.float32)
    stripped[:, 16:48, 16:48] = 400 + 60 * np.random.default_rng(0).standard_normal((8, 32, 32))
    stripped[:, 20:22, 20:22] = 900
    assert raise_padding(stripped) is stripped
    scaled = (stripped - stripped.mean()) / stripped.std()
    assert raise_padding(scaled) is scaled
    raised = raise_padding(np.where(stripped == 0, np.float32(-1024), stripped))
    assert raised.min() >= 0
    assert raise_padding(np.zeros((2, 8, 8), np.uint8)).max() == 0
