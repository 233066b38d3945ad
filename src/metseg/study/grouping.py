"""Images that belong to one examination: its slices in order, and one file a sequence where it comes so."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from collections.abc import Sequence as Seq
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

from metseg.study.formats import is_stack, stem_of
from metseg.study.model import Problem, ProblemKind, Sequence
from metseg.study.naming import FileName, fold
from metseg.study.numbering import split_numbers

#: The order of channels, where each has a file of its own.
ORDER = (Sequence.PRE, Sequence.FLAIR, Sequence.POST, Sequence.T2, Sequence.OTHER, Sequence.UNKNOWN)

#: What tells channels apart: a sequence, a number, or nothing.
Channel = Sequence | int | None


@dataclass
class GroupedSlice:
    """One slice of an examination, or its only stack: the file of each channel, and the masks of it."""

    number: int
    files: dict[Channel, FileName] = field(default_factory=dict)
    masks: list[tuple[int, FileName]] = field(default_factory=list)


@dataclass
class Examination:
    """Images of one examination, before they are a study.

    Attributes
    ----------
    key : tuple
        See :attr:`FileName.key`.
    prefix : str
        What the names of its files have in common.
    stack : bool
        Whether its files hold a volume each.
    problems : list of Problem
        What is odd about the names.
    """

    key: tuple[object, ...]
    prefix: str
    slots: list[GroupedSlice]
    stack: bool
    problems: list[Problem] = field(default_factory=list)
    name: str = ""
    visit_of: str | None = None

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Of the first slot, which has all."""
        return tuple(self.slots[0].files)

    @property
    def files(self) -> Iterator[FileName]:
        """All its images."""
        return (name for slot in self.slots for name in slot.files.values())

    @property
    def first(self) -> FileName:
        """The first file."""
        return next(iter(self.slots[0].files.values()))

    @property
    def home(self) -> Path:
        """The folder that it is called after where its files have no name of their own."""
        return self.first.home

    @property
    def folder(self) -> Path:
        """The folder of all its files, or where they lie in several, the one above."""
        folders = {name.path.parent for name in self.files}
        return folders.pop() if len(folders) == 1 else self.home


@dataclass(frozen=True, slots=True)
class _Series:
    """What the files of one examination have in common."""

    key: tuple[object, ...]
    prefix: str
    stack: bool
    tagged: bool

    @classmethod
    def of(cls, name: FileName, prefix: str, *, stack: bool) -> _Series:
        return cls(name.key, fold(prefix), stack, name.sequence is not None or name.channel is not None)


def group_images(images: Seq[FileName]) -> list[Examination]:
    """Puts the images of each examination together.

    Parameters
    ----------
    images : sequence of FileName
        In natural order.
    """
    series: dict[_Series, list[tuple[int, str, FileName]]] = defaultdict(list)
    slices: dict[tuple[object, ...], list[FileName]] = defaultdict(list)
    for name in images:
        if name.number is not None:
            series[_Series.of(name, name.stem, stack=False)].append((name.number, name.stem, name))
        elif is_stack(name.path):
            series[_Series.of(name, name.stem, stack=True)].append((0, name.stem, name))
        else:
            slices[name.key].append(name)
    for names in slices.values():
        stems = [stem_of(name.path) if name.stated else name.stem for name in names]
        for name, (left, number) in zip(names, split_numbers(stems), strict=True):
            prefix = name.stem if name.stated else left
            series[_Series.of(name, prefix, stack=number is None)].append((number or 0, prefix, name))
    return [examination for one, members in series.items() for examination in _examinations(one, members)]


def _channel(name: FileName) -> Channel:
    return name.channel if name.channel is not None else name.sequence


