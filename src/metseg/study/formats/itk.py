"""NRRD and MetaImage (MHA, MHD) volumes, read by SimpleITK once their headers are checked.

ITK fills in 1 mm and an identity where a header says nothing, reads files that a header names anywhere on the disk, and
passes over missing bytes; what the header says is therefore looked at here first.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Sequence as Seq
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from metseg.errors import DataError, UnreadableFileError, UnsupportedFileError
from metseg.study.formats.reader import Found, Header, check_size, named, one_by_one
from metseg.study.geometry import Geometry, Known
from metseg.study.ifd import open_regular
from metseg.study.model import Problem, ProblemKind

_MAX_HEADER = 1 << 18
#: Bytes that one byte of deflate can become at most; packed voxels that are more are not looked at.
_MOST_DEFLATED = 1032
_NOT_PLACED = "the volume does not say how it lies; its slices are taken as axial, as stored"


@dataclass(frozen=True, slots=True)
class _Stated:
    """What the text of a header states: what of the place, the file of the voxels, whether they are uncompressed."""

    known: Known
    data: str | None
    begin: int
    uncompressed: bool


def _head(path: Path) -> bytes:
    with open_regular(path) as file, named(path, "cannot be read"):
        return file.read(_MAX_HEADER)


def _nrrd(path: Path) -> _Stated:
    """What a NRRD states, see its definition, http://teem.sourceforge.net/nrrd/format.html."""
    head = _head(path)
    text, blank, _ = head.replace(b"\r\n", b"\n").partition(b"\n\n")
    fields = _fields(text, ":")
    if not blank and "data file" not in fields and "datafile" not in fields:
        raise UnreadableFileError(path, "damaged: the NRRD header has no end")
    _check_axes(path, fields.get("dimension", "0"))
    spaced = "nan" not in fields.get("spacings", "nan").lower().split()[:1]
    placed = "space directions" in fields and ("space" in fields or "space dimension" in fields)
    known = Known.PLACEMENT if placed and "space" in fields else Known.SPACING if spaced or placed else Known.NOTHING
    begin = next((head.find(end) + len(end) for end in (b"\r\n\r\n", b"\n\n") if end in head), 0)
    uncompressed = fields.get("encoding", "") == "raw" and not {"line skip", "byte skip"} & set(fields)
    return _Stated(known, fields.get("data file") or fields.get("datafile"), begin, uncompressed)


def _meta(path: Path) -> _Stated:
    """What a MetaImage states, see "MetaIO/Documentation" of ITK."""
    head = _head(path)
    end = re.search(rb"ElementDataFile\s*=\s*([^\r\n]*)\r?\n?", head)
    if end is None:
        raise UnreadableFileError(path, "damaged: the MetaImage header has no end")
    fields = _fields(head[: end.end()], "=")
    _check_axes(path, fields.get("ndims", "0"))
    turned = any(name in fields for name in ("transformmatrix", "rotation", "orientation"))
    moved = any(name in fields for name in ("offset", "position", "origin"))
    known = Known.SPACING if "elementspacing" in fields else Known.NOTHING
    if known is Known.SPACING and turned and moved:
        known = Known.PLACEMENT
    data = end[1].decode("utf-8", "replace").strip()
    compressed, binary = (fields.get(name, "").lower() for name in ("compresseddata", "binarydata"))
    uncompressed = compressed != "true" and binary != "false"
    local = data.upper() == "LOCAL"
    return _Stated(known, None if local else data, end.end(), uncompressed and "headersize" not in fields)


def _check_axes(path: Path, number: str) -> None:
    """Refuse what is no number of axes of a volume: ITK ends the process at some of them."""
    if not number.isdecimal():
        raise UnreadableFileError(path, f"damaged: the header declares {number!r} axes")
    if int(number) > 4:
        raise UnsupportedFileError(path, "an image of more than four axes; volumes are read")


def _fields(text: bytes, separator: str) -> dict[str, str]:
    lines = (line.partition(separator) for line in text.decode("utf-8", "replace").splitlines() if line[:1] != "#")
    return {name.strip().lower(): value.strip() for name, found, value in lines if found}


