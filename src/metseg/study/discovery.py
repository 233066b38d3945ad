"""Find studies by the names of their files; pixels are not looked at.

What each file is, is decided by the rules of :mod:`metseg.study.name_rules`; here what belongs together becomes a
study.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterable
from collections.abc import Sequence as Seq
from dataclasses import replace
from pathlib import Path

from metseg.errors import DataError, UnreadableFileError
from metseg.study.dicom_studies import dicom_studies
from metseg.study.formats import (
    error_of,
    find_images,
    formats,
    is_dicom,
    is_outlines,
    stem_of,
    suffix_of,
    suffixes,
)
from metseg.study.grouping import Examination, GroupedSlice, gaps, group_images
from metseg.study.listing import Listing, natural_key
from metseg.study.mask_matching import MaskMatching, chosen_masks, copy_problem
from metseg.study.model import Problem, ProblemKind, Sequence, SliceFile, printable
from metseg.study.name_rules import RULES
from metseg.study.naming import FileName, Neighbours, Role, Rule, StudyFiles, fold, read_name
from metseg.study.rules_file import DataFolder, NameRules, public_rules, rules_of
from metseg.study.same_images import without_copies
from metseg.study.study_names import name_examinations

MASK_ENDING = "_mask"


def find_studies(
    path: str | Path | DataFolder,
    sequences: Seq[Sequence] | None = None,
    rules: NameRules | None = None,
    only: Collection[Path] | None = None,
) -> list[StudyFiles]:
    """Find the studies in a file, a patient's folder, or a folder of patients at any depth.

    Parameters
    ----------
    path : str, Path or DataFolder
        An image, or a folder. Hidden files and folders are left out.
    sequences : sequence of Sequence, optional
        Which sequence each channel of the files is; for files that cannot say it themselves.
    rules : NameRules, optional
        What files are by their names, before the usual rules; else those of ``metseg.toml`` in the folder, if it is
        there.
    only : collection of Path, optional
        Of the files in the folder these alone, as if there were no others.

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
    if isinstance(path, DataFolder):
        stated = path.sequences if sequences is None else sequences
        return find_studies(path.path, stated, path.rules if rules is None else rules, only)
    path = Path(path)
    try:
        is_folder = path.is_dir()
        if not is_folder and not os.path.lexists(path):
            raise DataError(f"{path}: does not exist")
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be opened ({getattr(error, 'strerror', None) or error})") from error
    stated = None if sequences is None else tuple(sequences)
    applied = rules if rules is not None else rules_of(path if is_folder else path.parent)
    if not is_folder:
        return [replace(_single(path, applied), sequences=stated)]
    listing = Listing.of(path, only)
    found = _Tree(listing, applied).studies()
    if not found:
        reasons = [str(problem) for problem in listing.loose if problem.path != path or problem.refused]
        raise DataError("\n".join([f"{path}: no image in it ({', '.join(suffixes())})", *reasons[:10]]))
    return [replace(study, sequences=stated) for study in found]


def _single(path: Path, rules: NameRules) -> StudyFiles:
    if is_dicom(path):
        return _series_of(path)
    if not suffix_of(path):
        raise UnreadableFileError(path, f"of no format that is read, by its name; these are: {formats()}")
    try:
        names = sorted(os.listdir(path.parent))
    except OSError:
        names = []
    files = [path.parent / name for name in names if suffix_of(name) and not name.startswith(".")]
    near = Neighbours(path.parent, {path.parent: {fold(stem_of(file)) for file in files}}, {})
    applied = _rules_in_order(rules)
    read = {file: read_name(file, near, applied) for file in files}
    name = read.get(path) or read_name(path, near, applied)
    if name.role is Role.MASK:
        raise DataError(f"{path}: is a mask by its name; give its image instead")
    exact = Examination(name.key, name.raw, [GroupedSlice(0, {name.sequence: name})], stack=True)
    masks = [other for other in read.values() if other.role is Role.MASK and other.raw == name.raw]
    exact.slots[0].masks = [(0, mask) for mask in masks]
    problems: list[Problem] = []
    chosen = chosen_masks(exact.slots[0], problems)
    named = None if name.sequence is None else (name.sequence,)
    entry = SliceFile(path, chosen[0] if chosen else None, more_masks=chosen[1:])
    return StudyFiles(
        printable(stem_of(path)),
        path.parent,
        (entry,),
        tuple(problems),
        named=named,
        labels=_labels(rules, masks),
        names=(name, *masks),
    )


def _rules_in_order(rules: NameRules) -> tuple[Rule, ...]:
    """All rules in the order in which they are asked."""
    return (*rules.rules, *public_rules(), *RULES)


def _series_of(path: Path) -> StudyFiles:
    """The series that a DICOM file is of."""
    images, outlines = _apart(sorted(other for other in path.parent.iterdir() if is_dicom(other)))
    if path in outlines:
        raise DataError(f"{path}: outlines what is on a series; give the folder or a file of the series instead")
    found = find_images(images)
    for problem in found.problems:
        if problem.path == path:
            raise error_of(problem)
    return dicom_studies([header for header in found.images if path in header.files], outlines, [])[0]


