"""The formats that are read, in one place: every front end asks here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence as Seq
from functools import lru_cache
from importlib.metadata import entry_points
from pathlib import Path, PurePath
from typing import Any

import numpy.typing as npt

from metseg.errors import UnreadableFileError, UnsupportedFileError
from metseg.study.formats.dicom import DicomReader
from metseg.study.formats.dicom_seg import DicomSegReader
from metseg.study.formats.itk import META_IMAGE, NRRD
from metseg.study.formats.nifti import NiftiReader
from metseg.study.formats.pictures import JPEG, PNG, PictureReader
from metseg.study.formats.reader import HEAD, Found, Header, Reader, error_of, refused
from metseg.study.formats.rtstruct import RtStructReader
from metseg.study.formats.tiff_reader import TiffReader
from metseg.study.geometry import Geometry, Shape
from metseg.study.ifd import open_regular
from metseg.study.preflight import has_pages

#: Of DICOM files that are no images, but outline what is on them.
_OUTLINES = (DicomSegReader, RtStructReader)
#: Readers of other packages are registered under this.
GROUP = "metseg.readers"


@lru_cache(maxsize=1)
def readers() -> tuple[Reader, ...]:
    """All readers: ours, then those of other packages."""
    ours: tuple[Reader, ...] = (
        TiffReader(),
        NiftiReader(),
        DicomReader(),
        DicomSegReader(),
        RtStructReader(),
        NRRD,
        META_IMAGE,
        PNG,
        JPEG,
    )
    return (*ours, *(entry.load()() for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name)))


@lru_cache(maxsize=1)
def suffixes() -> tuple[str, ...]:
    """How names of images end, in lower case, the longest first."""
    found = dict.fromkeys(suffix for reader in readers() for suffix in reader.suffixes)
    return tuple(sorted(found, key=len, reverse=True))


def suffix_of(name: str | PurePath) -> str:
    """The ending of a file's name that says its format, as it is written; empty if there is none."""
    text = PurePath(name).name
    found = next((suffix for suffix in suffixes() if text.lower().endswith(suffix)), "")
    return text[len(text) - len(found) :] if len(found) < len(text) else ""


def stem_of(name: str | PurePath) -> str:
    """A file's name without the ending that says its format: ``P_1`` of ``P_1.nii.gz``; else without its last one."""
    text = PurePath(name).name
    ending = suffix_of(text)
    return text[: len(text) - len(ending)] if ending else PurePath(text).stem


def reader_by_name(name: str | PurePath) -> Reader | None:
    """The reader of files with such a name; ``None`` if the name says nothing."""
    ending = suffix_of(name).lower()
    return next((reader for reader in readers() if ending in reader.suffixes), None)


def reader_by_content(head: bytes) -> Reader | None:
    """The reader of files that begin with ``head`` (:data:`HEAD` bytes)."""
    found = [reader for reader in readers() if reader.recognises(head)]
    return next((reader for reader in found if isinstance(reader, _OUTLINES)), found[0] if found else None)


def reader_of(path: Path) -> Reader | None:
    """The reader of a file: by its name, and where the name does not say, if it is a DICOM file, by its content.

    Other formats are not looked for in files of unknown names: a folder holds much that is no image.
    """
    reader = reader_by_name(path)
    if reader is not None and not isinstance(reader, DicomReader):
        return reader
    try:
        with open_regular(path) as file:
            found = reader_by_content(file.read(HEAD))
    except (UnreadableFileError, OSError):
        return reader
    return found if isinstance(found, (DicomReader, *_OUTLINES)) else reader


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM: such files are sorted by their headers, whatever their names."""
    return isinstance(reader_of(path), (DicomReader, *_OUTLINES))


def is_outlines(path: Path) -> bool:
    """Whether a file is DICOM that outlines what is on images: SEG or RTSTRUCT."""
    return isinstance(reader_of(path), _OUTLINES)


def outlines_header(path: Path, geometry: Geometry, shape: Shape) -> Header:
    """The header of a SEG or RTSTRUCT that is read on the grid (z, y, x) of its images.

    Raises
    ------
    UnreadableFileError
        If it cannot be read, or the images do not say where they are.
    """
    reader = reader_of(path)
    if not isinstance(reader, _OUTLINES):
        raise _unknown(path)
    return reader.lay_on(path, geometry, shape)


def is_tiff(path: Path) -> bool:
    """Whether a file is a TIFF, or so named that only its content can tell, and is then read as one."""
    return isinstance(reader_of(path), TiffReader | None)


def is_tiff_name(path: PurePath) -> bool:
    """Whether a file is a TIFF by its name."""
    return isinstance(reader_by_name(path), TiffReader)


def is_picture(path: PurePath) -> bool:
    """Whether a file is a picture by its name: such files are images only where there are no others."""
    return isinstance(reader_by_name(path), PictureReader)


def is_stack(path: Path) -> bool:
    """Whether a file holds several slices: a TIFF of several pages, and any volume."""
    if is_tiff_name(path):
        return has_pages(path)
    return not is_picture(path)


def formats() -> str:
    """The names of all formats with their endings, for messages."""
    return ", ".join(f"{reader.name} ({', '.join(reader.suffixes)})" for reader in readers())


def find_images(files: Seq[Path], channels: int | None = None) -> Found:
    """Look at the headers of files of any format, and sort them into images; see :meth:`Reader.find`."""
    sorted_: dict[str, tuple[Reader, list[Path]]] = {}
    problems = []
    for path in files:
        reader = reader_of(path)
        if reader is None:
            problems.append(refused(_unknown(path)))
        else:
            sorted_.setdefault(reader.name, (reader, []))[1].append(path)
    found = [reader.find(paths, channels) for reader, paths in sorted_.values()]
    problems += [problem for one in found for problem in one.problems]
    order: dict[Path, int] = defaultdict(int, {path: place for place, path in enumerate(files)})
    images = sorted((image for one in found for image in one.images), key=lambda image: order[image.path])
    return Found(tuple(images), tuple(problems))


def header_of(path: Path, channels: int | None = None) -> Header:
    """What the one image in a file declares.

    Raises
    ------
    UnreadableFileError
        If it cannot be read, or holds several images.
    """
    found = find_images([path], channels)
    for problem in found.problems:
        if problem.refused:
            raise error_of(problem)
    if len(found.images) != 1:
        raise UnsupportedFileError(path, f"holds {len(found.images)} images; only one a file is read")
    return found.images[0]


def read_voxels(header: Header) -> npt.NDArray[Any]:
    """Voxels (c, z, y, x) of the image that ``header`` declares; see :meth:`Reader.read`."""
    return next(reader for reader in readers() if reader.name == header.format).read(header)


def _unknown(path: Path) -> UnreadableFileError:
    return UnsupportedFileError(path, f"of no format that is read, by its name; these are: {formats()}")
