"""Masks and probabilities as volumes, with what they are of beside them."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from metseg.errors import DataError, UnreadableFileError
from metseg.study.files import write_atomically
from metseg.study.formats.nifti import mask_volume
from metseg.study.formats.registry import header_of, read_voxels
from metseg.study.model import Study
from metseg.study.sidecar import PIXELS_KEY, read_pixels_hash, write_sidecar
from metseg.study.tiff import pixels_hash

_COMPRESSION = 6


def write_volume(
    path: Path, volume: npt.NDArray[np.uint8], study: Study, *, about: Mapping[str, Any] | None = None
) -> None:
    """Write voxels on a study's grid as ``.nii.gz``, on the grid of the file that the study came from.

    The same voxels give the same bytes.

    Parameters
    ----------
    path : Path
        File to create or replace; its folder must exist.
    volume : ndarray of uint8, shape (z, y, x)
        Mask or probabilities.
    study : Study
        What they are of.
    about : mapping of str to JSON values, optional
        What is written beside it, in ``<name>.json``; the hash of the voxels is added, see :func:`is_as_written`.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    if about is not None:
        write_sidecar(path, None, {**about, PIXELS_KEY: pixels_hash(volume[..., None])})
    content = gzip.compress(mask_volume(volume, study.geometry, study.stored), _COMPRESSION, mtime=0)
    try:
        with write_atomically(path) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror or error}") from error


def is_as_written(path: str | Path) -> bool:
    """Whether a file holds the voxels that were written together with ``about``.

    ``False`` for a file that was edited since, is of another origin, or cannot be read.
    """
    path = Path(path)
    stated = read_pixels_hash(path)
    if stated is None:
        return False
    try:
        return pixels_hash(np.moveaxis(read_voxels(header_of(path)), 0, -1)) == stated
    except UnreadableFileError:
        return False
