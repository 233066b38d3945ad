"""Slice propagation: lesions are continued in the next slice where the network, which sees one slice, drew nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Annotated

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field
from scipy.ndimage import binary_dilation
from scipy.special import expit

Plane = npt.NDArray[np.float32]
Planes = npt.NDArray[np.float32]
_Mask = npt.NDArray[np.bool_]

#: A voxel is confidently lesion above, and confidently none below; it counts as lesion from one half on.
_CONFIDENT, _NONE, _LESION = 0.7, 0.1, 0.5
#: Nothing is learnt from fewer voxels of either kind, and a smaller outline is not continued.
_FEWEST, _SMALLEST = 50, 20
#: Healthy voxels are taken from a lesion's surroundings: within so many pixels, on so many slices on either side, but
#: not within so many pixels of what may be lesion itself.
_AROUND, _ABOVE, _MARGIN, _DOUBTFUL = 25, 2, 3, 0.3
#: Windowed brightness from which on a voxel is head.
_HEAD = 0.1
#: Standard deviations in pixels: of the image before it is classified, and of an outline before it is propagated.
_SMOOTH, _SPREAD = 1.0, 2.0


class SlicePropagation(BaseModel, frozen=True, extra="forbid", serialize_by_alias=True, validate_by_name=True):
    """Settings of :func:`propagate_slices`.

    Attributes
    ----------
    separation : float
        Share of confident voxels that the image's brightness must classify, the mean over lesion and healthy.
    overlap : float, stored as ``drawn``
        Where the next slice has more than this share of the outline as lesion already, it is left as it is.
    similarity : float, stored as ``alike``
        Share of the outline in which the next slice must look like lesion.
    probability : float, stored as ``carried``
        What is propagated, after the outline was blurred: where its probability is above this.
    """

    separation: Annotated[float, Field(ge=0.5, le=1)] = 0.85
    overlap: Annotated[float, Field(ge=0, le=1, alias="drawn")] = 0.3
    similarity: Annotated[float, Field(ge=0, le=1, alias="alike")] = 0.5
    probability: Annotated[float, Field(gt=0, lt=1, alias="carried")] = 0.5


def propagate_slices(probabilities: Planes, image: Callable[[int], Planes], config: SlicePropagation) -> Planes:
    """Propagate lesions to the next slice where that looks as the lesion does and hardly anything is drawn.

    What lesion looks like is learnt from the volume itself: a linear discriminant (Fisher 1936) of the sequences'
    brightness between confident lesion voxels and healthy ones around them. Up the slices, then down.

    Parameters
    ----------
    probabilities : ndarray of float32, shape (z, y, x)
        Probability of lesion.
    image : callable
        Of the number of a slice: its sequences, float32 (c, y, x) in [0, 1], all on the same pixels.
    config : SlicePropagation
        When.

    Returns
    -------
    ndarray of float32, shape (z, y, x)
        Nowhere less than ``probabilities``, and nowhere changed if the image does not tell lesion from healthy.
    """
    classifier = (
        _IntensityClassifier.fitted(probabilities, image, config.separation) if len(probabilities) > 1 else None
    )
    if classifier is None:
        return probabilities
    continued, depth = probabilities.copy(), len(probabilities)
    for slices, step in ((range(1, depth), -1), (range(depth - 2, -1, -1), 1)):
        for z in slices:
            source, target = continued[z + step], continued[z]
            if _breaks_off(source, target, config):
                _propagate(source, target, classifier.probability(image(z)), config)
    return continued


def _breaks_off(source: Plane, target: Plane, config: SlicePropagation) -> bool:
    """Whether hardly any of the outline of ``source`` is drawn on ``target``."""
    outline = source > _LESION
    return bool(outline.sum() >= _SMALLEST and (target[outline] > _LESION).mean() <= config.overlap)


def _propagate(source: Plane, target: Plane, likely: Plane, config: SlicePropagation) -> None:
    outline = source > _LESION
    if (likely[outline] > _LESION).mean() >= config.similarity:
        blurred = _blurred(source, _SPREAD)
        np.maximum(target, np.where(blurred > config.probability, np.minimum(blurred, likely), 0), out=target)


class _IntensityClassifier:
    """Linear discriminant (LDA) of a volume's lesions against what is around them: weights of the sequences, offset."""

    def __init__(self, weights: npt.NDArray[np.float64], offset: float) -> None:
        self._weights = weights
        self._offset = offset

    @classmethod
    def fitted(
        cls, probabilities: Planes, image: Callable[[int], Planes], separation: float
    ) -> _IntensityClassifier | None:
        """From a volume's confident voxels; ``None`` if there are too few, or they look alike."""
        samples = list(_samples(probabilities, image))
        if not samples:
            return None
        lesion, healthy = (np.concatenate(slices) for slices in zip(*samples, strict=True))
        if min(len(lesion), len(healthy)) < _FEWEST:
            return None
        centres = lesion.mean(axis=0), healthy.mean(axis=0)
        channels = lesion.shape[1]
        spread = (np.cov(lesion.T) + np.cov(healthy.T)).reshape(channels, channels) / 2 + 1e-6 * np.eye(channels)
        weights = np.linalg.solve(spread, centres[0] - centres[1])
        classifier = cls(weights, float(weights @ (centres[0] + centres[1]) / 2))
        accuracy = (
            (lesion @ weights > classifier._offset).mean() + (healthy @ weights < classifier._offset).mean()
        ) / 2
        return classifier if accuracy >= separation else None

    def probability(self, image: Planes) -> Plane:
        """Probability that a voxel is lesion by its brightness alone, both kinds taken for equally many; (y, x)."""
        smooth = _smooth(image)
        likely = expit(np.tensordot(self._weights, smooth, 1) - self._offset)
        return np.where(_head(image), likely, 0).astype(np.float32)


def _samples(probabilities: Planes, image: Callable[[int], Planes]) -> Iterator[tuple[Plane, Plane]]:
    """Brightness of confident lesion and of healthy voxels around it, float32 (n, c), slice by slice."""
    near = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _AROUND + 1,) * 2)
    touching = np.ones((2 * _MARGIN + 1,) * 2, np.uint8)
    lesion = probabilities > _LESION
    for z in np.flatnonzero(binary_dilation(np.any(lesion, axis=(1, 2)), iterations=_ABOVE)).tolist():
        planes, lesion_probability = image(z), probabilities[z]
        around = np.any(lesion[max(z - _ABOVE, 0) : z + _ABOVE + 1], axis=0)
        healthy = (lesion_probability < _NONE) & _head(planes) & _dilated(around, near)
        healthy &= ~_dilated(lesion_probability > _DOUBTFUL, touching)
        smooth = np.moveaxis(_smooth(planes), 0, -1)
        yield smooth[lesion_probability > _CONFIDENT], smooth[healthy]


def _dilated(mask: npt.NDArray[np.bool_] | np.bool_, element: npt.NDArray[np.generic]) -> _Mask:
    return np.asarray(cv2.dilate(np.asarray(mask, np.uint8), np.asarray(element, np.uint8)) > 0)


def _head(planes: Planes) -> _Mask:
    return np.asarray(planes.max(axis=0) > _HEAD)


def _smooth(planes: Iterable[Plane]) -> Planes:
    return np.stack([_blurred(plane, _SMOOTH) for plane in planes])


def _blurred(plane: Plane, deviation: float) -> Plane:
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), deviation), np.float32)
