"""Where a volume's voxels are in the head, so that what another program sends back lands on the same ones."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from metseg.curation.export.volumes import require_nibabel
from metseg.server.intake import Decoded, Frame
from metseg.server.problems import ProblemError

Affine = npt.NDArray[np.float64]

UNKNOWN_SPACING = "voxel spacing unknown, written as 1 x 1 x 1 mm"

_ALIGNED = 2
_COMPRESSION = 3
_HEADER_2 = 540
#: How far, in voxels, two grids may be apart and still be the same: headers keep 32-bit numbers.
_TOLERANCE = 0.05


@dataclass(frozen=True, eq=False)
class Grid:
    """A box of voxels in the head.

    Attributes
    ----------
    shape : (z, y, x)
    affine : ndarray, shape (4, 4)
        From a voxel (x, y, z, 1) to mm (right, anterior, superior, 1), NIfTI's convention.
    known : bool
        Whether the spacing is known; if not, it is written as 1 mm, and the header says so.
    """

    shape: tuple[int, int, int]
    affine: Affine
    known: bool = True

    @classmethod
    def axial(cls, shape: tuple[int, int, int], spacing: tuple[float, float, float] | None) -> Grid:
        """Of slices that say no more than their spacing (z, y, x): axial, radiological, the lowest first.

        The same assumption as in the NIfTI exports of a project, see :mod:`metseg.curation.export.volumes`.
        """
        z, y, x = spacing or (1.0, 1.0, 1.0)
        return cls(shape, np.diag([-x, -y, z, 1.0]), spacing is not None)

    @classmethod
    def of_upload(cls, decoded: Decoded) -> Grid | None:
        """Of the study in an upload; ``None`` if the upload does not say where it lies."""
        if decoded.frame is None:
            return None
        header = source_header(decoded.frame)
        if not int(header["qform_code"]) and not int(header["sform_code"]):
            return None
        orientations = require_nibabel().orientations
        turned = decoded.study.shape[::-1]
        to_source = orientations.inv_ornt_aff(_inverse(decoded.frame.back), _turned(turned, decoded.frame.back))
        return cls(decoded.study.shape, np.asarray(header.get_best_affine() @ to_source, np.float64))

    def volume(self, voxels: npt.NDArray[np.generic]) -> bytes:
        """A ``.nii.gz`` of voxels (z, y, x) on this grid; the same voxels give the same bytes."""
        nibabel = require_nibabel()
        image = nibabel.Nifti1Image(voxels.transpose(2, 1, 0), self.affine, dtype=voxels.dtype)
        image.set_sform(self.affine, code=_ALIGNED)
        image.set_qform(self.affine, code=_ALIGNED)
        image.header.set_xyzt_units("mm" if self.known else "unknown")
        if not self.known:
            image.header["descrip"] = UNKNOWN_SPACING.encode()
        return packed(image.to_bytes())

    def take(self, mask: npt.NDArray[np.bool_], grid: Grid) -> npt.NDArray[np.bool_]:
        """A mask that was drawn on another grid of the same voxels, such as a cut-out, on this one.

        Parameters
        ----------
        mask : ndarray of bool, shape ``grid.shape``
        grid : Grid
            Where it was drawn.

        Raises
        ------
        ProblemError
            422 if the voxels of the two grids do not coincide, or something is drawn outside of this one.
        """
        step = np.linalg.inv(self.affine) @ grid.affine
        corners = np.array(
            [(x, y, z, 1) for z in _ends(grid.shape[0]) for y in _ends(grid.shape[1]) for x in _ends(grid.shape[2])]
        )
        moved = (corners @ step.T - corners)[:, :3]
        shift = np.rint(moved[0])
        if np.abs(moved - shift).max() > _TOLERANCE:
            raise ProblemError(
                422, "the label lies on other voxels than the image; save it with the image's own geometry"
            )
        inside = np.argwhere(mask) + shift[::-1].astype(int)
        if (inside < 0).any() or (inside >= self.shape).any():
            raise ProblemError(422, "the label has voxels outside of the image")
        result = np.zeros(self.shape, np.bool_)
        result[tuple(inside.T)] = True
        return result


def source_header(frame: Frame) -> Any:
    """The header of the NIfTI volume that ``frame`` came from."""
    nibabel = require_nibabel()
    kind = nibabel.Nifti2Header if len(frame.header) >= _HEADER_2 else nibabel.Nifti1Header
    return kind(frame.header, check=False)


def packed(volume: bytes) -> bytes:
    """A NIfTI as ``.nii.gz``, without the time."""
    return gzip.compress(volume, _COMPRESSION, mtime=0)


def _ends(size: int) -> tuple[int, int]:
    return 0, size - 1


def _inverse(turn: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    back = np.empty_like(turn)
    for source, (target, flip) in enumerate(turn):
        back[int(target)] = source, flip
    return back


def _turned(shape: tuple[int, ...], turn: npt.NDArray[np.float64]) -> tuple[int, ...]:
    """The shape (x, y, z) after turning the axes."""
    sizes = [0, 0, 0]
    for axis, (target, _) in enumerate(turn):
        sizes[int(target)] = shape[axis]
    return tuple(sizes)