def _look(path: Path, kind: str, plugin: str, stated: _Stated, channels: int | None) -> Header:
    files = (path,) if stated.data is None else (path, _beside(path, stated.data))
    reader = _opened(path, plugin)
    with named(path, f"the {kind} header is damaged"):
        reader.ReadImageInformation()
        size = [int(length) for length in reader.GetSize()]
        count = int(reader.GetNumberOfComponents())
        dtype = _dtype(path, reader.GetPixelID())
        origin, spacing, direction = reader.GetOrigin(), reader.GetSpacing(), reader.GetDirection()
    if len(size) == 4 and size[3] == 1:
        size, origin, spacing = size[:3], origin[:3], spacing[:3]
        direction = tuple(np.reshape(direction, (4, 4))[:3, :3].ravel().tolist())
    if len(size) != 3:
        raise UnsupportedFileError(path, f"an image of {len(size)} axes; volumes of three are read")
    if count not in {1, 3, channels}:
        raise UnsupportedFileError(path, f"{count} channels; only 1 or 3 are read unless their sequences are named")
    x, y, z = size
    if min(size) < 1:
        raise UnreadableFileError(path, f"the {kind} header declares {x} x {y} x {z} voxels")
    nbytes = x * y * z * count * dtype.itemsize
    check_size(path, (count, z, y, x), dtype)
    there = files[-1].stat().st_size - (stated.begin if stated.data is None else 0)
    if nbytes > there * (1 if stated.uncompressed else _MOST_DEFLATED):
        raise UnreadableFileError(path, "cut short: the file ends before its last voxel")
    try:
        geometry = _geometry(stated.known, origin, spacing, direction)
    except DataError as error:
        raise UnreadableFileError(path, f"the {kind} header is damaged: {error}") from error
    remarks = () if geometry.is_placed else (Problem(path, _NOT_PLACED, kind=ProblemKind.SPACING),)
    return Header.of_volume(kind, files, count, (z, y, x), dtype, geometry, problems=remarks)


def _geometry(known: Known, origin: Seq[float], spacing: Seq[float], direction: Seq[float]) -> Geometry:
    if known is Known.PLACEMENT:
        return Geometry.from_itk(origin, spacing, direction)
    return Geometry.spaced(tuple(spacing)[::-1] if known is Known.SPACING else None)


def _opened(path: Path, plugin: str) -> Any:
    import SimpleITK

    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO(plugin)
    reader.SetFileName(str(path))
    return reader


def _beside(path: Path, name: str) -> Path:
    """The file of the voxels, if it is one that lies beside its header."""
    data = path.with_name(name) if name not in ("", ".", "..") and "/" not in name and "\\" not in name else None
    if data is None or not data.is_file() or data.is_symlink():
        raise UnsupportedFileError(path, f"its voxels are in {name!r}, which is no one file beside it")
    return data


def _dtype(path: Path, pixel: int) -> np.dtype[Any]:
    import SimpleITK

    name = SimpleITK.GetPixelIDValueAsString(pixel).removeprefix("vector of ")
    kinds = {
        f"{bits}-bit {sign} integer": f"{letter}{bits // 8}"
        for bits in (8, 16, 32, 64)
        for sign, letter in (("unsigned", "u"), ("signed", "i"))
    } | {"32-bit float": "f4", "64-bit float": "f8"}
    if name not in kinds:
        raise UnsupportedFileError(path, f"{name} voxels; only whole and real numbers are read")
    return np.dtype(kinds[name])


@dataclass(frozen=True, slots=True)
class ItkReader:
    """Reads a format with one of ITK's readers, its ``plugin``; ``states`` says what the text of a header states."""

    name: str
    suffixes: tuple[str, ...]
    about: str
    plugin: str
    begin: re.Pattern[bytes]
    states: Callable[[Path], _Stated]

    def recognises(self, head: bytes) -> bool:
        """Whether it begins as such files do."""
        return self.begin.match(head) is not None

    def find(self, files: Seq[Path], channels: int | None = None) -> Found:
        """Each file is an image."""
        return one_by_one(files, lambda path: _look(path, self.name, self.plugin, self.states(path), channels))

    def read(self, header: Header) -> npt.NDArray[Any]:
        """Voxels (c, z, y, x)."""
        import SimpleITK

        assert header.stored is not None  # noqa: S101  (every volume has a grid)
        with named(header.path, "the voxels cannot be read"):
            array = SimpleITK.GetArrayFromImage(_opened(header.path, self.plugin).Execute())
            return header.in_order(array.reshape(*header.stored.shape, header.shape[0]).transpose(3, 0, 1, 2))


NRRD = ItkReader(
    "NRRD",
    (".nrrd", ".nhdr"),
    "one volume a file, with its place; a detached header only with its data beside it",
    "NrrdImageIO",
    re.compile(rb"NRRD000"),
    _nrrd,
)
META_IMAGE = ItkReader(
    "MetaImage",
    (".mha", ".mhd"),
    "one volume a file, with its place; .mhd only with its data beside it",
    "MetaImageIO",
    re.compile(rb"\s*(?:ObjectType|NDims = [23][\n\r])"),
    _meta,
)
