"""Stored numbers become intensities: those of a palette, and those that are no number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from metseg.errors import UnreadableFileError
from metseg.study.model import Problem, ProblemKind
from metseg.study.preflight import TiffHeader

#: Brightness of red, green and blue (ITU-R BT.601).
_LUMA = np.array([0.299, 0.587, 0.114])


def show_palette(header: TiffHeader, voxels: npt.NDArray[Any]) -> None:
    """Put grey values in the place of a palette's numbers; where colours only show a scale the numbers stay.

    Parameters
    ----------
    header : TiffHeader
        Of the file that ``voxels`` are of.
    voxels : ndarray of unsigned integers
        Is changed, if there is a palette.

    Raises
    ------
    UnreadableFileError
        If the colours do not become brighter with the numbers.
    """
    if header.palette is None:
        return
    colours = header.palette[np.unique(voxels)].astype(np.float64)
    if (colours == colours[:, :1]).all():
        step = 257 if voxels.dtype == np.uint8 else 1
        voxels[:] = (header.palette[:, 0] // step).astype(voxels.dtype)[voxels]
    elif (np.diff(colours @ _LUMA) < 0).any():
        raise UnreadableFileError(header.path, "colours come from a palette that is no scale; save it in grey")


def fill_non_finite(voxels: npt.NDArray[Any]) -> int | None:
    """Give voxels without a finite value the lowest one of their channel.

    Parameters
    ----------
    voxels : ndarray, shape (c, z, y, x)
        Is changed, if it holds floats.

    Returns
    -------
    int or None
        How many there were; ``None`` if a channel has no other.
    """
    if voxels.dtype.kind != "f":
        return 0
    lost = 0
    for channel in voxels:
        finite = np.isfinite(channel)
        if finite.all():
            continue
        if not finite.any():
            return None
        lost += finite.size - int(np.count_nonzero(finite))
        channel[~finite] = channel[finite].min()
    return lost


def make_finite(voxels: npt.NDArray[Any], path: Path, problems: list[Problem]) -> bool:
    """Fill voxels (c, z, y, x) without a finite value, with a remark; ``False`` if a channel has no other."""
    lost = fill_non_finite(voxels)
    if lost is None:
        problems.append(Problem(path, "holds no finite value", refused=True, kind=ProblemKind.UNREADABLE))
    elif lost:
        reason = f"{lost} voxels without a finite value were given the lowest one"
        problems.append(Problem(path, reason, kind=ProblemKind.FORMAT))
    return lost is not None
