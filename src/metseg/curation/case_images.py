"""The images of a case, also where each of its sequences has a file of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from metseg.curation.description import CaseDescription, check_unchanged, load_images
from metseg.errors import UnreadableFileError
from metseg.study import SliceFile, Study, StudyFiles, load
from metseg.study.formats import find_images, is_picture, is_tiff
from metseg.study.model import reference_of


def read_images(case: CaseDescription, root: Path) -> Study:
    """Read the images of a case, without mask.

    Raises
    ------
    UnreadableFileError
        If a file is gone, or its bytes are not those that were added.
    """
    study = _of_many_files(case, root) if any(case.others) else load_images(case, root)
    return replace(study, patient=case.patient)


def _of_many_files(case: CaseDescription, root: Path) -> Study:
    images = [check_unchanged(image, root / image.path) for image in case.images]
    others = [tuple(check_unchanged(image, root / image.path) for image in group) for group in case.others]
    if is_tiff(images[0]) or is_picture(images[0]):
        used = dict.fromkeys(index for index, _ in case.slices)
        slices = tuple(SliceFile(images[index], others=others[index]) for index in used)
        files = StudyFiles(case.name, images[0].parent, slices, named=case.sequences)
    else:
        files = _volumes(case, images, [path for group in others for path in group])
    loaded = load(files)
    found = [study for study in loaded.studies if (study.shape, study.sequences) == (case.shape, case.sequences)]
    if len(found) != 1:
        reasons = "; ".join(problem.reason for problem in loaded.problems if problem.refused)
        says = "do not hold the slices that case.json names"
        raise UnreadableFileError(images[0], f"it and its other sequences {says}" + (f": {reasons}" * bool(reasons)))
    return found[0]


def _volumes(case: CaseDescription, images: list[Path], others: list[Path]) -> StudyFiles:
    """A volume a sequence, in the order of the case's channels; ``images`` are the files of the one with its grid."""
    found = find_images(list(dict.fromkeys([*images, *others]))).images
    ordered = [header for header in found if images[0] not in header.files]
    if len(ordered) == len(found):
        raise UnreadableFileError(images[0], "does not hold the volume that case.json names")
    reference = next(header for header in found if images[0] in header.files)
    ordered.insert(reference_of(case.sequences) if len(found) == len(case.sequences) else 0, reference)
    first, *rest = (header.path for header in ordered)
    return StudyFiles(
        case.name,
        first.parent,
        (SliceFile(first, others=tuple(rest)),),
        named=case.sequences if len(found) == len(case.sequences) else None,
        series=tuple(header.files for header in ordered),
    )