def _examinations(series: _Series, members: list[tuple[int, str, FileName]]) -> Iterator[Examination]:
    """The examination of one key, and one more for each file of a sequence that no network looks at."""
    known = [member for member in members if not series.tagged or member[2].sequence is not Sequence.OTHER]
    others = [member for member in members if member not in known]
    if not known:
        for number, prefix, name in others:
            named = name.raw if series.stack else prefix
            yield Examination(series.key, named, [GroupedSlice(number, {_channel(name): name})], series.stack)
        return
    problems: list[Problem] = []
    slots: dict[int, GroupedSlice] = {}
    for number, _, name in sorted(known, key=_by_number):
        slot = slots.setdefault(number, GroupedSlice(number))
        there = slot.files.setdefault(_channel(name), name)
        if there is not name:
            problems.append(_twice(there, name, stack=series.stack))
    for _, _, name in others:
        reason = "is of another sequence than those that are used, and was left out"
        problems.append(Problem(name.path, reason, kind=ProblemKind.NOT_READ))
    examination = Examination(
        series.key, known[0][1], [slots[number] for number in sorted(slots)], series.stack, problems
    )
    _complete(examination)
    yield examination


def _by_number(member: tuple[int, str, FileName]) -> tuple[object, ...]:
    number, _, name = member
    derived = "derivatives" in name.path.parts
    return number, derived, len(name.path.name), name.path.name


def _twice(first: FileName, second: FileName, *, stack: bool) -> Problem:
    kind = ProblemKind.DUPLICATE
    other = first.path.name if first.path.parent == second.path.parent else str(first.path)
    if second.sequence is not None and stack:
        reason = f"is a second {second.sequence} beside {other}, and was left out"
        return Problem(second.path, reason, kind=kind)
    same = "name" if fold(stem_of(first.path)) == fold(stem_of(second.path)) else "number"
    return Problem(second.path, f"has the same {same} as {other} and was left out", refused=True, kind=kind)


def _complete(examination: Examination) -> None:
    """Leave only slices that have all channels, in the usual order; a channel that most lack is left out instead."""
    counts: dict[Channel, int] = defaultdict(int)
    for slot in examination.slots:
        for channel in slot.files:
            counts[channel] += 1
    most = max(counts.values())
    usual = sorted((channel for channel, count in counts.items() if 2 * count > most), key=_order)
    whole: list[GroupedSlice] = []
    for slot in examination.slots:
        missing = [str(channel) for channel in usual if channel not in slot.files]
        if missing and slot.files:
            name = next(iter(slot.files.values()))
            reason = f"its slice has no {' and no '.join(missing)}, unlike the others, and was left out"
            examination.problems.append(Problem(name.path, reason, refused=True, kind=ProblemKind.SEQUENCE))
            continue
        for channel, name in slot.files.items():
            if channel not in usual:
                reason = f"most slices have no {channel}: it was left out"
                examination.problems.append(Problem(name.path, reason, kind=ProblemKind.SEQUENCE))
        whole.append(replace(slot, files={channel: slot.files[channel] for channel in usual}))
    examination.slots = whole or [
        GroupedSlice(slot.number, dict(list(slot.files.items())[:1])) for slot in examination.slots[:1]
    ]


def _order(channel: Channel) -> int:
    return ORDER.index(channel) if isinstance(channel, Sequence) else channel or 0


def gaps(numbers: Iterable[int]) -> str:
    """Numbers that are missing between others, such as ``5, 7-9``; empty if there are none."""
    missing = [(before + 1, after - 1) for before, after in pairwise(sorted(numbers)) if after - before > 1]
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in missing)


_LETTER = re.compile(r"(?P<patient>.*[0-9]{3,})(?P<visit>[A-Z])")
_DATED = re.compile(
    r"(?P<patient>.+?)[ _.\-](?P<visit>(?:19|20)[0-9]{2}[ _.\-]?(?:0[1-9]|1[0-2])[ _.\-]?(?:0[1-9]|[12][0-9]|3[01]))"
)


def patients_in(names: Iterable[str]) -> dict[str, str]:
    """Patients of examinations whose names differ in a date or in a letter after a number.

    Returns
    -------
    dict of str to str
        The patient of each name that has such a visit; names that stand alone are left out.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for name in names:
        for pattern in (_DATED, _LETTER):
            match = pattern.fullmatch(name)
            if match is not None:
                found[match["patient"]].append(name)
                break
    return {name: patient for patient, several in found.items() if len(several) > 1 for name in several}
