"""NIfTI-1 and NIfTI-2 volumes in one file, compressed or not; headers and their conventions by nibabel."""

from __future__ import annotations

import gzip
import io
import math
from collections.abc import Iterator
from collections.abc import Sequence as Seq
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from metseg.errors import DataError, UnreadableFileError, UnsupportedFileError
from metseg.study.formats.reader import Found, Header, check_size, named, one_by_one
from metseg.study.geometry import Geometry, Known, Shape, corners
from metseg.study.ifd import open_regular
from metseg.study.model import Problem, ProblemKind, StoredGrid

#: The longest header, with its extensions, that is read.
_MAX_HEADER = 1 << 20
_HEADER_1, _HEADER_2 = 348, 540
_MILLIMETRES = {"mm": 1.0, "meter": 1e3, "micron": 1e-3}
_GZIP = b"\x1f\x8b"
#: Two transforms that put a corner of the volume farther apart than this are not the same.
_CONFLICT_MM = 0.1
#: Types that NIfTI has not, as those that hold the same numbers.
_WIDER = {np.dtype(np.float16): np.float32, np.dtype(np.bool_): np.uint8}
#: The code of a transform that is not the scanner's.
_MADE_UP = 2


class NiftiReader:
    """Reads NIfTI."""

    name = "NIfTI"
    suffixes = (".nii.gz", ".nii")
    about = "NIfTI-1 and -2, one volume or three channels a file, any orientation; place from sform, else qform"

    def recognises(self, head: bytes) -> bool:
        """Whether it begins as a NIfTI in one file, or is compressed by gzip as one usually is."""
        return is_nifti(head) or head.startswith(_GZIP)

    def find(self, files: Seq[Path], channels: int | None = None) -> Found:
        """Each file is an image."""
        return one_by_one(files, lambda path: _look(path, channels))

    def read(self, header: Header) -> npt.NDArray[Any]:
        """Voxels (c, z, y, x)."""
        path, parsed = header.path, header.details
        needed = _needed(path, parsed)
        with _opened(path) as file, named(path, "the file is damaged"):
            data = file.read(needed)
        if len(data) < needed:
            raise UnreadableFileError(path, "cut short: the file ends before its last voxel")
        with named(path, "the voxels cannot be read"):
            stored = parsed.data_from_fileobj(io.BytesIO(data))
            x, y, z = stored.shape[:3]
            return header.in_order(stored.reshape(x, y, z, header.shape[0]).transpose(3, 2, 1, 0))


def is_nifti(head: bytes) -> bool:
    """Whether these are the first bytes of a NIfTI-1 or NIfTI-2 file in one part."""
    return head[344:348] == b"n+1\0" or head[4:12] == b"n+2\0\r\n\x1a\n"


def is_whole(header: bytes) -> bool:
    """Whether the voxels of a NIfTI with this header are whole numbers, which are not scaled."""
    parsed = _parsed(header)
    return parsed.get_data_dtype().kind in "ui" and parsed.get_slope_inter() in ((None, None), (1.0, 0.0))


def mask_volume(
    mask: npt.NDArray[np.generic],
    geometry: Geometry,
    stored: StoredGrid | None = None,
    known: Known | None = None,
) -> bytes:
    """A NIfTI of voxels (z, y, x), on the grid of the source where it has one of its own.

    The transforms of a NIfTI source, their codes and its units are kept. Where the spacing is not known, the units and
    both codes are 0.

    Parameters
    ----------
    mask : ndarray of any real type, shape (z, y, x)
        On the study's grid.
    geometry : Geometry
        The study's.
    stored : StoredGrid, optional
        The study's.
    known : Known, optional
        What is said to be known of the place, if it is less than is written.
    """
    nibabel = _nibabel()

    if mask.dtype in _WIDER:
        mask = mask.astype(_WIDER[mask.dtype])
    if stored is not None:
        mask = stored.restore(mask, geometry)
        geometry = stored.geometry
    data = np.ascontiguousarray(mask).transpose(2, 1, 0)
    if stored is not None and stored.header:
        header = _parsed(stored.header)
        header.set_data_dtype(mask.dtype)
        header.set_slope_inter(1, 0)
        header["cal_min"] = header["cal_max"] = 0
        second = isinstance(header, nibabel.Nifti2Header)
        image = (nibabel.Nifti2Image if second else nibabel.Nifti1Image)(data, None, header)
        return bytes(image.to_bytes())
    image = nibabel.Nifti1Image(data, geometry.drawn, dtype=mask.dtype)
    set_place(image, geometry, geometry.known if known is None else known)
    return bytes(image.to_bytes())


