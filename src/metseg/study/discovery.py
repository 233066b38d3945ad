"""Find studies by the names of their files; pixels are not looked at.

``<name>_<k>.tif`` is slice ``k`` of study ``<name>`` and ``<name>_<k>_mask.tif`` its mask. A file without a number,
or with several pages, is a study of its own.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from collections.abc import Sequence as Seq
from dataclasses import dataclass, field, replace
from pathlib import Path

from metseg.errors import DataError, UnreadableFileError
from metseg.study.model import Problem, ProblemKind, Sequence, SliceFile
from metseg.study.numbering import NUMBERED_STEM
from metseg.study.preflight import page_count

SUFFIXES = (".tif", ".tiff")
MASK_ENDING = "_mask"


@dataclass(frozen=True, slots=True)
class StudyFiles:
    """Files of one study, found but not yet read.

    Attributes
    ----------
    name : str
        Name of the patient: of the folder if it holds one numbered series, else of the series or file.
    folder : Path
        Where the files are.
    slices : tuple of SliceFile
        Images in natural order; a multi-page file appears once, as its page 0.
    visit_of : str or None
        The patient, where the folder of that name holds several visits; else the study is the patient's only one.
    sequences : tuple of Sequence or None
        Which sequence each channel is, where the user has said so.
    problems : tuple of Problem
        What is odd about the names: gaps, duplicates, masks without image, images without mask. Problems of the
        tree that belong to no study come with the first study found.
    """

    name: str
    folder: Path
    slices: tuple[SliceFile, ...]
    problems: tuple[Problem, ...] = ()
    visit_of: str | None = None
    sequences: tuple[Sequence, ...] | None = None

    @property
    def channels(self) -> int | None:
        """How many channels the images must have; ``None`` where nobody named them."""
        return None if self.sequences is None else len(self.sequences)

    @property
    def patient(self) -> str:
        """Whom the study is of."""
        return self.name if self.visit_of is None else self.visit_of


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key that puts ``x_10`` after ``x_9``."""
    parts = re.split(r"([0-9]+)", name)
    return tuple((0, int(part), "") if index % 2 else (1, 0, part.casefold()) for index, part in enumerate(parts))


def find_studies(path: str | Path, sequences: Seq[Sequence] | None = None) -> list[StudyFiles]:
    """Find the studies in a file, a patient's folder, or a folder of patients at any depth.

    Parameters
    ----------
    path : str or Path
        ``.tif`` or ``.tiff`` in any case, or a folder. Hidden files and folders are left out.
    sequences : sequence of Sequence, optional
        Which sequence each channel of the files is; for files that cannot say it themselves.

    Returns
    -------
    list of StudyFiles
        At least one, in natural order of folder and name, no two of the same name.

    Raises
    ------
    DataError
        If ``path`` does not exist or there is no image in it.
    UnreadableFileError
        If ``path`` is a file of another kind.
    """
    path = Path(path)
    try:
        is_folder = path.is_dir()
        if not is_folder and not os.path.lexists(path):
            raise DataError(f"{path}: does not exist")
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be opened ({getattr(error, 'strerror', None) or error})") from error
    named = None if sequences is None else tuple(sequences)
    if not is_folder:
        return [replace(_single(path), sequences=named)]
    found: list[StudyFiles] = []
    loose: list[Problem] = []
    for studies, problems in _walk(path):
        found += studies
        loose += problems
    if not found:
        reasons = [str(problem) for problem in loose if problem.path != path or problem.refused]
        raise DataError("\n".join([f"{path}: no TIFF image in it (.tif or .tiff)", *reasons[:10]]))
    found[0] = replace(found[0], problems=(*loose, *found[0].problems))
    return [replace(study, sequences=named) for study in _with_unique_names(found)]


