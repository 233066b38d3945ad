"""NIfTI volumes: voxels as axial slices, and the way back to the volume's own grid."""

from __future__ import annotations

import gzip
import io
import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from metseg.errors import MissingExtraError
from metseg.server.intake.kinds import Kind, is_nifti
from metseg.server.intake.limits import Limits, Refusal, Why
from metseg.study import TRIPLET, Geometry, Sequence, Study

#: The longest header, with its extensions, that is read.
_MAX_HEADER = 1 << 20
_HEADER_2 = 540
#: The longest side of a voxel that is believed, as beside TIFFs.
_MAX_MM = 1000.0
_MILLIMETRES = {"mm": 1.0, "unknown": 1.0, "meter": 1e3, "micron": 1e-3}
#: Axial slices in radiological convention: x to the patient's left, y to the back, z upwards.
_AXIAL = "LPS"
_AS_STORED = np.array([[0, 1], [1, 1], [2, 1]], float)

Orientation = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Frame:
    """Where a NIfTI volume's voxels are, so that a mask can be put there.

    Attributes
    ----------
    header : bytes
        The source's header without its extensions.
    back : ndarray, shape (3, 2)
        nibabel's orientation array that leads from x left, y back, z up to the source's axes.
    """

    header: bytes
    back: Orientation

    def volume(self, mask: npt.NDArray[np.uint8]) -> bytes:
        """A NIfTI of ``mask``, (z, y, x), on the source's grid, with its transforms, their codes and its units."""
        nibabel = _nibabel()
        second = len(self.header) >= _HEADER_2
        header = (nibabel.Nifti2Header if second else nibabel.Nifti1Header)(self.header, check=False)
        header.set_data_dtype(np.uint8)
        header.set_slope_inter(1, 0)
        header["cal_min"] = header["cal_max"] = 0
        data = nibabel.orientations.apply_orientation(mask.transpose(2, 1, 0), self.back)
        image = (nibabel.Nifti2Image if second else nibabel.Nifti1Image)(data, None, header)
        return cast(bytes, image.to_bytes())


def read_volume(path: Path, kind: Kind, limits: Limits) -> tuple[Study, Frame, tuple[str, ...]]:
    """A study of axial slices, the frame they came from, and what must be said of them.

    Three axes are a channel that is not named; a fourth of length 3 is pre-contrast, FLAIR, post-contrast. Slices
    are turned so that x runs to the patient's left, y to the back and z upwards; a volume that does not say how it
    lies is taken as it is stored, and its spacing as unknown. Values that are no whole numbers from 0 to 65535 are
    mapped there.

    Parameters
    ----------
    path : Path
        The file.
    kind : Kind
        NIFTI, or GZIP around one.
    limits : Limits
        What its header may declare.

    Raises
    ------
    Refusal
        If it declares too much, is damaged, or holds no three-dimensional image of numbers.
    MissingExtraError
        If nibabel is not installed.
    """
    try:
        with gzip.open(path) if kind is Kind.GZIP else path.open("rb") as file:
            return _read(cast(BinaryIO, file), limits)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise Refusal(Why.UNREADABLE, f"the gzip file is damaged: {error}") from None


def _read(file: BinaryIO, limits: Limits) -> tuple[Study, Frame, tuple[str, ...]]:
    head = file.read(_HEADER_2)
    if not is_nifti(head):
        raise Refusal(Why.UNSUPPORTED, "what is compressed in it is no NIfTI volume in one file (.nii)")
    header, repairs = _header(head)
    orientation, spacing, notices = _placed(header)
    shape = _shape(header)
    z, y, x = (shape[axis] for axis in np.argsort(orientation[:, 0])[::-1])
    limits.check(z, y, x, shape[3])
    data = head + file.read(_needed(header) - len(head))
    if len(data) < _needed(header):
        raise Refusal(Why.UNREADABLE, "cut short: the file ends before its last voxel")
    voxels, remarks = _unsigned(header.data_from_fileobj(io.BytesIO(data)).reshape(shape))
    oriented = _nibabel().orientations.apply_orientation(voxels, orientation)
    sequences = TRIPLET if shape[3] == 3 else (Sequence.UNKNOWN,)
    study = Study(
        "upload", np.ascontiguousarray(oriented.transpose(3, 2, 1, 0)), sequences, geometry=Geometry.spaced(spacing)
    )
    return study, Frame(header.binaryblock, _inverse(orientation)), (*repairs, *notices, *remarks)


def _header(head: bytes) -> tuple[Any, tuple[str, ...]]:
    """A checked header of NIfTI-1 or NIfTI-2, and what was not in order in it."""
    nibabel = _nibabel()
    second = head[4:7] == b"n+2"
    length = _HEADER_2 if second else 348
    try:
        if len(head) < length:
            raise ValueError("it is cut short")
        layout = nibabel.Nifti2Header if second else nibabel.Nifti1Header
        header = layout(head[:length])
        faults = layout.diagnose_binaryblock(head[:length])
        kind = header.get_data_dtype()
        header.get_slope_inter()
    except (nibabel.spatialimages.HeaderDataError, ValueError, KeyError, OverflowError) as error:
        raise Refusal(Why.UNREADABLE, f"the NIfTI header is damaged: {error}") from None
    if kind.kind not in "uif":
        raise Refusal(Why.UNSUPPORTED, f"{kind} voxels; only whole and real numbers are read")
    return header, (f"The header was not in order: {faults}.".replace("\n", "; "),) if faults else ()


