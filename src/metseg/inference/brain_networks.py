"""deepbet's two networks with OpenVINO: as :meth:`deepbet.BrainExtraction.run_model`, without deepbet and torch.

Converted once and kept in the user's cache folder; in full precision, which costs them a tenth of a second. Source:
Fisch et al. 2024, "deepbet: Fast brain extraction of T1-weighted MRI using Convolutional Neural Networks", doi
10.1016/j.compbiomed.2024.108845; deepbet 1.0.2 (MIT).
"""

from __future__ import annotations

import warnings
from functools import cache
from importlib.metadata import distribution, version
from pathlib import Path

import numpy as np
import numpy.typing as npt
from platformdirs import user_cache_path
from scipy import ndimage

from metseg.inference.converted import make_once
from metseg.inference.openvino_backend import CompiledNetwork, load_openvino

Volume = npt.NDArray[np.float32]
Box = tuple[slice, slice, slice]

#: Names of the networks in deepbet, and the side of the cube that each looks at.
_FINDER, _FINDER_SIDE = "bbox_model", 128
_MASKER, _MASKER_SIDE = "model", 256
#: How much larger than the brain the box around it is, on either side.
_MARGIN = 0.1
#: Of a plane of the small cube, from which share of brain on it belongs to the box.
_LEAST_SHARE = 0.02
_QUANTILES = (0.005, 0.995)


def brain_probability(volume: Volume) -> Volume:
    """Probability of brain, float32 (x, y, z), in a T1 of a whole head of as many voxels; feet first, back first.

    Raises
    ------
    ValueError
        If there is no brain in it.
    """
    small = resized(volume, (_FINDER_SIDE,) * 3)
    low, high = np.quantile(small, _QUANTILES).astype(np.float32)
    box = _box(_predict(_FINDER, _normalised(small, low, high)) > 0.5, volume.shape)
    inside = _predict(_MASKER, _normalised(resized(volume[box], (_MASKER_SIDE,) * 3), low, high))
    found = np.zeros(volume.shape, np.float32)
    found[box] = resized(inside, found[box].shape)
    return found


def resized(volume: Volume, shape: tuple[int, ...]) -> Volume:
    """``volume`` with the nearest voxel in each place of a grid of ``shape`` (PyTorch's ``nearest-exact``)."""
    places = [
        np.minimum(((np.arange(wanted) + 0.5) * (there / wanted)).astype(int), there - 1)
        for wanted, there in zip(shape, volume.shape, strict=True)
    ]
    return volume[np.ix_(*places)]


def _normalised(volume: Volume, low: np.float32, high: np.float32) -> Volume:
    with np.errstate(invalid="ignore", divide="ignore"):
        clipped = np.clip((volume - low) / (high - low), 0, 1)
        return np.asarray(0.226 * (clipped - clipped.mean()) / clipped.std(ddof=1) + 0.449, np.float32)


def _box(brain: npt.NDArray[np.bool_], shape: tuple[int, ...]) -> Box:
    """The box around the largest part of ``brain``, with its margin, on a grid of ``shape``."""
    labels, count = ndimage.label(brain, np.ones((3, 3, 3)))
    if not count:
        raise ValueError("no brain")
    largest = labels == 1 + np.bincount(labels.ravel())[1:].argmax()
    sides = []
    for axis, (wanted, there) in enumerate(zip(shape, largest.shape, strict=True)):
        others = tuple(other for other in range(3) if other != axis)
        (places,) = np.nonzero(largest.mean(axis=others) > _LEAST_SHARE)
        if not len(places):
            raise ValueError("no brain")
        scale = np.float32(wanted / there)
        centre = np.round(scale * np.float32((places[-1] + 1 + places[0]) / 2))
        size = np.round(np.float32(1 + 2 * _MARGIN) * scale * np.float32(places[-1] + 1 - places[0]))
        sides.append(slice(max(0, int(centre - size / 2)), min(wanted, int(centre + size / 2))))
    return sides[0], sides[1], sides[2]


def _predict(network: str, volume: Volume) -> Volume:
    """The second of a network's two classes: brain."""
    inside: Volume = _compiled(network)(volume[None, None])[0][0, 1]
    return inside


@cache
def _compiled(network: str) -> CompiledNetwork:
    folder = user_cache_path("metseg") / "openvino" / f"deepbet-{version('deepbet')}-{version('openvino')}"
    make_once(folder, _convert)
    return CompiledNetwork(folder / f"{network}.xml", "f32")


def _convert(folder: Path) -> None:
    """Write both networks into ``folder``."""
    import torch

    openvino = load_openvino()
    for network, side in ((_FINDER, _FINDER_SIDE), (_MASKER, _MASKER_SIDE)):
        file = str(distribution("deepbet").locate_file(f"data/models/{network}.pt"))
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # torch means to drop the format that they are stored in
            original = torch.jit.load(file, "cpu").eval()  # type: ignore[no-untyped-call]
            model = openvino.convert_model(original, example_input=torch.rand(1, 1, side, side, side))
        openvino.save_model(model, folder / f"{network}.xml", compress_to_fp16=False)
