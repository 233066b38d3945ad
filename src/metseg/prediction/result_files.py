"""Where a study's results are written: one file for every file of the study, in the study's folder structure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metseg.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from metseg.study import SliceFile, Study, StudyFiles
    from metseg.study.formats.writing import Writer

#: Files that a message names; the others are counted.
_NAMED = 3


@dataclass(frozen=True, slots=True)
class ExistingFiles:
    """Files that are there already where results are to be written.

    Attributes
    ----------
    replaceable : tuple of Path
        Written by an earlier run, and the same pixels still.
    protected : tuple of Path
        Edited since, written by something else, or beside the images: a person's work as far as can be told.
    """

    replaceable: tuple[Path, ...]
    protected: tuple[Path, ...]

    @classmethod
    def among(cls, files: Iterable[Path], image_folders: Collection[Path]) -> ExistingFiles:
        """Sort those of ``files`` that exist; ``image_folders`` hold the images, and are resolved."""
        from metseg.study import is_as_written, read_pixels_hash, sidecar_of

        replaceable: list[Path] = []
        protected: list[Path] = []
        for path in files:
            if path.exists():
                ours = path.parent.resolve() not in image_folders and is_as_written(path)
                (replaceable if ours else protected).append(path)
            elif sidecar_of(path).exists() and read_pixels_hash(path) is None:
                protected.append(sidecar_of(path))
        return cls(tuple(replaceable), tuple(protected))

    def check(self, output: Path, *, overwrite: bool) -> None:
        """Check that nothing is replaced that must not be.

        Raises
        ------
        DataError
            If files are there and ``overwrite`` is not given, or if some may be a person's work.
        """
        reasons: list[str] = []
        if self.replaceable and not overwrite:
            reasons.append(f"{_files(self.replaceable)} of an earlier run would be replaced; give --overwrite for that")
        if self.protected:
            names = ", ".join(str(path) for path in self.protected[:_NAMED])
            more = f" and {len(self.protected) - _NAMED} more" if len(self.protected) > _NAMED else ""
            reasons.append(
                f"{_files(self.protected)} may be what a person drew (edited, from elsewhere, or beside the images) "
                f"and not overwritten: {names}{more}; choose another --output, or move them away"
            )
        if reasons:
            raise DataError(f"{output}: {'. '.join(reasons)}. Nothing was written.")


def _files(paths: Collection[Path]) -> str:
    return f"{len(paths)} file{'s' * (len(paths) != 1)}"


def planned(found: Iterable[StudyFiles], root: Path, out: Path, suffix: str, writer: Writer | None) -> Iterator[Path]:
    """Each file that :func:`write_slices` writes for studies that were found and not yet read."""
    for files in found:
        for target, _, _ in _targets(files.name, files.slices, root, out, suffix, writer):
            yield target


def targets(
    study: Study, root: Path, out: Path, suffix: str, writer: Writer | None = None
) -> Iterator[tuple[Path, list[int]]]:
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
    writer : Writer, optional
        Of the files; by default that of the images.
    """
    for target, _, indices in _plan(study, root, out, suffix, writer):
        yield target, indices


def _plan(
    study: Study, root: Path, out: Path, suffix: str, writer: Writer | None
) -> Iterator[tuple[Path, Writer, list[int]]]:
    from metseg.study.formats.writing import TiffWriter

    if study.slices:
        yield from _targets(study.name, study.slices, root, out, suffix, writer)
        return
    for z in range(study.shape[0]):
        yield out / f"{study.name}_{z + 1}{suffix}.tif", TiffWriter(), [z]


def _targets(
    name: str, slices: Sequence[SliceFile], root: Path, out: Path, suffix: str, writer: Writer | None
) -> Iterator[tuple[Path, Writer, list[int]]]:
    """Files by the file or study that they are of, in the folder structure of the input."""
    from metseg.study.formats import is_dicom, is_stack
    from metseg.study.results import result_files

    for file, indices in result_files(name, slices, writer, is_dicom, is_stack).items():
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
        See :func:`targets`.
    volume : ndarray of uint8, shape (z, y, x)
        What to write.
    mask : bool
        Whether it is a mask of 0 and 1, which is written as 0 and 255 in TIFF.
    about : mapping of str to JSON values, optional
        What the sidecar of each file says.
    overwrite : bool
        Replace what an earlier run wrote and nobody has edited since.

    Raises
    ------
    DataError
        If a file to write is there already and must not be replaced, see :class:`ExistingFiles`.
    """
    folders = {file.image.parent.resolve() for file in study.slices}
    plan = list(_plan(study, root, out, suffix, writer))
    ExistingFiles.among((target for target, _, _ in plan), folders).check(out, overwrite=overwrite)
    for target, by, indices in plan:
        target.parent.mkdir(parents=True, exist_ok=True)
        by.write(target, volume if by.whole else volume[indices], study, mask=mask, about=about)
    return [target for target, _, _ in plan]
