"""Where voxels lie in the patient: spacing, orientation and every convention of other programs derive from one affine.

The affine leads from voxel indices (x, y, z) to mm (right, anterior, superior), which is NIfTI's convention; arrays are
(z, y, x). ITK, DICOM and 3D Slicer count mm to the left, posterior and superior (LPS).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from metseg.errors import DataError

Spacing = tuple[float, float, float]
Shape = tuple[int, int, int]
Row = tuple[float, float, float, float]
Affine = npt.NDArray[np.float64]

#: The longest side of a voxel that is believed, in mm.
MAX_MM: Final = 1000.0
#: How far, in voxels, two grids may be apart and still be the same: headers keep 32-bit numbers.
TOLERANCE: Final = 0.05

#: Orientation of slices for each axis of slicing, as radiologists look at them: x, y and z run to these sides.
SLICED: Final = {"axial": "LPS", "coronal": "LIP", "sagittal": "PIR"}
#: Slices this much farther apart than pixels were acquired as slices.
_THICK = 1.5

_FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])


class Known(StrEnum):
    """What is known of a geometry."""

    NOTHING = "nothing"
    SPACING = "spacing"
    PLACEMENT = "placement"


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where voxels lie, as far as it is known.

    Made by :meth:`spaced`, :meth:`placed` and :meth:`from_itk`; ``Geometry()`` is unknown.

    Attributes
    ----------
    known : Known
        Nothing; the spacing only, of slices taken for axial, radiological, the lowest first; or the placement.
    rows : four rows of four numbers, or None
        The affine from voxel (x, y, z, 1) to (right, anterior, superior, 1) in mm; ``None`` if nothing is known.

    Raises
    ------
    DataError
        If the affine cannot be inverted, is not finite, or a voxel is longer than a metre.
    """

    known: Known = Known.NOTHING
    rows: tuple[Row, Row, Row, Row] | None = None

    def __post_init__(self) -> None:
        if (self.rows is None) != (self.known is Known.NOTHING):
            raise DataError("a geometry has an affine if, and only if, something is known of it")
        if self.rows is not None:
            _check(np.array(self.rows, np.float64))

    @classmethod
    def spaced(cls, spacing: Sequence[float] | None) -> Geometry:
        """Of slices of which no more than the spacing (z, y, x) in mm is known, if that.

        Raises
        ------
        DataError
            If it is not three positive lengths.
        """
        if spacing is None:
            return cls()
        if len(spacing) != 3 or not all(math.isfinite(step) and 0 < step <= MAX_MM for step in spacing):
            raise DataError(f"spacing {tuple(spacing)} is not three lengths (z, y, x) in mm")
        z, y, x = spacing
        return cls(Known.SPACING, _rows(np.diag([-x, -y, z, 1.0])))

    @classmethod
    def placed(cls, affine: npt.ArrayLike) -> Geometry:
        """Of voxels whose place in the patient is known, from the affine (4, 4) in mm, RAS+.

        Raises
        ------
        DataError
            If it is no affine that can be inverted.
        """
        matrix = np.asarray(affine, np.float64)
        _check(matrix)
        return cls(Known.PLACEMENT, _rows(matrix))

    @classmethod
    def from_itk(cls, origin: Sequence[float], spacing: Sequence[float], direction: Sequence[float]) -> Geometry:
        """From what ITK says of an image: origin, spacing (x, y, z) and direction (nine numbers, row by row), in LPS.

        Raises
        ------
        DataError
            If they are no affine that can be inverted.
        """
        matrix = np.eye(4)
        matrix[:3, :3] = np.reshape(np.asarray(direction, np.float64), (3, 3)) * np.asarray(spacing, np.float64)
        matrix[:3, 3] = origin
        return cls.placed(_FLIP @ matrix)

    @property
    def is_placed(self) -> bool:
        """Whether it is known where in the patient the voxels are."""
        return self.known is Known.PLACEMENT

    @property
    def affine(self) -> Affine | None:
        """Affine (4, 4) from voxel (x, y, z, 1) to mm in RAS+; ``None`` if nothing is known."""
        return None if self.rows is None else np.array(self.rows, np.float64)

    @property
    def drawn(self) -> Affine:
        """The affine for programs that need one: of axial slices 1 mm apart where nothing is known.

        Who writes it must also write that it is not known; nothing is ever measured with it.
        """
        return np.diag([-1.0, -1.0, 1.0, 1.0]) if self.rows is None else np.array(self.rows, np.float64)

    @property
    def spacing(self) -> Spacing | None:
        """Distance of voxels along (z, y, x) in mm; ``None`` if it is not known."""
        if self.rows is None:
            return None
        x, y, z = _lengths(np.array(self.rows, np.float64))
        return z, y, x

    @property
    def orientation(self) -> str | None:
        """Sides of the patient that x, y and z run to, such as ``LPS``; ``None`` where that is not known."""
        return "".join(_orientations().aff2axcodes(self.drawn)) if self.is_placed else None

    @property
    def lps(self) -> Affine | None:
        """Affine (4, 4) from voxel (x, y, z, 1) to mm in LPS+, as ITK, DICOM and 3D Slicer have it."""
        affine = self.affine
        return None if affine is None else np.asarray(_FLIP @ affine)

    @property
    def itk(self) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
        """Origin, spacing (x, y, z) and direction (nine numbers, row by row) in LPS+, as of :attr:`drawn`."""
        matrix = _FLIP @ self.drawn
        lengths = _lengths(matrix)
        direction = matrix[:3, :3] / np.array(lengths)
        return tuple(matrix[:3, 3].tolist()), lengths, tuple(direction.ravel().tolist())

    @property
    def translation(self) -> Spacing | None:
        """Where the first voxel is along the voxels' own axes (z, y, x), in mm; ``None`` if it is not known.

        Images with the same directions that are drawn with their spacing and this translation lie on each other.
        """
        if not self.is_placed:
            return None
        origin, _, direction = self.itk
        x, y, z = np.linalg.solve(np.reshape(direction, (3, 3)), origin).tolist()
        return z, y, x

    def drawn_at(self, spacing: Spacing, translation: Spacing) -> Geometry:
        """Of voxels that a program shows with another spacing and :attr:`translation`, along the same directions.

        Parameters
        ----------
        spacing, translation : (z, y, x)
            In mm.

        Raises
        ------
        DataError
            If they are no place that can be.
        """
        if not self.is_placed:
            return Geometry.spaced(spacing)
        direction = self.itk[2]
        origin = np.reshape(direction, (3, 3)) @ np.array(translation[::-1])
        return Geometry.from_itk(origin.tolist(), spacing[::-1], direction)

    def moved(self, z: float = 0, y: float = 0, x: float = 0) -> Geometry:
        """Of a part of the voxels that begins at voxel (z, y, x)."""
        if not self.is_placed:
            return self
        step = np.eye(4)
        step[:3, 3] = x, y, z
        return Geometry.placed(self.drawn @ step)

    def sliced(self) -> str:
        """Orientation in which slices are looked at, such as ``LPS``: along the acquisition, axial if in doubt."""
        lengths = _lengths(self.drawn)
        *_, others, thick = np.argsort(lengths).tolist()
        axes = _orientations().io_orientation(self.drawn)[:, 0]
        side = int(axes[thick]) if lengths[thick] > _THICK * lengths[others] else 2
        return SLICED[("sagittal", "coronal", "axial")[side]]

    def turned(self, shape: Shape, orientation: str) -> tuple[Geometry, Shape]:
        """Geometry and shape (z, y, x) of the same voxels in another order.

        Parameters
        ----------
        shape : (z, y, x)
            Size now.
        orientation : str
            Sides that x, y and z are to run to, such as ``LPS``.
        """
        orientations, stored = _orientations(), shape[::-1]
        turn = orientations.ornt_transform(
            orientations.io_orientation(self.drawn), orientations.axcodes2ornt(orientation)
        )
        x, y, z = (stored[axis] for axis in np.argsort(turn[:, 0]))
        return Geometry(self.known, _rows(self.drawn @ orientations.inv_ornt_aff(turn, stored))), (z, y, x)

    def step_to(self, other: Geometry) -> Affine:
        """Affine (4, 4) from voxels (x, y, z, 1) here to the voxels of ``other`` at the same place."""
        return np.asarray(np.linalg.inv(other.drawn) @ self.drawn)

    def is_same(self, other: Geometry, shape: Shape) -> bool:
        """Whether voxels of ``shape`` (z, y, x) are at the same place, and as much is known of it."""
        if self.known is not other.known:
            return False
        return bool(np.abs(corners(shape) @ (self.step_to(other) - np.eye(4)).T).max() <= TOLERANCE)


