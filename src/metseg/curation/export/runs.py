"""A set of voxels as text: ``start+length`` of each run in the flat volume, z-y-x order, counted from 0."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from metseg.curation.changes import Labels
from metseg.curation.export.manifest import ExportedLesion
from metseg.errors import DataError


def encode_runs(index: npt.NDArray[np.intp]) -> str:
    """Rising positions in the flat volume, at least one, as runs."""
    breaks = np.flatnonzero(np.diff(index) != 1) + 1
    starts = index[np.concatenate([[0], breaks])]
    lengths = np.diff(np.concatenate([[0], breaks, [index.size]]))
    return " ".join(f"{start}+{length}" for start, length in zip(starts.tolist(), lengths.tolist(), strict=True))


def labels_from_runs(lesions: Iterable[ExportedLesion], shape: tuple[int, int, int]) -> Labels:
    """The labels, uint16 (z, y, x), that the lesions make together.

    Raises
    ------
    DataError
        If a lesion lies outside the volume, overlaps another, or has not as many voxels as it says.
    """
    labels = np.zeros(shape, np.uint16)
    flat = labels.reshape(-1)
    for lesion in lesions:
        count = 0
        for run in lesion.runs.split(" "):
            start, length = map(int, run.split("+"))
            part = flat[start : start + length]
            if len(part) != length or part.any():
                raise DataError(f"lesion {lesion.id} lies outside its image or in another lesion")
            part[:] = lesion.id
            count += length
        if count != lesion.voxels:
            raise DataError(f"lesion {lesion.id} has {count} voxels, not {lesion.voxels}")
    return labels