def _single(path: Path) -> StudyFiles:
    if path.suffix.lower() not in SUFFIXES:
        raise UnreadableFileError(path, "not a TIFF by its name (.tif or .tiff)")
    if path.stem.lower().endswith(MASK_ENDING):
        raise DataError(f"{path}: is a mask by its name; give its image instead")
    try:
        names = os.listdir(path.parent)
    except OSError:
        names = []
    wanted = path.stem + MASK_ENDING
    masks = [path.with_name(name) for name in sorted(names) if _is_tiff(name) and _lower_ending(name) == wanted]
    chosen, problems = _choose_mask(masks)
    return StudyFiles(_printable(path.stem), path.parent, (SliceFile(path, chosen),), tuple(problems))


def _walk(top: Path) -> Iterator[tuple[list[StudyFiles], list[Problem]]]:
    """Studies and loose problems, folder by folder, each real folder once."""
    waiting, seen = [top], set[tuple[int, int]]()
    while waiting:
        folder = waiting.pop()
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            names = sorted((name for name in os.listdir(folder) if not name.startswith(".")), key=natural_key)
        except OSError as error:
            reason = f"folder cannot be opened: {error.strerror or error}"
            yield [], [Problem(folder, reason, refused=True, kind=ProblemKind.UNREADABLE)]
            continue
        folders = [folder / name for name in names if os.path.isdir(folder / name)]
        waiting += reversed(folders)
        inner = {entry.name for entry in folders}
        yield _Folder(folder, [name for name in names if name not in inner]).studies(
            is_leaf=not folders, visits=folder != top
        )


@dataclass(slots=True)
class _Folder:
    """The files of one folder, sorted into series."""

    path: Path
    names: list[str]
    problems: list[Problem] = field(default_factory=list)

    def studies(self, *, is_leaf: bool, visits: bool) -> tuple[list[StudyFiles], list[Problem]]:
        """Studies of this folder, and problems if there is none to put them in.

        Where ``visits`` may be told, studies that are all named after the folder are visits of the patient it is
        named after.
        """
        images, masks = self._images_and_masks()
        if not images and not masks:
            if is_leaf:
                self._remark(self.path, "no TIFF image in this folder", ProblemKind.NOT_READ)
            return [], self.problems
        self._remark_others()
        series: dict[str, list[tuple[int, str]]] = defaultdict(list)
        alone: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for name in images:
            match = NUMBERED_STEM.fullmatch(Path(name).stem)
            if match is None or page_count(self.path / name) > 1:
                alone[Path(name).stem].append((0, name))
            else:
                series[match["prefix"]].append((int(match["number"]), name))
        only = len(series) == 1 and not alone
        here = _printable(self.path.resolve().name) or "study"
        studies = [self._study(stem, found, masks) for stem, found in alone.items()]
        for prefix, found in series.items():
            name = here if only else prefix or here
            studies.append(self._study(f"{name}_series" if name in alone else name, found, masks))
        self._remark_orphans(images, masks)
        studies.sort(key=lambda study: natural_key(study.name))
        if visits and all(_begins_with(study.name, here) for study in studies):
            studies = [replace(study, visit_of=here) for study in studies]
        if studies and self.problems:
            studies[0] = replace(studies[0], problems=(*studies[0].problems, *self.problems))
            return studies, []
        return studies, self.problems

    def _images_and_masks(self) -> tuple[list[str], dict[str, list[Path]]]:
        images: list[str] = []
        masks: dict[str, list[Path]] = defaultdict(list)
        for name in filter(_is_tiff, self.names):
            stem = _lower_ending(name)
            if stem.endswith(MASK_ENDING):
                masks[stem.removesuffix(MASK_ENDING)].append(self.path / name)
            else:
                images.append(name)
        return images, masks

    def _study(self, name: str, found: list[tuple[int, str]], masks: dict[str, list[Path]]) -> StudyFiles:
        """One study of ``found``, given as (number, file name)."""
        problems: list[Problem] = []
        slices: dict[int, SliceFile] = {}
        for number, file in sorted(found, key=lambda entry: (entry[0], len(entry[1]), entry[1])):
            if number in slices:
                first = slices[number].image.name
                same = "name" if Path(first).stem == Path(file).stem else "number"
                reason = f"has the same {same} as {first} and was left out"
                problems.append(Problem(self.path / file, reason, refused=True, kind=ProblemKind.DUPLICATE))
                continue
            mask, remarks = _choose_mask(masks.get(Path(file).stem, []))
            problems += remarks
            slices[number] = SliceFile(self.path / file, mask)
        gaps = _ranges(_missing(sorted(slices)))
        if gaps:
            problems.append(Problem(self.path, f"{name}: missing slices {gaps}", kind=ProblemKind.GAP))
        if any(entry.mask for entry in slices.values()):
            for entry in slices.values():
                if entry.mask is None:
                    reason = "has no mask, though other slices of its study have one"
                    problems.append(Problem(entry.image, reason, kind=ProblemKind.NO_MASK))
        return StudyFiles(_printable(name), self.path, tuple(slices.values()), tuple(problems))

    def _remark(self, path: Path, reason: str, kind: ProblemKind) -> None:
        self.problems.append(Problem(path, reason, kind=kind))

    def _remark_orphans(self, images: list[str], masks: dict[str, list[Path]]) -> None:
        stems = {Path(name).stem for name in images}
        for stem, files in masks.items():
            if stem not in stems:
                for file in files:
                    self._remark(file, "is a mask without an image", ProblemKind.ORPHAN_MASK)

    def _remark_others(self) -> None:
        others = [name for name in self.names if not _is_tiff(name) and not name.lower().endswith(".json")]
        if others:
            what = "1 file is" if len(others) == 1 else f"{len(others)} files are"
            listed = ", ".join(map(_printable, others))
            self._remark(self.path, f"{what} no TIFF and not read: {listed}", ProblemKind.NOT_READ)


