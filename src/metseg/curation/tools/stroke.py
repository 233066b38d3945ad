"""A stroke of the brush."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Stroke:
    """Where the brush went, in one go.

    Attributes
    ----------
    points : array_like of float, shape (n, 3)
        Its path as (z, y, x) in voxels, in the order drawn; may be empty, and may leave the volume. Each point belongs
        to the slice nearest to it; the path is drawn within slices, not across them.
    radius : float
        Of the brush, in pixels of a slice; half of napari's ``brush_size``.

    Raises
    ------
    ValueError
        If a point or the radius is not a number, or the radius is negative.
    """

    points: npt.NDArray[np.float64]
    radius: float

    def __post_init__(self) -> None:
        points = np.array(self.points, np.float64).reshape(-1, 3)
        if not (np.isfinite(points).all() and 0 <= self.radius < np.inf):
            raise ValueError("a stroke has finite points and a finite radius that is not negative")
        points.setflags(write=False)
        object.__setattr__(self, "points", points)

    def slices(self) -> list[int]:
        """Slices it runs through, in rising order; some may lie outside the volume."""
        return [int(z) for z in np.unique(np.rint(self.points[:, 0]))]

    def reach(self, z: int, margin: float) -> tuple[int, int, int, int]:
        """``(y0, y1, x0, x1)``: the box round the path in slice ``z``, ``margin`` pixels wider on each side."""
        inside = self.points[np.rint(self.points[:, 0]) == z, 1:]
        (y0, x0), (y1, x1) = np.floor(inside.min(axis=0) - margin), np.ceil(inside.max(axis=0) + margin) + 1
        return int(y0), int(y1), int(x0), int(x1)

    def distance(self, z: int, window: tuple[slice, slice]) -> npt.NDArray[np.float32]:
        """Distance in pixels to the path in slice ``z``.

        Parameters
        ----------
        z : int
            One of :meth:`slices`.
        window : tuple of slice
            Rows and columns of the slice that are wanted.

        Returns
        -------
        ndarray of float32, shape of the window
            Infinite where the path does not meet the window at all.
        """
        rows, columns = window
        canvas = np.ones((rows.stop - rows.start, columns.stop - columns.start), np.uint8)
        for start, end in self._lines(z):
            (y0, x0), (y1, x1) = start - (rows.start, columns.start), end - (rows.start, columns.start)
            cv2.line(canvas, (x0, y0), (x1, y1), 0)
        if canvas.all():
            return np.full(canvas.shape, np.inf, np.float32)
        return np.asarray(cv2.distanceTransform(canvas, cv2.DIST_L2, cv2.DIST_MASK_PRECISE), np.float32)

    def _lines(self, z: int) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        path = np.clip(np.rint(self.points), -(2**15), 2**15).astype(np.int64)
        within = path[:, 0] == z
        for place in path[within]:
            yield place[1:], place[1:]
        for (start, end), both in zip(pairwise(path), within[1:] & within[:-1], strict=True):
            if both:
                yield start[1:], end[1:]