def set_place(image: Any, geometry: Geometry, known: Known) -> None:
    """Write into a NIfTI image where its voxels are, and what of that is not known."""
    image.header.set_xyzt_units("unknown" if known is Known.NOTHING else "mm")
    code = 0 if geometry.known is Known.NOTHING else 1 if known is Known.PLACEMENT else _MADE_UP
    image.set_sform(geometry.drawn if code else None, code=code)
    image.set_qform(geometry.drawn if code else None, code=code)
    if known is Known.NOTHING:
        image.header["descrip"] = b"voxel spacing unknown, written as 1 x 1 x 1 mm"


def without_made_up_place(geometry: Geometry, shape: Shape, header: bytes) -> Geometry:
    """What is known of voxels that came back from a program for which :func:`mask_volume` made up a place.

    Parameters
    ----------
    geometry : Geometry
        As it was read.
    shape : (z, y, x)
        Size.
    header : bytes
        Of the NIfTI, see :class:`metseg.study.model.StoredGrid`; empty for other formats.

    Returns
    -------
    Geometry
        Of no more than the spacing, or of nothing, if the header says that the place is not the scanner's, and it is
        the one that is made up; else as it was.
    """
    if not header or not geometry.is_placed:
        return geometry
    fields = _parsed(header)
    if {int(fields["qform_code"]), int(fields["sform_code"])} != {_MADE_UP}:
        return geometry
    less = Geometry() if _unit(fields) == "unknown" else Geometry.spaced(geometry.spacing)
    return less if Geometry.placed(less.drawn).is_same(geometry, shape) else geometry


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The file's bytes, unpacked if it is compressed."""
    with open_regular(path) as file:
        compressed = file.read(2) == _GZIP
        file.seek(0)
        yield cast(BinaryIO, gzip.GzipFile(fileobj=file)) if compressed else file


def _look(path: Path, channels: int | None) -> Header:
    with _opened(path) as file, named(path, "the gzip file is damaged"):
        head = file.read(_HEADER_2)
    if not is_nifti(head):
        if not head:
            raise UnreadableFileError(path, "the file is empty")
        raise UnsupportedFileError(path, "is no NIfTI volume in one file (.nii or .nii.gz), by its first bytes")
    header, repairs = _header(path, head)
    shape = _shape(path, header, channels)
    if min(shape) < 1:
        raise UnreadableFileError(path, f"the NIfTI header declares {' x '.join(map(str, shape[::-1]))} voxels")
    check_size(path, shape, _dtype(header))
    _needed(path, header)
    geometry, notices = _geometry(path, header, shape[1:])
    return Header.of_volume(
        NiftiReader.name,
        (path,),
        shape[0],
        shape[1:],
        _dtype(header),
        geometry,
        header.binaryblock,
        problems=tuple(Problem(path, text, kind=ProblemKind.SPACING) for text in (*repairs, *notices)),
        details=header,
    )


def _dtype(header: Any) -> np.dtype[Any]:
    """Type of the voxels once they are scaled."""
    stored: np.dtype[Any] = np.dtype(header.get_data_dtype()).newbyteorder("=")
    if header.get_slope_inter() in ((None, None), (1.0, 0.0)):
        return stored
    return np.dtype(np.float64 if stored.itemsize > 2 and stored.kind != "f" or stored.itemsize > 4 else np.float32)