def _apart(files: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """DICOM images, and what outlines something on them."""
    images: list[Path] = []
    outlines: list[Path] = []
    for path in files:
        (outlines if is_outlines(path) else images).append(path)
    return images, outlines


def _labels(rules: NameRules, masks: Iterable[FileName]) -> tuple[int, ...] | None:
    stated = [mask.labels for mask in masks if mask.labels is not None]
    return rules.labels if rules.labels is not None else stated[0] if stated else None


class _Tree:
    """The studies of a tree."""

    def __init__(self, listing: Listing, rules: NameRules) -> None:
        self._listing = listing
        self._rules = rules
        near = listing.neighbours()
        applied = _rules_in_order(rules)
        stated = [read_name(path, near, rules.rules) for path in listing.dicom] if rules.rules else []
        left_out = {name.path for name in stated if name.role is Role.NEITHER}
        self._dicom = [path for path in listing.dicom if path not in left_out]
        self._names = [read_name(path, near, applied) for path in listing.files]
        self._problems: dict[Path, list[Problem]] = defaultdict(list)

    def studies(self) -> list[StudyFiles]:
        """All, in order; problems that belong to none are added to the listing's."""
        self._remark_neither()
        examinations = group_images(self._images())
        matching = MaskMatching(examinations)
        for name in self._names:
            if name.role is Role.MASK and not matching.add(name):
                self._remark(name.path, "is a mask without an image", ProblemKind.ORPHAN_MASK)
        self._remark_others({name.path.parent for name in self._names})
        name_examinations(examinations, self._listing.top)
        examinations.sort(key=self._place_in_tree)
        found = [self._study(examination) for examination in examinations]
        found = self._with_problems(found, examinations)
        if self._dicom:
            images, outlines = _apart(self._dicom)
            series = find_images(images)
            self._listing.loose += series.problems
            found += dicom_studies(series.images, outlines, self._listing.loose)
        if found:
            found[0] = replace(found[0], problems=(*self._listing.loose, *found[0].problems))
            found = without_copies(found)
        return found

    def _place_in_tree(self, examination: Examination) -> tuple[object, ...]:
        order = list(self._listing.folders)
        return order.index(examination.first.path.parent), natural_key(examination.name)

    def _images(self) -> list[FileName]:
        """All images but copies of others, of which a remark is made."""
        images = [name for name in self._names if name.role is Role.IMAGE]
        originals = {(name.path.parent, fold(stem_of(name.path))): name for name in images if not name.copy}
        kept = []
        for name in images:
            original = originals.get((name.path.parent, fold(name.raw))) if name.copy else None
            if original is None:
                kept.append(name)
            else:
                self._problems[name.path.parent].append(copy_problem(name, [original]))
        return kept

    def _study(self, examination: Examination) -> StudyFiles:
        problems = examination.problems
        numbers = [slot.number for slot in examination.slots]
        slices = tuple(_slice_file(slot, problems) for slot in examination.slots)
        if not examination.stack and (missing := gaps(numbers)):
            text = f"{examination.name}: missing slices {missing}"
            problems.append(Problem(examination.folder, text, kind=ProblemKind.GAP))
        if any(entry.mask for entry in slices):
            for entry in slices:
                if entry.mask is None:
                    reason = "has no mask, though other slices of its study have one"
                    problems.append(Problem(entry.image, reason, kind=ProblemKind.NO_MASK))
        used = {path for entry in slices for path in entry.masks}
        masks = [mask for slot in examination.slots for _, mask in slot.masks if mask.path in used]
        return StudyFiles(
            printable(examination.name),
            examination.folder,
            slices,
            tuple(problems),
            visit_of=None if examination.visit_of is None else printable(examination.visit_of),
            named=_named(examination),
            labels=_labels(self._rules, masks),
            names=(*examination.files, *masks),
        )

    def _with_problems(self, found: list[StudyFiles], examinations: list[Examination]) -> list[StudyFiles]:
        """Problems of a folder go to its first study; those of folders without one are loose."""
        first: dict[Path, int] = {}
        for index, examination in enumerate(examinations):
            for name in examination.files:
                first.setdefault(name.path.parent, index)
            first.setdefault(examination.home, index)
        for folder, problems in self._problems.items():
            if folder not in first:
                self._listing.loose += problems
                continue
            study = found[first[folder]]
            found[first[folder]] = replace(study, problems=(*study.problems, *problems))
        return found

    def _remark(self, path: Path, reason: str, kind: ProblemKind) -> None:
        self._problems[path.parent].append(Problem(path, reason, kind=kind))

    def _remark_neither(self) -> None:
        for name in self._names:
            if name.role is Role.NEITHER and name.reason:
                self._remark(name.path, name.reason, ProblemKind.NOT_READ)

    def _remark_others(self, folders: set[Path]) -> None:
        for folder, others in self._listing.others.items():
            if others and folder in folders:
                what = "1 file is" if len(others) == 1 else f"{len(others)} files are"
                listed = ", ".join(map(printable, others))
                reason = f"{what} no image and not read: {listed}"
                self._problems[folder].append(Problem(folder, reason, kind=ProblemKind.NOT_READ))


def _slice_file(slot: GroupedSlice, problems: list[Problem]) -> SliceFile:
    masks = chosen_masks(slot, problems)
    image, *others = (name.path for name in slot.files.values())
    return SliceFile(image, masks[0] if masks else None, others=tuple(others), more_masks=masks[1:])


def _named(examination: Examination) -> tuple[Sequence, ...] | None:
    """Which sequence each file of a slice is; ``None`` if the names do not say."""
    if examination.channels == (None,):
        return None
    files = examination.slots[0].files.values()
    if all(name.sequence is None for name in files) and len(examination.channels) == 1:
        return None
    return tuple(name.sequence or Sequence.UNKNOWN for name in files)
