"""Studies that hold the same images, and studies of one name: copies must not be taken for other patients."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from collections.abc import Sequence as Seq
from contextlib import suppress
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from metseg.errors import DataError, UnreadableFileError
from metseg.study.files import file_sha256
from metseg.study.ifd import open_regular
from metseg.study.model import Problem, ProblemKind
from metseg.study.naming import StudyFiles
from metseg.study.study_names import folder_name, unique_names
from metseg.study.tiff import read_tiff

_SAMPLE = 4096


class Twins(NamedTuple):
    """The indices of two studies, and how many image files of theirs are equal, byte for byte."""

    first: int
    second: int
    shared: int


def find_twins(studies: Seq[Seq[Path]]) -> list[Twins]:
    """Finds studies that share image files; images of one value only prove nothing.

    Parameters
    ----------
    studies : sequence of sequence of Path
        The image files of each study.
    """
    alike: dict[tuple[int, bytes], list[tuple[int, Path]]] = defaultdict(list)
    for index, files in enumerate(studies):
        for path in files:
            if (sample := _sample(path)) is not None:
                alike[sample].append((index, path))
    equal: dict[str, dict[int, Path]] = defaultdict(dict)
    for places in alike.values():
        if len({index for index, _ in places}) > 1:
            for index, path in places:
                with suppress(UnreadableFileError):
                    equal[file_sha256(path)].setdefault(index, path)
    shared: dict[tuple[int, int], list[Path]] = defaultdict(list)
    for places_of in equal.values():
        for pair in combinations(sorted(places_of), 2):
            shared[pair].append(places_of[pair[0]])
    return [Twins(*pair, len(paths)) for pair, paths in sorted(shared.items()) if not all(map(is_blank, paths))]


def _sample(path: Path) -> tuple[int, bytes] | None:
    """Size of a file, and bytes from its middle: files that differ in these are not equal."""
    try:
        with open_regular(path) as file:
            size = file.seek(0, 2)
            file.seek(max(0, (size - _SAMPLE) // 2))
            return size, file.read(_SAMPLE)
    except (OSError, UnreadableFileError):
        return None


def is_blank(path: Path) -> bool:
    """Whether an image holds one value only, or cannot be read: it proves nothing."""
    try:
        pixels = read_tiff(path)
    except (DataError, UnreadableFileError):
        return True
    return bool((pixels == pixels.ravel()[0]).all())


def joined(names: Iterable[str], pairs: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """One name for all that are joined by pairs: the first of them in order.

    Parameters
    ----------
    pairs : iterable of (str, str)
        Names that belong together; unknown ones are left out.
    """
    of = {name: name for name in names}

    def root(name: str) -> str:
        while of[name] != name:
            name = of[name]
        return name

    for one, other in pairs:
        if one in of and other in of:
            first, second = sorted((root(one), root(other)))
            of[second] = first
    return {name: root(name) for name in of}


def without_copies(found: list[StudyFiles]) -> list[StudyFiles]:
    """Leave out studies that hold the same images as another of the same name; of others a remark is made."""
    images = [_images(study) for study in found]
    left_out: set[int] = set()
    related: list[Twins] = []
    for twins in find_twins(images):
        first, second = twins.first, twins.second
        fewest = min(len(images[first]), len(images[second]))
        if found[first].name != found[second].name or twins.shared < fewest:
            related.append(twins)
        elif not {first, second} & left_out:
            kept, dropped = _kept(found, images, twins)
            left_out.add(dropped)
            reason = f"holds the same images as {found[kept].folder}, and was left out"
            problem = Problem(_where(found[dropped]), reason, kind=ProblemKind.DUPLICATE)
            found[kept] = replace(found[kept], problems=(*found[kept].problems, problem))
    names = unique_names([(study.name, study.folder) for index, study in enumerate(found) if index not in left_out])
    kept_names = iter(names)
    named = [study if index in left_out else _renamed(study, next(kept_names)) for index, study in enumerate(found)]
    for twins in related:
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