def _shape(header: Any) -> tuple[int, int, int, int]:
    """Size along x, y, z and channels."""
    sizes = [int(size) for size in header.get_data_shape()]
    while len(sizes) > 3 and sizes[-1] == 1:
        sizes.pop()
    if len(sizes) == 4 and sizes[3] == 3:
        return sizes[0], sizes[1], sizes[2], 3
    if len(sizes) == 4:
        raise Refusal(
            Why.UNSUPPORTED,
            f"a series of {sizes[3]} volumes; send one volume, or three as pre-contrast, FLAIR and post-contrast",
        )
    if len(sizes) != 3:
        raise Refusal(Why.UNSUPPORTED, f"an image of {len(sizes)} axes; volumes of three are read")
    return sizes[0], sizes[1], sizes[2], 1


def _needed(header: Any) -> int:
    """Bytes from the file's begin to its last voxel."""
    offset = int(header["vox_offset"])
    if not 0 < offset <= _MAX_HEADER:
        raise Refusal(Why.UNREADABLE, f"the NIfTI header is damaged: voxels begin at byte {offset}")
    itemsize: int = header.get_data_dtype().itemsize
    return offset + math.prod(map(int, header.get_data_shape())) * itemsize


def _placed(header: Any) -> tuple[Orientation, tuple[float, float, float] | None, tuple[str, ...]]:
    """How to turn the axes, the spacing along (z, y, x) thereafter, and remarks."""
    nibabel = _nibabel()
    if not int(header["qform_code"]) and not int(header["sform_code"]):
        return _AS_STORED, None, ("The volume does not say how it lies; its slices are taken as axial, as stored.",)
    try:
        affine = header.get_best_affine()
        orientation = nibabel.orientations.io_orientation(affine)
    except (ValueError, np.linalg.LinAlgError, nibabel.spatialimages.HeaderDataError) as error:
        raise Refusal(Why.UNREADABLE, f"the NIfTI header is damaged: {error}") from None
    sizes = nibabel.affines.voxel_sizes(affine) * _MILLIMETRES.get(header.get_xyzt_units()[0], 1.0)
    if np.isnan(orientation).any() or not np.isfinite(sizes).all() or (sizes <= 0).any():
        raise Refusal(Why.UNREADABLE, "the NIfTI header is damaged: its transform is not invertible")
    if sizes.max() > _MAX_MM:
        raise Refusal(Why.UNREADABLE, f"the NIfTI header is damaged: a voxel of {sizes.max():g} mm")
    axial = nibabel.orientations.axcodes2ornt(_AXIAL)
    turn = nibabel.orientations.ornt_transform(orientation, axial)
    z, y, x = (float(sizes[axis]) for axis in np.argsort(turn[:, 0])[::-1])
    return turn, (z, y, x), _disagreement(header)


def _disagreement(header: Any) -> tuple[str, ...]:
    if not int(header["qform_code"]) or not int(header["sform_code"]):
        return ()
    if np.allclose(header.get_qform(), header.get_sform(), atol=1e-2):
        return ()
    return ("The volume states two positions that differ (qform and sform); sform was used.",)


def _inverse(turn: Orientation) -> Orientation:
    back = np.empty_like(turn)
    for source, (target, flip) in enumerate(turn):
        back[int(target)] = source, flip
    return back


def _unsigned(values: npt.NDArray[Any]) -> tuple[npt.NDArray[np.uint8 | np.uint16], tuple[str, ...]]:
    """``values`` as uint8 or uint16, unchanged where that can be, and else stretched over 16 bits."""
    if values.dtype == np.uint8:
        return values, ()
    finite = np.isfinite(values)
    if not finite.any():
        raise Refusal(Why.UNREADABLE, "no voxel has a finite value")
    low, high = values[finite].min(), values[finite].max()
    if values.dtype.kind in "ui" and low >= 0 and high <= np.iinfo(np.uint16).max:
        return values.astype(np.uint16), ()
    span = max(float(high) - float(low), float(np.finfo(np.float32).tiny))
    scaled = (np.where(finite, values, low).astype(np.float64) - float(low)) * (65535 / span)
    said = f"Values from {low:g} to {high:g} were mapped to 0 to 65535."
    lost = () if finite.all() else ("Voxels without a finite value were given the lowest one.",)
    return np.rint(scaled).astype(np.uint16), (said, *lost)


def _nibabel() -> Any:
    try:
        import nibabel
    except ImportError as error:
        raise MissingExtraError("nibabel", "server") from error
    return nibabel
