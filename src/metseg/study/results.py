"""Where results of a study go: a file for every file of the study, under its name and in its folder."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from metseg.study.formats import is_picture, is_tiff_name, stem_of
from metseg.study.formats.writing import Writer, writer_named
from metseg.study.model import SliceFile

_SEPARATORS = re.compile(r"[\s_.-]+")


@dataclass(frozen=True, slots=True)
class ResultFile:
    """One file of results.

    Attributes
    ----------
    path : Path
        In the folder of the images; without ending, and without what says which result it is.
    """

    path: Path
    writer: Writer


def result_files(
    name: str,
    slices: Sequence[SliceFile],
    writer: Writer | None,
    is_series: Callable[[Path], bool],
    is_stack: Callable[[Path], bool],
) -> dict[ResultFile, list[int]]:
    """Each file to write, and the slices that go into it.

    Parameters
    ----------
    name : str
        The study's, for what is of no single file: DICOM series, stacks of one sequence each, slices as a volume.
    slices : sequence of SliceFile
        The study's.
    writer : Writer, optional
        Of the files; by default that of the images' format.
    is_series, is_stack : callable
        Whether an image is one file of a DICOM series; whether it holds several slices.
    """
    files: dict[ResultFile, list[int]] = {}
    series, stacks = cache(is_series), cache(is_stack)
    for z, entry in enumerate(slices):
        by = natural_writer(entry.image) if writer is None else writer
        stack = (entry.others or by.whole) and stacks(entry.image)
        whole = series(entry.image) or (bool(entry.others) if stack else by.whole)
        stem = name if whole else _stem(entry, name)
        files.setdefault(ResultFile(_folder(entry) / stem, by), []).append(z)
    volumes = [file for file in files if file.writer.whole]
    if len(volumes) > 1:
        folder = Path(os.path.commonpath([file.path.parent for file in volumes]))
        of_all = sorted(z for file in volumes for z in files.pop(file))
        files[ResultFile(folder / name, volumes[0].writer)] = of_all
    return files


def natural_writer(image: Path) -> Writer:
    """The format in which an image is answered: TIFF for slices and stacks, NIfTI for what knows its place."""
    return writer_named("tiff" if is_picture(image) or is_tiff_name(image) else "nifti")


def _folder(entry: SliceFile) -> Path:
    return Path(os.path.commonpath([path.parent for path in entry.images])) if entry.others else entry.image.parent


def _stem(entry: SliceFile, name: str) -> str:
    """Of the one file; of one file a sequence the words that all have: ``P_1`` of ``P_1_flair`` and ``P_1_t1``."""
    if not entry.others:
        return stem_of(entry.image)
    words = [_SEPARATORS.split(stem_of(path)) for path in entry.images]
    return "_".join(word for word in words[0] if all(word in other for other in words)) or name
