"""What a reader of a format is, what it gives, and what readers have in common: one image a file, and bounds."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Iterator
from collections.abc import Sequence as Seq
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from metseg.errors import TooLargeError, UnreadableFileError, UnsupportedFileError
from metseg.study.geometry import Geometry, Shape, reorder
from metseg.study.model import TRIPLET, Problem, ProblemKind, Sequence, StoredGrid

#: Largest decoded size of one image, in bytes.
MAX_IMAGE: Final = 2 << 30
#: Most voxels along an axis.
_MAX_SIDE = 1 << 15
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
        Of the study, else of the acquisition, ``YYYYMMDD``.
    description : str
        Of the series.
    """

    patient: str = ""
    study: str = ""
    series: str = ""
    date: str = ""
    description: str = ""

    @property
    def day(self) -> datetime.date | None:
        """The date as a value; ``None`` if there is none, or it is none of the calendar."""
        with suppress(ValueError):
            return datetime.date.fromisoformat(self.date.replace(".", ""))
        return None


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

    @classmethod
    def of_volume(
        cls,
        format: str,
        files: tuple[Path, ...],
        channels: int,
        shape: Shape,
        dtype: np.dtype[Any],
        geometry: Geometry,
        header: bytes = b"",
        **more: Any,
    ) -> Header:
        """What a volume declares that is stored with ``shape`` (z, y, x) and ``geometry``; ``more`` are fields."""
        turned, (z, y, x) = geometry, shape
        if geometry.is_placed:
            turned, (z, y, x) = geometry.turned(shape, geometry.sliced())
        fields: dict[str, Any] = {
            "pages": tuple((0, page) for page in range(z)),
            "sequences": TRIPLET if channels == 3 else (Sequence.UNKNOWN,) if channels == 1 else None,
            "stored": StoredGrid(format, files, shape, geometry, header),
        }
        return cls(format, files, (channels, z, y, x), dtype, turned, **fields | more)

    def in_order(self, stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Voxels (c, z, y, x) of a volume as they are read, from those as they are stored."""
        here = self.geometry if self.stored is None else self.stored.geometry
        return np.ascontiguousarray(reorder(stored, here, self.geometry, self.shape[1:]), self.dtype)

    @property
    def path(self) -> Path:
        """The first file, for messages."""
        return self.files[0]


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
        """Whether a file that begins with ``head`` is of this format.

        True for each of its own files: napari opens no others. A compressed file begins as its compression does.
        """

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


def one_by_one(files: Seq[Path], look: Callable[[Path], Header]) -> Found:
    """Look at each file by itself; each is an image or a problem."""
    images: list[Header] = []
    problems: list[Problem] = []
    for path in files:
        try:
            with named(path, "the header is damaged"):
                header = look(path)
            check_size(path, header.shape, header.dtype)
            images.append(header)
        except UnreadableFileError as error:
            problems.append(refused(error))
    return Found(tuple(images), tuple(problems))


def check_size(path: Path, shape: tuple[int, int, int, int], dtype: np.dtype[Any]) -> None:
    """Check that voxels (c, z, y, x) are not too many, before anything is made of them; TooLargeError if they are."""
    channels, z, y, x = shape
    if math.prod(shape) * dtype.itemsize <= MAX_IMAGE and max(z, y, x) <= _MAX_SIDE:
        return
    size = f"{z} slices of {y} x {x} pixels, {channels} channel{'s' * (channels > 1)}"
    raise TooLargeError(path, f"would take more than {MAX_IMAGE >> 20} MiB when decoded, or is too long ({size})")


def refused(error: UnreadableFileError, kind: ProblemKind | None = None) -> Problem:
    """The problem that a file with ``error`` is."""
    if kind is None:
        kind = ProblemKind.UNREADABLE
        if isinstance(error, TooLargeError):
            kind = ProblemKind.TOO_LARGE
        elif isinstance(error, UnsupportedFileError):
            kind = ProblemKind.UNSUPPORTED
    return Problem(error.path, error.reason, refused=True, kind=kind)


def error_of(problem: Problem) -> UnreadableFileError:
    """The error that a refused ``problem`` stands for."""
    kinds = {ProblemKind.TOO_LARGE: TooLargeError, ProblemKind.UNSUPPORTED: UnsupportedFileError}
    return kinds.get(problem.kind, UnreadableFileError)(problem.path, problem.reason)


@contextmanager
def named(path: Path, what: str) -> Iterator[None]:
    """Turn whatever a library raises into an error that names the file; ``what`` begins the reason."""
    try:
        yield
    except UnreadableFileError:
        raise
    except MemoryError as error:
        raise TooLargeError(path, "not enough memory") from error
    except Exception as error:  # of whatever class the library has
        reason = str(error).strip().split("\n")[0].replace(str(path), path.name)
        raise UnreadableFileError(path, f"{what}: {reason or type(error).__name__}") from error
