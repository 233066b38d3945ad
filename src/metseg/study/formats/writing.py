"""Masks and probabilities as volumes, with what they are of beside them."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from metseg.errors import DataError, UnreadableFileError
from metseg.study.files import file_sha256, write_atomically
from metseg.study.formats.dicom_seg import DicomSegWriter
from metseg.study.formats.nifti import mask_volume
from metseg.study.formats.registry import header_of, read_voxels
from metseg.study.formats.rtstruct import RtStructWriter
from metseg.study.model import Study
from metseg.study.sidecar import FILE_KEY, PIXELS_KEY, read_pixels_hash, write_sidecar
from metseg.study.tiff import pixels_hash, write_tiff

_COMPRESSION = 6
#: Writers of other packages are registered under this.
WRITERS = "metseg.writers"


class Writer(Protocol):
    """Writes masks and probabilities in one format.

    Writers of other packages are found by the entry point group ``metseg.writers``; each names a class.
    """

    @property
    def name(self) -> str:
        """Of the format, as it is asked for, such as ``nifti``."""

    @property
    def suffix(self) -> str:
        """How names of its files end."""

    @property
    def whole(self) -> bool:
        """Whether a file holds a whole study with its place; else there is one for each file of slices."""

    def write(
        self, path: Path, volume: npt.NDArray[Any], study: Study, *, mask: bool, about: Mapping[str, Any] | None
    ) -> None:
        """Write a result.

        Parameters
        ----------
        path : Path
            File to create or replace; its folder must exist.
        volume : ndarray of uint8 or uint16, shape (z, y, x)
            A mask, 0 and 1, or probabilities, 0 to 255: on the study's grid if the format holds a whole study. Such a
            format may be given a mask's lesions by number, too.
        study : Study
            What it is of.
        mask : bool
            Whether it is a mask.
        about : mapping of str to JSON values, or None
            What is written beside it.
        """


class TiffWriter:
    """Writes slices and stacks as TIFF: masks as 0 and 255."""

    name, suffix, whole = "tiff", ".tif", False

    def write(
        self, path: Path, volume: npt.NDArray[Any], study: Study, *, mask: bool, about: Mapping[str, Any] | None
    ) -> None:
        """Write a page a slice; of several the spacing is written beside them."""
        pages = volume * np.uint8(255 if mask else 1)
        spacing = study.geometry.spacing if len(pages) > 1 else None
        write_tiff(path, pages if len(pages) > 1 else pages[0], channels=False, spacing=spacing, about=about)


class NiftiWriter:
    """Writes volumes as NIfTI, on the grid of the file that the study came from: masks as 0 and 1."""

    name, suffix, whole = "nifti", ".nii.gz", True

    def write(
        self, path: Path, volume: npt.NDArray[Any], study: Study, *, mask: bool, about: Mapping[str, Any] | None
    ) -> None:
        """Write the volume, see :func:`write_volume`."""
        write_volume(path, volume, study, about=about)


@lru_cache(maxsize=1)
def writers() -> tuple[Writer, ...]:
    """All writers: ours, then those of other packages."""
    found = sorted(entry_points(group=WRITERS), key=lambda entry: entry.name)
    return (TiffWriter(), NiftiWriter(), RtStructWriter(), DicomSegWriter(), *(entry.load()() for entry in found))


def writer_named(name: str) -> Writer:
    """The writer of a format; DataError if there is none of that name."""
    for writer in writers():
        if writer.name == name.lower():
            return writer
    raise DataError(f"{name!r} is no format that is written; there are: {', '.join(one.name for one in writers())}")


def writer_of(path: Path) -> Writer:
    """The writer whose files end as ``path`` does.

    Raises
    ------
    DataError
        If there is none.
    """
    for writer in writers():
        if path.name.lower().endswith(writer.suffix):
            return writer
    raise DataError(f"{path}: its name must end with {' or '.join(one.suffix for one in writers())}")


def write_volume(
    path: Path, volume: npt.NDArray[np.generic], study: Study, *, about: Mapping[str, Any] | None = None
) -> None:
    """Write voxels on a study's grid as ``.nii.gz`` or ``.nii``, on the grid of the file that the study came from.

    The same voxels give the same bytes.

    Parameters
    ----------
    path : Path
        File to create or replace; its folder must exist.
    volume : ndarray of any real type, shape (z, y, x)
        Mask, probabilities or intensities.
    study : Study
        What they are of.
    about : mapping of str to JSON values, optional
        What is written beside it, in ``<name>.json``; the hash of the voxels is added, see :func:`is_as_written`.
    """
    if about is not None:
        write_sidecar(path, None, {**about, PIXELS_KEY: pixels_hash(volume[..., None])})
    write_nifti(path, mask_volume(volume, study.geometry, study.stored))


def write_nifti(path: Path, content: bytes) -> None:
    """Write the bytes of a NIfTI in one step, compressed if ``path`` ends so; the same content gives the same bytes."""
    with write_atomically(path) as temporary:
        compressed = path.name.lower().endswith(".gz")
        temporary.write_bytes(gzip.compress(content, _COMPRESSION, mtime=0) if compressed else content)


def is_as_written(path: str | Path) -> bool:
    """Whether a file holds the voxels, or of DICOM the bytes, that were written together with ``about``.

    ``False`` for a file that was edited since, is of another origin, or cannot be read.
    """
    path = Path(path)
    stated, whole = read_pixels_hash(path), read_pixels_hash(path, FILE_KEY)
    if stated is None and whole is None:
        return False
    try:
        if stated is None:
            return file_sha256(path) == whole
        return pixels_hash(np.moveaxis(read_voxels(header_of(path)), 0, -1)) == stated
    except (UnreadableFileError, OSError):
        return False
