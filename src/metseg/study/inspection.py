"""What is in a folder, and what is wrong with it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from collections.abc import Sequence as Seq
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, PlainSerializer

from metseg.events import Event, Finished, Progress
from metseg.study.discovery import find_studies
from metseg.study.formats import is_outlines
from metseg.study.mask_files import mask_header, read_mask
from metseg.study.masks import MAX_MASK_VALUES
from metseg.study.model import Problem, ProblemKind, Sequence, Study
from metseg.study.naming import FileName, Role, StudyFiles
from metseg.study.reading import Loaded, load
from metseg.study.rules_file import DataFolder


def _text(path: Path) -> str:
    return os.fsencode(path).decode("utf-8", "replace")


PathText = Annotated[Path, PlainSerializer(_text, return_type=str, when_used="json")]


class Finding(BaseModel, frozen=True):
    """A :class:`~metseg.study.Problem` that can be written as JSON."""

    path: PathText
    reason: str
    refused: bool
    kind: ProblemKind

    def __str__(self) -> str:
        return f"{_text(self.path)}: {self.reason}"


class StudyInspection(BaseModel, frozen=True):
    """What is known about one study.

    Attributes
    ----------
    name, folder
        Patient and where the files are.
    slices, pairs, lesion_slices : int
        Slices that can be read; of these with a mask; of these with any lesion in it.
    lesion_voxels : int
        Voxels inside lesions.
    mask_values : dict of str to int
        Voxels of each number other than 0 that the mask files hold; empty of DICOM masks and of grey ones.
    labels : tuple of int or None
        Those of the numbers that are lesion; ``None`` if all are.
    size : tuple of int or None
        (y, x) of a slice; ``None`` if nothing could be read.
    channels : int
        Channels of a slice.
    dtype : str
        Name of the voxels' type; empty if nothing could be read.
    sequences : tuple of str
        Which sequence each channel is.
    spacing : tuple of float or None
        (z, y, x) in mm.
    gaps : tuple of str
        Slices that are missing between others.
    duplicates : tuple of str
        Files that have the number of another.
    problems : tuple of Finding
        All that is odd or refused, gaps and duplicates included.
    """

    name: str
    folder: PathText
    slices: int
    pairs: int
    lesion_slices: int
    lesion_voxels: int
    mask_values: dict[str, int]
    labels: tuple[int, ...] | None
    size: tuple[int, int] | None
    channels: int
    dtype: str
    sequences: tuple[str, ...]
    spacing: tuple[float, float, float] | None
    gaps: tuple[str, ...]
    duplicates: tuple[str, ...]
    problems: tuple[Finding, ...]


class FileFinding(BaseModel, frozen=True):
    """What one file is taken for, and by which rules.

    Attributes
    ----------
    role : Role
        Image or mask.
    study, patient : str
        What it belongs to.
    sequence : str
        Which sequence it is, if its name says so.
    rules : tuple of str
        The rules that applied, in order; empty where the name was taken as it is.
    """

    path: PathText
    role: Role
    study: str
    patient: str
    sequence: str
    rules: tuple[str, ...]


class Inspection(BaseModel, frozen=True):
    """What is in a folder; ``model_dump_json()`` writes it.

    Attributes
    ----------
    path
        What was looked at.
    studies : tuple of StudyInspection
        In natural order; a study whose slices differ in kind appears once for each kind.
    patients : int
        Patients, of whom there may be several studies.
    slices, pairs, lesion_slices : int
        Sums over the studies.
    sizes, channels, dtypes : dict of str to int
        How many slices there are of each.
    problems : tuple of Finding
        Everything that is odd or refused.
    files : tuple of FileFinding
        What each file is taken for.
    """

    path: PathText
    studies: tuple[StudyInspection, ...]
    patients: int
    slices: int
    pairs: int
    lesion_slices: int
    sizes: dict[str, int]
    channels: dict[str, int]
    dtypes: dict[str, int]
    problems: tuple[Finding, ...]
    files: tuple[FileFinding, ...] = ()

    @property
    def refused(self) -> tuple[Finding, ...]:
        """Those problems for which a file could not be used."""
        return tuple(finding for finding in self.problems if finding.refused)


def inspect(path: str | Path | DataFolder, sequences: Seq[Sequence] | None = None) -> Iterator[Event[Inspection]]:
    """Read everything at ``path`` and report what is there; one study is in memory at a time.

    Parameters
    ----------
    path : str, Path or DataFolder
        See :func:`~metseg.study.find_studies`.
    sequences : sequence of Sequence, optional
        Which sequence each channel is, see :func:`~metseg.study.find_studies`.

    Yields
    ------
    Progress, then Finished of Inspection
        One step a study.

    Raises
    ------
    DataError, UnreadableFileError
        As :func:`~metseg.study.find_studies`.
    """
    found = find_studies(path, sequences)
    studies: list[StudyInspection] = []
    for index, files in enumerate(found):
        yield Progress(index, len(found), files.name)
        studies += _inspect_study(files, load(files))
    yield Progress(len(found), len(found), "")
    where = path.path if isinstance(path, DataFolder) else Path(path)
    summary = _sum_up(where, studies, len({files.patient for files in found}))
    yield Finished(
        summary.model_copy(update={"files": tuple(_file(files, name) for files in found for name in files.names)})
    )


def _file(files: StudyFiles, name: FileName) -> FileFinding:
    return FileFinding(
        path=name.path,
        role=name.role,
        study=files.name,
        patient=files.patient,
        sequence=str(name.sequence or ""),
        rules=name.rules,
    )


def _inspect_study(files: StudyFiles, loaded: Loaded) -> list[StudyInspection]:
    """One entry for each kind of slices, the problems with the first; one entry if nothing could be read."""
    problems = loaded.problems
    entries: list[StudyInspection] = []
    for study in loaded.studies or (None,):
        entries.append(_entry(files, study, problems if not entries else ()))
    return entries


def _entry(files: StudyFiles, study: Study | None, problems: tuple[Problem, ...]) -> StudyInspection:
    mask = study.mask if study is not None else None
    return StudyInspection(
        name=files.name,
        folder=files.folder,
        slices=study.shape[0] if study is not None else 0,
        pairs=sum(entry.mask is not None for entry in study.slices) if study is not None else 0,
        lesion_slices=int(mask.any(axis=(1, 2)).sum()) if mask is not None else 0,
        lesion_voxels=int(np.count_nonzero(mask)) if mask is not None else 0,
        mask_values=_mask_values(study) if study is not None else {},
        labels=files.labels,
        size=study.shape[1:] if study is not None else None,
        channels=len(study.sequences) if study is not None else 0,
        dtype=str(study.voxels.dtype) if study is not None else "",
        sequences=tuple(study.sequences) if study is not None else (),
        spacing=study.geometry.spacing if study is not None else None,
        gaps=tuple(problem.reason for problem in problems if problem.kind is ProblemKind.GAP),
        duplicates=tuple(str(_finding(problem)) for problem in problems if problem.kind is ProblemKind.DUPLICATE),
        problems=tuple(map(_finding, problems)),
    )


def _mask_values(study: Study) -> dict[str, int]:
    slices_of = Counter(path for entry in study.slices for path in entry.masks)
    counts: Counter[float] = Counter()
    for path, slices in slices_of.items():
        if is_outlines(path):
            continue
        values, voxels = np.unique(read_mask(mask_header(path, slices)).values, return_counts=True)
        if len(values) <= MAX_MASK_VALUES:
            counts.update(dict(zip(values.tolist(), voxels.tolist(), strict=True)))
    return {f"{value:g}": counts[value] for value in sorted(counts) if value}


def _finding(problem: Problem) -> Finding:
    return Finding(path=problem.path, reason=problem.reason, refused=problem.refused, kind=problem.kind)


def _sum_up(path: Path, studies: list[StudyInspection], patients: int) -> Inspection:
    sizes: dict[str, int] = {}
    channels: dict[str, int] = {}
    dtypes: dict[str, int] = {}
    for study in studies:
        if study.size is None:
            continue
        for counts, key in (
            (sizes, f"{study.size[0]} x {study.size[1]}"),
            (channels, str(study.channels)),
            (dtypes, study.dtype),
        ):
            counts[key] = counts.get(key, 0) + study.slices
    return Inspection(
        path=path,
        studies=tuple(studies),
        patients=patients,
        slices=sum(study.slices for study in studies),
        pairs=sum(study.pairs for study in studies),
        lesion_slices=sum(study.lesion_slices for study in studies),
        sizes=sizes,
        channels=channels,
        dtypes=dtypes,
        problems=tuple(finding for study in studies for finding in study.problems),
    )
