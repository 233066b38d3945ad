"""Which image each mask is of."""

from __future__ import annotations

import filecmp
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from metseg.study.formats import stem_of
from metseg.study.grouping import Examination, GroupedSlice
from metseg.study.model import Problem, ProblemKind
from metseg.study.naming import FileName, fold

_DIGITS = re.compile(r"[0-9]+")
_BESIDE = " _.-()[]"


class MaskMatching:
    """Masks for the slices and stacks of examinations, by name."""

    def __init__(self, examinations: Iterable[Examination]) -> None:
        self._examinations = list(examinations)
        self._exact: dict[tuple[object, ...], list[GroupedSlice]] = defaultdict(list)
        self._named: dict[tuple[object, ...], list[GroupedSlice]] = defaultdict(list)
        self._at: dict[object, list[Examination]] = defaultdict(list)
        for examination in self._examinations:
            self._at[examination.home].append(examination)
            for slot in examination.slots:
                number = None if examination.stack else slot.number
                self._named[examination.key, fold(examination.prefix), number].append(slot)
                for name in slot.files.values():
                    exact = self._exact[_exactly(name)]
                    if slot not in exact:
                        exact.append(slot)

    def add(self, mask: FileName) -> bool:
        """Notes a mask for its image; ``False`` if there is no such image."""
        for closeness, slots in enumerate(self._candidates(mask)):
            if len(slots) == 1 or (closeness < 2 and slots):
                for slot in slots:
                    slot.masks.append((closeness, mask))
                return True
        return False

    def _candidates(self, mask: FileName) -> Iterator[list[GroupedSlice]]:
        """Slots that the mask may be of, the surest first."""
        yield self._exact.get(_exactly(mask), [])
        if mask.number is not None:
            yield self._named.get((mask.key, fold(mask.stem), mask.number), [])
            return
        stack = self._named.get((mask.key, fold(mask.stem), None), [])
        yield stack or self._numbered(mask)
        if mask.stated:
            of_patient = [one for one in self._examinations if (one.key, one.prefix) == (mask.key, mask.stem)]
            yield of_patient[0].slots if len(of_patient) == 1 and len(of_patient[0].slots) == 1 else []
            return
        here = self._at.get(mask.home, [])
        alone = [examination for examination in here if examination.key == mask.key and examination.stack]
        yield [alone[0].slots[0]] if len(alone) == 1 and (mask.place or len(self._examinations) == 1) else []

    def _numbered(self, mask: FileName) -> list[GroupedSlice]:
        """Slots of a series, by each number in the mask's name, the last first."""
        stem = stem_of(mask.path) if mask.stated else mask.stem
        for run in reversed(list(_DIGITS.finditer(stem))):
            before, after = stem[: run.start()].rstrip(_BESIDE), stem[run.end() :].strip(_BESIDE)
            prefix = mask.stem if mask.stated else f"{before}_{after}" if before and after else before or after
            found = self._named.get((mask.key, fold(prefix), int(run[0])), [])
            if found:
                return found
        return []


def _exactly(name: FileName) -> tuple[object, ...]:
    """The same for an image and a mask that are called alike."""
    return tuple(map(fold, name.place)), fold(name.visit), fold(name.raw)


def chosen_masks(slot: GroupedSlice, problems: list[Problem]) -> tuple[Path, ...]:
    """The masks of a slice: the one, or one for each lesion; none if they contradict each other."""
    closest = min((closeness for closeness, _ in slot.masks), default=0)
    masks = [mask for closeness, mask in slot.masks if closeness == closest]
    for closeness, mask in slot.masks:
        if closeness > closest:
            reason = f"is another mask beside {masks[0].path.name}, and was left out"
            problems.append(Problem(mask.path, reason, kind=ProblemKind.DUPLICATE))
    folders = {name.path.parent for name in slot.files.values()}
    if beside := [mask for mask in masks if mask.path.parent in folders]:
        for mask in masks:
            if mask not in beside:
                reason = f"is another mask of what {beside[0].path.name} beside its image is of, and was left out"
                problems.append(Problem(mask.path, reason, kind=ProblemKind.DUPLICATE))
        masks = beside
    originals = [mask for mask in masks if not mask.copy] or masks[:1]
    for mask in masks:
        if mask not in originals:
            problems.append(copy_problem(mask, originals))
    if len(originals) <= 1 or _of_lesions(originals):
        return tuple(mask.path for mask in originals)
    names = " and ".join(mask.path.name for mask in originals)
    reason = f"the slice has more than one mask ({names}); none was used"
    problems.append(Problem(originals[0].path, reason, refused=True, kind=ProblemKind.DUPLICATE))
    return ()


def copy_problem(copy: FileName, originals: Iterable[FileName]) -> Problem:
    """What is said of a file whose name is that of a copy."""
    for original in originals:
        try:
            if filecmp.cmp(original.path, copy.path, shallow=False):
                reason = f"is a copy of {original.path.name} and was left out"
                return Problem(copy.path, reason, kind=ProblemKind.DUPLICATE)
        except OSError:
            continue
    names = " and ".join(original.path.name for original in originals)
    reason = f"is called a copy of {names} but holds other bytes; it was left out"
    return Problem(copy.path, reason, refused=True, kind=ProblemKind.DUPLICATE)


def _of_lesions(masks: list[FileName]) -> bool:
    """Whether masks differ in the lesion alone, so that all are of one image."""
    if all(mask.stated and mask.target for mask in masks):
        return True
    kinds = {_DIGITS.sub("0", fold(mask.target)) for mask in masks}
    numbers = {mask.target for mask in masks}
    return len(kinds) == 1 and "0" in next(iter(kinds)) and len(numbers) == len(masks)
