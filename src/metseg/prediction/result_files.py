"""Where a study's results are written: one file for every file of the study, in the study's folder structure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metseg.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from metseg.study import Study, StudyFiles
    from metseg.study.formats.writing import Writer

#: Files that a message names; the others are counted.
_NAMED = 3


def check_existing(files: Iterable[Path], image_folders: Collection[Path], output: Path, *, overwrite: bool) -> None:
    """Check that nothing is replaced that must not be.

    What is not written by an earlier run, was edited since, or lies in one of the resolved ``image_folders`` may be a
    person's work and is never replaced.

    Raises
    ------
    DataError
        If files are there and ``overwrite`` is not given, or if some may be a person's work.
    """
    from metseg.study import is_as_written, read_pixels_hash, sidecar_of

    replaceable: list[Path] = []
    protected: list[Path] = []
    for path in files:
        if path.exists():
            ours = path.parent.resolve() not in image_folders and is_as_written(path)
            (replaceable if ours else protected).append(path)
        elif sidecar_of(path).exists() and read_pixels_hash(path) is None:
            protected.append(sidecar_of(path))
    reasons: list[str] = []
    if replaceable and not overwrite:
        reasons.append(f"{_files(replaceable)} of an earlier run would be replaced; give --overwrite for that")
    if protected:
        names = ", ".join(str(path) for path in protected[:_NAMED])
        more = f" and {len(protected) - _NAMED} more" if len(protected) > _NAMED else ""
        reasons.append(
            f"{_files(protected)} may be what a person drew (edited, from elsewhere, or beside the images) "
            f"and not overwritten: {names}{more}; choose another --output, or move them away"
        )
    if reasons:
        raise DataError(f"{output}: {'. '.join(reasons)}. Nothing was written.")


def _files(paths: Collection[Path]) -> str:
    return f"{len(paths)} file{'s' * (len(paths) != 1)}"


def planned(
    source: Study | StudyFiles, root: Path, out: Path, suffix: str, writer: Writer | None = None
) -> Iterator[tuple[Path, Writer, list[int]]]:
    """Each file to write of a study, read or not yet, with its writer and the slices that go into it.

    Parameters
    ----------
    source : Study or StudyFiles
        Its ``slices`` name the file of each slice; without them every slice is a file of its own.
    root : Path
        Folder that the study's files lie in.
    out : Path
        Folder that takes the place of ``root``.
    suffix : str
        Put behind the name of the image, such as ``_mask``.
    writer : Writer, optional
        Of the files; by default that of the images.
    """
    from metseg.study import Study
    from metseg.study.formats import is_dicom, is_stack
    from metseg.study.formats.writing import TiffWriter
    from metseg.study.results import result_files

    if isinstance(source, Study) and not source.slices:
        for z in range(source.shape[0]):
            yield out / f"{source.name}_{z + 1}{suffix}.tif", TiffWriter(), [z]
    for file, indices in result_files(source.name, source.slices, writer, is_dicom, is_stack).items():
        path = out / file.path.relative_to(root)
        yield path.with_name(f"{path.name}{suffix}{file.writer.suffix}"), file.writer, indices


def write_slices(
    study: Study,
    volume: npt.NDArray[np.uint8],
    *,
    root: Path,
    out: Path,
    suffix: str,
    writer: Writer | None = None,
    mask: bool = True,
    about: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> list[Path]:
    """Write a mask or probabilities on the study's grid: a file for each image file, with as many slices.

    Parameters
    ----------
    study, root, out, suffix, writer
        See :func:`planned`.
    volume : ndarray of uint8, shape (z, y, x)
        What to write.
    mask : bool
        Whether it is a mask of 0 and 1, which is written as 0 and 255 in TIFF.
    about : mapping of str to JSON values, optional
        Content of each file's sidecar.
    overwrite : bool
        Replace what an earlier run wrote and nobody has edited since, see :func:`check_existing`.
    """
    plan = list(planned(study, root, out, suffix, writer))
    folders = {file.image.parent.resolve() for file in study.slices}
    check_existing((target for target, _, _ in plan), folders, out, overwrite=overwrite)
    for target, by, indices in plan:
        target.parent.mkdir(parents=True, exist_ok=True)
        by.write(target, volume if by.whole else volume[indices], study, mask=mask, about=about)
    return [target for target, _, _ in plan]
