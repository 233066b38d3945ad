"""What is in a folder, and what is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from collections.abc import Sequence as Seq
from pathlib import Path

import numpy as np
from pydantic import BaseModel, Field

from metseg.events import Event, Finished, Progress
from metseg.study.discovery import find_studies
from metseg.study.formats import is_outlines
from metseg.study.mask_files import mask_header, read_mask
from metseg.study.masks import MAX_MASK_VALUES
from metseg.study.model import PathText, Problem, ProblemKind, Sequence, Study
from metseg.study.naming import FileName, Role, StudyFiles
from metseg.study.reading import load
from metseg.study.rules_file import DataFolder


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
    problems : tuple of Problem
        All that is odd or refused, gaps and duplicates included.
    """

    name: str
    folder: PathText
    slices: int = 0
    pairs: int = 0
    lesion_slices: int = 0
    lesion_voxels: int = 0
    mask_values: dict[str, int] = Field(default_factory=dict)
    labels: tuple[int, ...] | None
    size: tuple[int, int] | None = None
    channels: int = 0
    dtype: str = ""
    sequences: tuple[str, ...] = ()
    spacing: tuple[float, float, float] | None = None
    gaps: tuple[str, ...]
    duplicates: tuple[str, ...]
    problems: tuple[Problem, ...]


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
    problems : tuple of Problem
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
    problems: tuple[Problem, ...]
    files: tuple[FileFinding, ...] = ()

    @property
    def refused(self) -> tuple[Problem, ...]:
        """Those problems for which a file could not be used."""
        return tuple(problem for problem in self.problems if problem.refused)


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
        loaded = load(files)
        for place, study in enumerate(loaded.studies or (None,)):
            studies.append(_entry(files, study, () if place else loaded.problems))
    yield Progress(len(found), len(found), "")
    yield Finished(_sum_up(path.path if isinstance(path, DataFolder) else Path(path), found, studies))


def _file(files: StudyFiles, name: FileName) -> FileFinding:
    return FileFinding(
        path=name.path,
        role=name.role,
        study=files.name,
        patient=files.patient,
        sequence=str(name.sequence or ""),
        rules=name.rules,
    )


def _entry(files: StudyFiles, study: Study | None, problems: tuple[Problem, ...]) -> StudyInspection:
    entry = StudyInspection(
        name=files.name,
        folder=files.folder,
        labels=files.labels,
        gaps=tuple(problem.reason for problem in problems if problem.kind is ProblemKind.GAP),
        duplicates=tuple(str(problem) for problem in problems if problem.kind is ProblemKind.DUPLICATE),
        problems=problems,
    )
    if study is None:
        return entry
    read: dict[str, object] = {
        "slices": study.shape[0],
        "pairs": sum(one.mask is not None for one in study.slices),
        "mask_values": _mask_values(study),
        "size": study.shape[1:],
        "channels": len(study.sequences),
        "dtype": str(study.voxels.dtype),
        "sequences": tuple(study.sequences),
        "spacing": study.geometry.spacing,
    }
    if study.mask is not None:
        read["lesion_slices"] = int(study.mask.any(axis=(1, 2)).sum())
        read["lesion_voxels"] = int(np.count_nonzero(study.mask))
    return entry.model_copy(update=read)


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


def _sum_up(path: Path, found: Seq[StudyFiles], studies: Seq[StudyInspection]) -> Inspection:
    def count(what: Callable[[StudyInspection], object]) -> dict[str, int]:
        counts: Counter[str] = Counter()
        for study in studies:
            if study.size is not None:
                counts[str(what(study))] += study.slices
        return dict(counts)

    return Inspection(
        path=path,
        studies=tuple(studies),
        patients=len({files.patient for files in found}),
        slices=sum(study.slices for study in studies),
        pairs=sum(study.pairs for study in studies),
        lesion_slices=sum(study.lesion_slices for study in studies),
        sizes=count(lambda study: " x ".join(map(str, study.size or ()))),
        channels=count(lambda study: study.channels),
        dtypes=count(lambda study: study.dtype),
        problems=tuple(problem for study in studies for problem in study.problems),
        files=tuple(_file(files, name) for files in found for name in files.names),
    )