def _header(path: Path, head: bytes) -> tuple[Any, tuple[str, ...]]:
    """A checked header of NIfTI-1 or NIfTI-2, and what was not in order in it."""
    nibabel = _nibabel()

    second = head[4:7] == b"n+2"
    length = _HEADER_2 if second else _HEADER_1
    if len(head) < length:
        raise UnreadableFileError(path, "the NIfTI header is damaged: it is cut short")
    layout = nibabel.Nifti2Header if second else nibabel.Nifti1Header
    try:
        header = layout(head[:length])
        faults = layout.diagnose_binaryblock(head[:length])
        kind = header.get_data_dtype()
        header.get_slope_inter()
    except (nibabel.spatialimages.HeaderDataError, ValueError, KeyError, OverflowError) as error:
        raise UnreadableFileError(path, f"the NIfTI header is damaged: {error}") from error
    if kind.kind not in "uif" or kind.itemsize > 8:
        raise UnsupportedFileError(path, f"{kind} voxels; only whole and real numbers are read")
    return header, (f"the header was not in order: {faults}".replace("\n", "; "),) if faults else ()


def _shape(path: Path, header: Any, channels: int | None) -> tuple[int, int, int, int]:
    """Size along (c, z, y, x), as stored."""
    sizes = [int(size) for size in header.get_data_shape()]
    while len(sizes) > 3 and sizes[-1] == 1:
        sizes.pop()
    if len(sizes) == 5 and sizes[3] == 1:  # a vector image
        sizes.pop(3)
    if len(sizes) == 4 and sizes[3] in {3, channels}:
        return sizes[3], sizes[2], sizes[1], sizes[0]
    if len(sizes) == 4:
        reason = f"a series of {sizes[3]} volumes; give one volume, or three as pre-contrast, FLAIR and post-contrast"
        raise UnsupportedFileError(path, f"{reason}, or name the sequences of all")
    if len(sizes) != 3:
        raise UnsupportedFileError(path, f"an image of {len(sizes)} axes; volumes of three are read")
    return 1, sizes[2], sizes[1], sizes[0]


def _needed(path: Path, header: Any) -> int:
    """Bytes from the file's begin to its last voxel."""
    offset = int(header["vox_offset"])
    if not 0 < offset <= _MAX_HEADER:
        raise UnreadableFileError(path, f"the NIfTI header is damaged: voxels begin at byte {offset}")
    itemsize: int = header.get_data_dtype().itemsize
    return offset + math.prod(map(int, header.get_data_shape())) * itemsize


def _geometry(path: Path, header: Any, shape: Shape) -> tuple[Geometry, tuple[str, ...]]:
    """Where the voxels are as stored, and remarks."""
    unit = _MILLIMETRES.get(_unit(header))
    try:
        if not int(header["qform_code"]) and not int(header["sform_code"]):
            reason = "the volume does not say how it lies; its slices are taken as axial, as stored"
            x, y, z = (abs(float(step)) * (unit or 1) for step in header["pixdim"][1:4])
            return Geometry.spaced((z, y, x) if unit else None), (reason,)
        scale = np.diag([unit or 1.0] * 3 + [1.0])
        geometry = Geometry.placed(scale @ header.get_best_affine())
        return geometry, _disagreement(header, scale, geometry, shape)
    except (DataError, ValueError, np.linalg.LinAlgError) as error:
        raise UnreadableFileError(path, f"the NIfTI header is damaged: its transform: {error}") from error


def _unit(header: Any) -> str:
    try:
        return str(header.get_xyzt_units()[0])
    except KeyError:
        return "unknown"


def _disagreement(header: Any, scale: npt.NDArray[np.float64], used: Geometry, shape: Shape) -> tuple[str, ...]:
    """What is to be said where sform and qform put the voxels to different places."""
    if not int(header["qform_code"]) or not int(header["sform_code"]):
        return ()
    apart = np.abs(corners(shape) @ (scale @ header.get_qform() - used.drawn).T).max()
    if apart <= _CONFLICT_MM:
        return ()
    return (f"states two positions that differ by up to {apart:.3g} mm (qform and sform); sform was used",)


def _parsed(header: bytes) -> Any:
    """The header of a NIfTI-1 or NIfTI-2, unchecked."""
    nibabel = _nibabel()
    return (nibabel.Nifti2Header if len(header) >= _HEADER_2 else nibabel.Nifti1Header)(header, check=False)


def _nibabel() -> Any:
    """The module, most of which has no types."""
    import nibabel

    return nibabel
