"""The images of a case, also where each of its sequences has a file of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from metseg.curation.description import CaseDescription, ImageFile, load_images
from metseg.curation.documents import file_sha256
from metseg.errors import UnreadableFileError
from metseg.study import SliceFile, Study, StudyFiles, load


def read_images(case: CaseDescription, root: Path) -> Study:
    """Read the images of a case, without mask.

    Parameters
    ----------
    case : CaseDescription
    root : Path
        The project's folder.

    Raises
    ------
    UnreadableFileError
        If a file is gone, or its bytes are not those that were added.
    """
    study = _of_many_files(case, root) if any(case.others) else load_images(case, root)
    return replace(study, patient=case.patient)


def _of_many_files(case: CaseDescription, root: Path) -> Study:
    entries: dict[int, SliceFile] = {}
    for index, _ in case.slices:
        if index not in entries:
            first, *others = (_unchanged(image, root) for image in (case.images[index], *case.others[index]))
            entries[index] = SliceFile(first, others=tuple(others))
    slices = tuple(entries.values())
    loaded = load(StudyFiles(case.name, slices[0].image.parent, slices, named=case.sequences))
    found = [study for study in loaded.studies if (study.shape, study.sequences) == (case.shape, case.sequences)]
    if len(found) != 1:
        reasons = "; ".join(problem.reason for problem in loaded.problems if problem.refused)
        says = "do not hold the slices that case.json names"
        raise UnreadableFileError(
            slices[0].image, f"it and its other sequences {says}" + (f": {reasons}" * bool(reasons))
        )
    return found[0]


def _unchanged(image: ImageFile, root: Path) -> Path:
    path = root / image.path
    if not path.exists():
        raise UnreadableFileError(path, "is gone; put it back where it was")
    if file_sha256(path) != image.sha256:
        raise UnreadableFileError(path, "has changed since it was added to the project; put the old file back")
    return path