def _choose_mask(masks: list[Path]) -> tuple[Path | None, list[Problem]]:
    """The mask, if there is exactly one; two cannot both be right."""
    if len(masks) <= 1:
        return (masks[0] if masks else None), []
    names = " and ".join(mask.name for mask in masks)
    reason = f"the slice has more than one mask ({names}); none was used"
    return None, [Problem(masks[0], reason, refused=True, kind=ProblemKind.DUPLICATE)]


def _begins_with(name: str, patient: str) -> bool:
    """Whether ``name`` is ``patient`` and something after a separator."""
    return re.fullmatch(re.escape(patient) + r"[ _.\-].+", name) is not None


def _missing(numbers: list[int]) -> Iterator[tuple[int, int]]:
    for before, after in zip(numbers, numbers[1:], strict=False):
        if after - before > 1:
            yield before + 1, after - 1


def _ranges(gaps: Iterable[tuple[int, int]]) -> str:
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in gaps)


def _with_unique_names(found: list[StudyFiles]) -> list[StudyFiles]:
    """Put the names of their folders before names that occur twice, as many as it takes."""
    names = [study.name for study in found]
    deepest = max(len(study.folder.resolve().parts) for study in found)
    for above in range(deepest):
        times = Counter(names)
        if len(times) == len(names):
            break
        names = [_above(study, above) if times[name] > 1 else name for study, name in zip(found, names, strict=True)]
    for index, name in enumerate(names):
        if name in names[:index]:
            names[index] = f"{name}_{index + 1}"
    return [replace(study, name=name) for study, name in zip(found, names, strict=True)]


def _above(study: StudyFiles, levels: int) -> str:
    folder = study.folder.resolve()
    parts = folder.parts[1:]
    if study.name == _printable(folder.name):
        parts = parts[:-1]
    return "_".join([*map(_printable, parts[max(0, len(parts) - 1 - levels) :]), study.name])


def _is_tiff(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _lower_ending(name: str) -> str:
    """Stem of a file name, with the ending that marks a mask in lower case."""
    stem = Path(name).stem
    return stem[: -len(MASK_ENDING)] + MASK_ENDING if stem.lower().endswith(MASK_ENDING) else stem


def _printable(name: str) -> str:
    """``name`` with bytes that are no text replaced."""
    return os.fsencode(name).decode("utf-8", "replace")
