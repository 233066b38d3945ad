"""Studies that are there twice, and studies of one name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from metseg.study.model import Problem, ProblemKind
from metseg.study.naming import StudyFiles
from metseg.study.same_images import Twins, find_twins
from metseg.study.study_names import folder_name, unique_names


def without_copies(found: list[StudyFiles]) -> list[StudyFiles]:
    """Leave out studies that hold the same images as another of the same name; of others a remark is made."""
    images = [_images(study) for study in found]
    left_out: set[int] = set()
    joined: list[Twins] = []
    for twins in find_twins(images):
        first, second = twins.first, twins.second
        fewest = min(len(images[first]), len(images[second]))
        if found[first].name != found[second].name or twins.shared < fewest:
            joined.append(twins)
        elif not {first, second} & left_out:
            kept, dropped = _kept(found, images, twins)
            left_out.add(dropped)
            reason = f"holds the same images as {found[kept].folder}, and was left out"
            problem = Problem(_where(found[dropped]), reason, kind=ProblemKind.DUPLICATE)
            found[kept] = replace(found[kept], problems=(*found[kept].problems, problem))
    names = unique_names([(study.name, study.folder) for index, study in enumerate(found) if index not in left_out])
    kept_names = iter(names)
    named = [study if index in left_out else _renamed(study, next(kept_names)) for index, study in enumerate(found)]
    for twins in joined:
        if not {twins.first, twins.second} & left_out:
            named[twins.second] = _beside(named[twins.second], named[twins.first], twins)
    return [study for index, study in enumerate(named) if index not in left_out]


def _beside(study: StudyFiles, other: StudyFiles, twins: Twins) -> StudyFiles:
    """``study`` with the remark that it holds images of ``other``."""
    if study.same_as is not None:
        return study
    whole = twins.shared == len(_images(study))
    reason = "holds the same images as" if whole else f"has {twins.shared} images in common with"
    text = f"{study.name} {reason} {other.name} ({_where(other)})"
    problem = Problem(_where(study), text, kind=ProblemKind.DUPLICATE)
    return replace(study, problems=(*study.problems, problem), same_as=other.patient)


def _renamed(study: StudyFiles, name: str) -> StudyFiles:
    """``study`` under a name that no other has, with a remark where that is not its folder's."""
    if name == study.name or study.name != folder_name(study.folder):
        return replace(study, name=name)
    reason = f"another study is called {study.name} too: this one is {name}, and taken for another patient"
    return replace(study, name=name, problems=(*study.problems, Problem(_where(study), reason)))


def _images(study: StudyFiles) -> list[Path]:
    return [path for entry in study.slices for path in entry.images]


def _kept(found: list[StudyFiles], images: list[list[Path]], twins: Twins) -> tuple[int, int]:
    """Which of two copies is kept, and which is not: that with more images, then with more masks, then the first."""

    def worth(index: int) -> tuple[int, int, int]:
        return len(images[index]), sum(entry.mask is not None for entry in found[index].slices), -index

    kept = max((twins.first, twins.second), key=worth)
    return kept, twins.first + twins.second - kept


def _where(study: StudyFiles) -> Path:
    return study.folder if len(study.slices) > 1 else study.slices[0].image
