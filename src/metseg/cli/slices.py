"""Where a study's results are written: one file for every file of the study, in the study's folder structure."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metseg.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from metseg.study import SliceFile, Study, StudyFiles

#: Files that a message names; the others are counted.
_NAMED = 3

TIFF = (".tif", ".tiff")


class Form(StrEnum):
    """Formats of masks."""

    TIFF = "tiff"
    NIFTI = "nifti"

    @property
    def ending(self) -> str:
        """Of the files' names."""
        return ".tif" if self is Form.TIFF else ".nii.gz"


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


def planned(found: Iterable[StudyFiles], root: Path, out: Path, suffix: str, form: Form | None) -> Iterator[Path]:
    """Each file that :func:`write_slices` writes for studies that were found and not yet read."""
    for files in found:
        for target in _targets(files.name, files.slices, root, out, suffix, form):
            yield target[0]


def targets(
    study: Study, root: Path, out: Path, suffix: str, form: Form | None = None
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
    form : Form, optional
        Of the files; by default that of the images.
    """
    if study.slices:
        yield from _targets(study.name, study.slices, root, out, suffix, form)
        return
    for z in range(study.shape[0]):
        yield out / f"{study.name}_{z + 1}{suffix}.tif", [z]


def _targets(
    name: str, slices: Sequence[SliceFile], root: Path, out: Path, suffix: str, form: Form | None
) -> Iterator[tuple[Path, list[int]]]:
    """Files by the file or study that they are of, in the folder structure of the input."""
    from metseg.study.formats import is_dicom, is_stack, stem_of

    files: dict[Path, list[int]] = {}
    for z, entry in enumerate(slices):
        answered = form or natural_form(entry.image)
        whole = bool(entry.others) or is_dicom(entry.image) or (answered is Form.NIFTI and not is_stack(entry.image))
        stem = name if whole else stem_of(entry.image)
        folder = Path(os.path.commonpath([path.parent for path in entry.images])) if whole else entry.image.parent
        target = out / folder.relative_to(root) / f"{stem}{suffix}{answered.ending}"
        files.setdefault(target, []).append(z)
    yield from files.items()


def natural_form(image: Path) -> Form:
    """The form in which an image is answered: TIFF for slices and stacks, NIfTI for what has a place."""
    from metseg.study.formats import is_picture, suffix_of

    return Form.TIFF if is_picture(image) or suffix_of(image).lower() in TIFF else Form.NIFTI


def write_slices(
    study: Study,
    volume: npt.NDArray[np.uint8],
    *,
    root: Path,
    out: Path,
    suffix: str,
    form: Form | None = None,
    mask: bool = True,
    about: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> list[Path]:
    """Write a mask or probabilities on the study's grid: a file for each image file, with as many slices.

    Parameters
    ----------
    study, root, out, suffix, form
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
    from metseg.study import suffix_of, write_tiff, write_volume

    folders = {file.image.parent.resolve() for file in study.slices}
    plan = list(targets(study, root, out, suffix, form))
    ExistingFiles.among((target for target, _ in plan), folders).check(out, overwrite=overwrite)
    for target, indices in plan:
        target.parent.mkdir(parents=True, exist_ok=True)
        if suffix_of(target).lower() not in TIFF:
            write_volume(target, volume, study, about=about)
            continue
        pages = volume[indices] * volume.dtype.type(255 if mask else 1)
        if len(indices) == 1:
            write_tiff(target, pages[0], channels=False, about=about)
        else:
            write_tiff(target, pages, channels=False, spacing=study.geometry.spacing, about=about)
    return [target for target, _ in plan]