def reorder(volume: npt.NDArray[Any], here: Geometry, there: Geometry, shape: Shape) -> npt.NDArray[Any]:
    """Bring voxels (..., z, y, x) to another order of the same voxels, such as that of their file.

    Parameters
    ----------
    volume : ndarray, shape (..., z, y, x)
        Voxels on the grid of ``here``.
    here, there : Geometry
        Where they are, and where the voxels of the result are.
    shape : (z, y, x)
        Size of the result.

    Raises
    ------
    DataError
        If the two grids have not the same voxels.
    """
    step, size = here.step_to(there), volume.shape[-3:]
    turn = _orientations().io_orientation(step)
    turned = _orientations().apply_orientation(volume.T, turn).T
    back = _orientations().inv_ornt_aff(turn, size[::-1])
    apart = corners((size[0], size[1], size[2])) @ (step - np.linalg.inv(back)).T
    if turned.shape[-3:] != shape or np.abs(apart).max() > TOLERANCE:
        raise DataError("the two images have not the same voxels")
    return np.asarray(turned)


def on_grid(volume: npt.NDArray[Any], here: Geometry, there: Geometry, shape: Shape) -> npt.NDArray[Any]:
    """Bring voxels (z, y, x) to the grid of an image by their place; as they are if it is not known of both.

    Raises
    ------
    DataError
        If the two grids have not the same voxels.
    """
    if here.is_placed and there.is_placed:
        return reorder(volume, here, there, shape)
    if volume.shape != shape:
        raise DataError("the two images have not the same voxels")
    return volume


