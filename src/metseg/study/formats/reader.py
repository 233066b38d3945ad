"""What a reader of a format is, and what it gives."""

from __future__ import annotations

from collections.abc import Sequence as Seq
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from metseg.study.geometry import Geometry
from metseg.study.model import Problem, Sequence, StoredGrid

#: As many first bytes of a file as :meth:`Reader.recognises` is given, or all of a shorter one.
HEAD = 352


@dataclass(frozen=True, slots=True)
class Acquisition:
    """What a header says of the patient and the image, for whoever sorts files; empty where it says nothing.

    Attributes
    ----------
    patient, study, series : str
        Identifiers, the same for what belongs together.
    date : str
        Of the study, ``YYYYMMDD``.
    description : str
        Of the series.
    """

    patient: str = ""
    study: str = ""
    series: str = ""
    date: str = ""
    description: str = ""


@dataclass(frozen=True, eq=False)
class Header:
    """What one image declares; no pixel has been looked at.

    Attributes
    ----------
    format : str
        Name of its reader.
    files : tuple of Path
        The image's files, in the order in which they are stored on the image's own grid.
    shape : (c, z, y, x)
        Of the voxels as they are read: slices lie along the acquisition, or axially, where the file says how it lies.
    dtype : dtype
        Of the voxels as they are read; any real type.
    geometry : Geometry
        Of the voxels as they are read.
    sequences : tuple of Sequence, length c, or None
        Which sequence each channel is, where the header says so.
    pages : tuple of (file, page), length z
        Where each slice is: index in ``files``, and page within.
    stored : StoredGrid or None
        The image's own grid; ``None`` for slices and stacks that say no more than their spacing.
    acquisition : Acquisition
        What else is said.
    details : object
        What the reader needs to read the pixels.
    """

    format: str
    files: tuple[Path, ...]
    shape: tuple[int, int, int, int]
    dtype: np.dtype[Any]
    geometry: Geometry
    pages: tuple[tuple[int, int], ...]
    sequences: tuple[Sequence, ...] | None = None
    stored: StoredGrid | None = None
    acquisition: Acquisition = field(default_factory=Acquisition)
    problems: tuple[Problem, ...] = ()
    details: Any = None

    @property
    def path(self) -> Path:
        """The first file, for messages."""
        return self.files[0]

    @property
    def nbytes(self) -> int:
        """Size of the voxels in bytes."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class Found:
    """What a reader found among files.

    Attributes
    ----------
    images : tuple of Header
        In the order of their first files.
    problems : tuple of Problem
        Files that are not read, and why.
    """

    images: tuple[Header, ...] = ()
    problems: tuple[Problem, ...] = ()


class Reader(Protocol):
    """Reads one format.

    Readers of other packages are found by the entry point group ``metseg.readers``; each names a class. An example is
    ``docs/examples/npy_reader.py``.
    """

    @property
    def name(self) -> str:
        """Of the format, such as ``NIfTI``."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """How names of its files end, in lower case, the usual first; files without a suffix are tried by content."""

    @property
    def about(self) -> str:
        """What of the format is read, in one line for the documentation."""

    def recognises(self, head: bytes) -> bool:
        """Whether a file that begins with ``head`` is of this format."""

    def find(self, files: Seq[Path], channels: int | None = None) -> Found:
        """Look at the headers of files of this format, and sort them into images.

        Never raises for what is in a file: what cannot be read is a refused problem.

        Parameters
        ----------
        files : sequence of Path
            In natural order.
        channels : int, optional
            How many channels are named; such images are taken beside those with 1 and 3.
        """

    def read(self, header: Header) -> npt.NDArray[Any]:
        """Voxels (c, z, y, x), exactly as ``header`` declares them.

        Raises
        ------
        UnreadableFileError
            If the pixels are damaged, or fewer than declared.
        TooLargeError
            If there is not enough memory.
        """
