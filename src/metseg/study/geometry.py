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
_SIDES = (("L", "R"), ("P", "A"), ("I", "S"))


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
        if not self.is_placed:
            return None
        return "".join(_SIDES[side][int(positive)] for side, positive in self._axes())

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
        matrix = _FLIP @ self.drawn
        directions = matrix[:3, :3] / np.array(_lengths(matrix))
        x, y, z = np.linalg.solve(directions, matrix[:3, 3]).tolist()
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
        matrix = _FLIP @ self.drawn
        matrix[:3, :3] /= np.array(_lengths(matrix))
        matrix[:3, 3] = matrix[:3, :3] @ np.array(translation[::-1])
        matrix[:3, :3] *= np.array(spacing[::-1])
        return Geometry.placed(_FLIP @ matrix)

    def moved(self, z: float = 0, y: float = 0, x: float = 0) -> Geometry:
        """Of a part of the voxels that begins at voxel (z, y, x)."""
        if not self.is_placed:
            return self
        step = np.eye(4)
        step[:3, 3] = x, y, z
        return Geometry.placed(self.drawn @ step)

    def sliced(self) -> str:
        """Orientation in which slices are looked at, such as ``LPS``: along the acquisition, axial if in doubt."""
        axes = self._axes()
        lengths = _lengths(self.drawn)
        thick = int(np.argmax(lengths))
        others = max(length for axis, length in enumerate(lengths) if axis != thick)
        side = axes[thick][0] if lengths[thick] > _THICK * others else 2
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
        wanted = [_side_of(letter) for letter in orientation]
        axes = self._axes()
        step = np.zeros((4, 4))
        step[3, 3] = 1
        sizes = [0, 0, 0]
        for to, (side, positive) in enumerate(wanted):
            source = next(axis for axis, (here, _) in enumerate(axes) if here == side)
            size = sizes[to] = shape[2 - source]
            if axes[source][1] == positive:
                step[source, to] = 1
            else:
                step[source, to], step[source, 3] = -1, size - 1
        moved = Geometry(self.known, _rows(self.drawn @ step))
        return moved, (sizes[2], sizes[1], sizes[0])

    def step_to(self, other: Geometry) -> Affine:
        """Affine (4, 4) from voxels (x, y, z, 1) here to the voxels of ``other`` at the same place."""
        return np.asarray(np.linalg.inv(other.drawn) @ self.drawn)

    def is_same(self, other: Geometry, shape: Shape) -> bool:
        """Whether voxels of ``shape`` (z, y, x) are at the same place, and as much is known of it."""
        if self.known is not other.known:
            return False
        return bool(np.abs(corners(shape) @ (self.step_to(other) - np.eye(4)).T).max() <= TOLERANCE)

    def _axes(self) -> list[tuple[int, bool]]:
        """For each of x, y, z the patient's axis that it runs along (0, 1, 2 for R, A, S), and whether upwards."""
        cosines = self.drawn[:3, :3] / np.array(_lengths(self.drawn))
        left, _, turn = np.linalg.svd(cosines)
        nearest = left @ turn
        axes: list[tuple[int, bool]] = [(-1, True)] * 3
        free = np.abs(nearest)
        for _ in range(3):
            side, axis = (int(place) for place in np.unravel_index(int(np.argmax(free)), (3, 3)))
            axes[axis] = side, bool(nearest[side, axis] > 0)
            free[side] = free[:, axis] = -1
        return axes


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
    step = here.step_to(there)
    order = [int(np.argmax(np.abs(step[:3, axis]))) for axis in range(3)]
    ideal = np.zeros((4, 4))
    ideal[3, 3] = 1
    for axis, target in enumerate(order):
        up = step[target, axis] > 0
        ideal[target, axis] = 1 if up else -1
        ideal[target, 3] = 0 if up else shape[2 - target] - 1
    sizes = volume.shape[-3:]
    fits = sorted(order) == [0, 1, 2] and all(sizes[2 - axis] == shape[2 - target] for axis, target in enumerate(order))
    if not fits or np.abs(corners((sizes[0], sizes[1], sizes[2])) @ (step - ideal).T).max() > TOLERANCE:
        raise DataError("the two images have not the same voxels")
    first = volume.ndim - 3
    back = [order.index(2 - axis) for axis in range(3)]
    turned = volume.transpose(*range(first), *(first + 2 - axis for axis in back))
    for axis in range(3):
        if ideal[2 - axis, back[axis]] < 0:
            turned = np.flip(turned, first + axis)
    return turned


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


def _side_of(letter: str) -> tuple[int, bool]:
    for side, letters in enumerate(_SIDES):
        if letter in letters:
            return side, letter == letters[1]
    raise ValueError(f"{letter!r} is no side of a patient")
