"""The guided filter follows edges, stays in [0, 1] and is what its paper says."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from metseg.lesions import GuidedFilter, guided_filter

Float = npt.NDArray[np.float32]


def by_the_book(p: Float, image: Float, radius: int, tolerance: float) -> Float:
    """Algorithm 1 of He, Sun, Tang (2010), written with uniform filters in double precision."""

    def mean(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(ndimage.uniform_filter(x, 2 * radius + 1, mode="reflect"))

    a, b = p.astype(float), image.astype(float)
    slope = (mean(b * a) - mean(b) * mean(a)) / (mean(b * b) - mean(b) ** 2 + tolerance)
    return np.asarray(np.clip(mean(slope) * b + mean(mean(a) - slope * mean(b)), 0, 1), np.float32)


def test_it_is_the_published_algorithm() -> None:
    rng = np.random.default_rng(0)
    probabilities, guide = (ndimage.gaussian_filter(rng.random((3, 40, 50)), (0, 2, 2)) for _ in range(2))
    probabilities, guide = probabilities.astype(np.float32), guide.astype(np.float32)
    refined = guided_filter(probabilities, guide, GuidedFilter(radius=4, tolerance=1e-2))
    for one, p, image in zip(refined, probabilities, guide, strict=True):
        np.testing.assert_allclose(one, by_the_book(p, image, 4, 1e-2), atol=2e-4)


def test_a_blurred_outline_moves_to_the_edge_of_the_image() -> None:
    inside = np.zeros((1, 64, 64), np.float32)
    inside[0, 20:44, 20:44] = 1
    shifted = ndimage.gaussian_filter(np.roll(inside, 3, axis=2), (0, 3, 3)).astype(np.float32)
    guide = 0.3 + 0.4 * inside
    refined = guided_filter(shifted, guide, GuidedFilter())
    before, after = (((p >= 0.5) != (inside > 0)).sum() for p in (shifted, refined))
    assert after < before / 2


def test_on_an_even_image_it_only_smooths_and_values_stay_probabilities() -> None:
    rng = np.random.default_rng(1)
    probabilities = rng.random((2, 32, 32)).astype(np.float32)
    flat = guided_filter(probabilities, np.full_like(probabilities, 0.4), GuidedFilter(radius=2))
    assert flat.std() < probabilities.std()
    sharp = guided_filter(np.round(probabilities), rng.random((2, 32, 32)).astype(np.float32), GuidedFilter())
    assert sharp.min() >= 0
    assert sharp.max() <= 1


def test_no_lesion_and_all_lesion_stay_so() -> None:
    guide = np.random.default_rng(2).random((1, 32, 32)).astype(np.float32)
    for value in (0.0, 1.0):
        even = np.full((1, 32, 32), value, np.float32)
        np.testing.assert_allclose(guided_filter(even, guide, GuidedFilter()), even, atol=1e-5)
