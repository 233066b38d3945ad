"""Where the brain of a study is: it has no skull already, deepbet finds it, or the whole head stands for it."""

from __future__ import annotations

import warnings
from collections.abc import Generator
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from metseg.events import Notice, Progress
from metseg.inference.backend import uses_openvino
from metseg.preprocessing import (
    MIN_VOLUME_SLICES,
    USUAL_FLIPS,
    BrainGrid,
    Flips,
    PreprocessingConfig,
    extraction_problem,
    head_voxels,
    likely_flips,
    likeness,
    raise_padding,
    stripped_brain,
)
from metseg.study import Sequence, Study

if TYPE_CHECKING:
    from deepbet import BrainExtraction

Mask = npt.NDArray[np.bool_]
Scalar = TypeVar("Scalar", bound=np.generic)

#: deepbet was made for T1, so of several channels the first of these that the network looks at is extracted.
_T1 = (Sequence.POST, Sequence.PRE)

#: deepbet looks at 256 voxels along each axis; stacks of fewer slices are interpolated to that first, linearly.
_SIDE = 256

#: A brain that is less like the mean brain may be one that was looked for the wrong way round: of 85 heads laid
#: right three are, of 11 laid wrong all (the likest has 0.87).
_MIN_LIKENESS = 0.9

#: A head is turned round only if that makes its brain so much more like the mean brain.
_FLIP_MARGIN = 0.03


def find_brain(
    study: Study, preprocessing: PreprocessingConfig, device: str = "cpu"
) -> Generator[Progress | Notice, None, BrainGrid | None]:
    """Find the brain of ``study`` and return how it lies on the network's grid; notices give reasons for a failure.

    Parameters
    ----------
    study : Study
        Axial slices, in any order of slices and rows.
    preprocessing : PreprocessingConfig
        ``None`` is returned if it has no ``brain``.
    device : str
        Where deepbet runs; CUDA or else the CPU.
    """
    config = preprocessing.brain
    if config is None:
        return None
    wanted = [Sequence(name) for name in preprocessing.sequences]
    extracted = study.channel(next((sequence for sequence in _T1 if sequence in wanted), wanted[0]))
    volume = raise_padding(study.voxels[extracted])
    stripped = stripped_brain(volume)
    if stripped is not None:
        return BrainGrid.fit(stripped, config, "stripped")
    head = head_voxels(volume)
    if config.extraction != "none":
        depth = len(volume)
        problem = f"as {depth} slice{'s are' if depth > 1 else ' is'} no volume"
        if depth >= MIN_VOLUME_SLICES:
            if (here := version("deepbet")) != config.extraction_version:
                yield Notice(
                    f"the brain is extracted by deepbet {here}, in training it was {config.extraction_version}"
                )
            yield Progress(0, depth, "extracting the brain")
            brain, flips = extract_brain(volume, device)
            problem = extraction_problem(brain, head, study.geometry.spacing)
            if not problem:
                return BrainGrid.fit(brain, config, "extracted", flips)
        yield Notice(f"{study.name}: the brain could not be extracted, {problem}; the whole head is taken for it")
    return BrainGrid.fit(head, config, "head", USUAL_FLIPS)


def locate_brain(study: Study, preprocessing: PreprocessingConfig, device: str = "cpu") -> BrainGrid | None:
    """Find the brain of ``study`` as :func:`find_brain` does, and wait for it."""
    search = find_brain(study, preprocessing, device)
    while True:
        try:
            next(search)
        except StopIteration as stop:
            found: BrainGrid | None = stop.value
            return found


def extract_brain(volume: npt.NDArray[np.generic], device: str = "cpu") -> tuple[Mask, Flips]:
    """The brain in a T1 of a whole head, with or without contrast medium, and which way round it lies.

    deepbet stretches any volume to a cube, so that it need not know the spacing, but it does need to know which
    way is up and front. The slices are taken for axial, feet first, rows from front to back; if what is found so
    is not much like a brain, all four ways round are tried.

    Parameters
    ----------
    volume : ndarray, shape (z, y, x)
        The whole head.
    device : str
        CUDA or else the CPU.

    Returns
    -------
    brain : ndarray of bool, shape (z, y, x)
        Nothing is set if nothing was found.
    flips : tuple of bool
        Axes along which it is turned round, see :func:`metseg.preprocessing.likely_flips`.
    """
    brain = _turned(_deepbet(_turned(volume, USUAL_FLIPS), device), USUAL_FLIPS)
    likenesses = likeness(brain)
    if likely_flips(brain) == USUAL_FLIPS and likenesses[USUAL_FLIPS] >= _MIN_LIKENESS:
        return brain, USUAL_FLIPS
    found = {USUAL_FLIPS: brain}
    for flips in likenesses.keys() - {USUAL_FLIPS}:
        found[flips] = _turned(_deepbet(_turned(volume, flips), device), flips)
    best = max(found, key=lambda flips: likeness(found[flips])[flips] + _FLIP_MARGIN * (flips == USUAL_FLIPS))
    return found[best], best


def _turned(volume: npt.NDArray[Scalar], flips: Flips) -> npt.NDArray[Scalar]:
    return volume[tuple(slice(None, None, -1 if flip else 1) for flip in flips)]


def _deepbet(volume: npt.NDArray[np.generic], device: str) -> Mask:
    """Extract with deepbet; ``volume`` has its feet first and its back in row 0."""
    cube = _stretched(np.ascontiguousarray(volume.transpose(2, 1, 0), np.float32), max(len(volume), _SIDE))
    try:
        inside = _probability(cube, device)
    except (AssertionError, ValueError):  # it found no voxel to lay its box around
        return np.zeros(volume.shape, np.bool_)
    return _one_piece(_stretched(inside, len(volume)).transpose(2, 1, 0) > 0.5)


def _stretched(cube: npt.NDArray[np.float32], depth: int) -> npt.NDArray[np.float32]:
    """``cube`` (x, y, z) with ``depth`` slices, interpolated linearly between the middles of its own."""
    if cube.shape[2] == depth:
        return cube
    at = np.clip((np.arange(depth) + 0.5) * (cube.shape[2] / depth) - 0.5, 0, cube.shape[2] - 1)
    below = np.minimum(at.astype(int), max(cube.shape[2] - 2, 0))
    above = np.minimum(below + 1, cube.shape[2] - 1)
    share = (at - below).astype(np.float32)
    stretched: npt.NDArray[np.float32] = cube[..., below] * (1 - share) + cube[..., above] * share
    return stretched


def _probability(cube: npt.NDArray[np.float32], device: str) -> npt.NDArray[np.float32]:
    """Probability of brain, float32 (x, y, z): with OpenVINO where networks run with it, else with deepbet itself."""
    if uses_openvino(device):
        from metseg.inference.brain_networks import brain_probability

        return brain_probability(cube)
    inside: npt.NDArray[np.float32] = _networks(device if device.startswith("cuda") else "cpu").run_model(cube)
    return inside


def _one_piece(brain: Mask) -> Mask:
    labels, count = ndimage.label(brain)
    if count > 1:
        sizes = np.bincount(labels.ravel())
        sizes[0] = 0
        brain = labels == sizes.argmax()
    return np.stack([ndimage.binary_fill_holes(plane) for plane in brain])


@cache
def _networks(device: str) -> BrainExtraction:
    """The two networks of deepbet, 9 MB each, kept for the next study."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch means to drop the format that they are stored in
        from deepbet import BrainExtraction

        extraction = BrainExtraction(no_gpu=True)
    extraction.model.to(device)
    extraction.bbox_model.to(device)
    return extraction
