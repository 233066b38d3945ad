"""Where a study's results are written: one file for every file of the study, in the study's folder structure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metseg.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from metseg.study import Study


def targets(study: Study, root: Path, out: Path, suffix: str) -> Iterator[tuple[Path, list[int]]]:
    """Each file to write, and the slices that go into it.

    Parameters
    ----------
    study : Study
        Its ``slices`` say which file each slice came from; without them every slice is a file of its own.
    root : Path
        Folder that the study's files lie in.
    out : Path
        Folder that takes the place of ``root``.
    suffix : str
        Put behind the name of the image, such as ``_mask``.
    """
    if not study.slices:
        for z in range(study.shape[0]):
            yield out / f"{study.name}_{z + 1}{suffix}.tif", [z]
        return
    pages: dict[Path, list[int]] = {}
    for z, file in enumerate(study.slices):
        pages.setdefault(file.image, []).append(z)
    for image, indices in pages.items():
        yield out / image.parent.relative_to(root) / f"{image.stem}{suffix}.tif", indices


def write_slices(
    study: Study,
    volume: npt.NDArray[np.uint8],
    *,
    root: Path,
    out: Path,
    suffix: str,
    about: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Write a volume on the study's grid slice by slice; the slices of a multi-page file go into one file again.

    Parameters
    ----------
    study, root, out, suffix
        See :func:`targets`.
    volume : ndarray of uint8, shape (z, y, x)
        What to write.
    about : mapping of str to JSON values, optional
        What the sidecar of each file says.

    Raises
    ------
    DataError
        If a file to write is there already, beside the images: it may be what a person drew.
    """
    from metseg.study import write_tiff

    folders = {file.image.parent.resolve() for file in study.slices}
    plan = list(targets(study, root, out, suffix))
    for target, _ in plan:
        if target.exists() and target.parent.resolve() in folders:
            raise DataError(f"{target} lies beside the images and is not overwritten; choose another --output")
    for target, indices in plan:
        target.parent.mkdir(parents=True, exist_ok=True)
        if len(indices) == 1:
            write_tiff(target, volume[indices[0]], channels=False, about=about)
        else:
            write_tiff(target, volume[indices], channels=False, spacing=study.geometry.spacing, about=about)
    return [target for target, _ in plan]
