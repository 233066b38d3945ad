"""Studies that are there twice, and studies of the same name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from metseg.study.model import Problem, ProblemKind
from metseg.study.same_images import Twins, find_twins
from metseg.study.study_names import folder_name, unique_names

if TYPE_CHECKING:
    from metseg.study.discovery import StudyFiles


def without_copies(found: list[StudyFiles]) -> list[StudyFiles]:
    """Leave out studies that hold the same images as another of the same name."""
    images = [_images(study) for study in found]
    left_out: set[int] = set()
    for twins in find_twins(images):
        first, second = twins.first, twins.second
        fewest = min(len(images[first]), len(images[second]))
        if {first, second} & left_out or found[first].name != found[second].name or twins.shared < fewest:
            continue
        kept, dropped = _kept(found, images, twins)
        left_out.add(dropped)
        reason = f"holds the same images as {found[kept].folder}, and was left out"
        problem = Problem(_where(found[dropped]), reason, kind=ProblemKind.DUPLICATE)
        found[kept] = replace(found[kept], problems=(*found[kept].problems, problem))
    return [study for index, study in enumerate(found) if index not in left_out]


def remark_twins(found: list[StudyFiles]) -> list[StudyFiles]:
    """Note which studies hold the same images as others of another name."""
    for twins in find_twins([_images(study) for study in found]):
        first, second = found[twins.first], found[twins.second]
        if second.same_as is None:
            whole = twins.shared == len(_images(second))
            reason = "holds the same images as" if whole else f"has {twins.shared} images in common with"
            where = f"{first.name} ({_where(first)})"
            problem = Problem(_where(second), f"{second.name} {reason} {where}", kind=ProblemKind.DUPLICATE)
            second = replace(second, problems=(*second.problems, problem), same_as=first.patient)
            found[twins.second] = second
    return found


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


def named_apart(found: list[StudyFiles]) -> list[StudyFiles]:
    """Put the names of their folders before names that occur twice, with a remark."""
    names = unique_names([(study.name, study.folder) for study in found])
    result = []
    for study, name in zip(found, names, strict=True):
        problems = study.problems
        if name != study.name and study.name == folder_name(study.folder):
            reason = f"another study is called {study.name} too: this one is {name}, and taken for another patient"
            problems = (*problems, Problem(_where(study), reason))
        result.append(replace(study, name=name, problems=problems))
    return result