def transfer(mask: npt.NDArray[Any], here: Geometry, there: Geometry, shape: Shape) -> npt.NDArray[Any]:
    """A mask, or labels, on another grid of the same voxels, of which it may cover a part only.

    Parameters
    ----------
    mask : ndarray of bool or whole numbers, shape (z, y, x)
        On the grid of ``here``.
    here, there : Geometry
        Where it is, and where the result is.
    shape : (z, y, x)
        Size of the result.

    Raises
    ------
    DataError
        If the voxels of the two grids do not coincide, or something is drawn outside of the result.
    """
    sizes = mask.shape
    places = corners((sizes[0], sizes[1], sizes[2]))
    step = here.step_to(there)
    whole = np.rint(step)
    if np.abs(places @ (step - whole).T).max() > TOLERANCE or (np.abs(whole[:3, :3]).sum(axis=0) != 1).any():
        raise DataError("lies on other voxels than the image")
    turn = whole[:3].astype(np.int64)
    inside = (np.argwhere(mask)[:, ::-1] @ turn[:, :3].T + turn[:, 3])[:, ::-1]
    if (inside < 0).any() or (inside >= shape).any():
        raise DataError("has voxels outside of the image")
    result = np.zeros(shape, mask.dtype)
    result[tuple(inside.T)] = mask[mask != 0]
    return result


def corners(shape: Shape) -> npt.NDArray[np.float64]:
    """The eight corner voxels (x, y, z, 1) of a box of ``shape`` (z, y, x)."""
    z, y, x = ((0, size - 1) for size in shape)
    return np.array([(i, j, k, 1) for k in z for j in y for i in x], np.float64)


def _lengths(matrix: Affine) -> Spacing:
    x, y, z = np.linalg.norm(matrix[:3, :3], axis=0).tolist()
    return x, y, z


def _rows(matrix: Affine) -> tuple[Row, Row, Row, Row]:
    first, second, third, last = ((a, b, c, d) for a, b, c, d in (matrix + 0.0).tolist())
    return first, second, third, last


def _check(matrix: Affine) -> None:
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all() or (matrix[3] != (0, 0, 0, 1)).any():
        raise DataError("is no affine of four rows and columns of finite numbers")
    lengths = _lengths(matrix)
    if min(lengths) <= 0 or abs(np.linalg.det(matrix[:3, :3] / np.array(lengths))) < 1e-3:
        raise DataError("the affine cannot be inverted")
    if max(lengths) > MAX_MM:
        raise DataError(f"a voxel of {max(lengths):g} mm cannot be")


def _orientations() -> Any:
    """Nibabel's functions for orders of axes, which have no types."""
    import nibabel.orientations

    return nibabel.orientations
