"""The numbers by which people call the slices of a study."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import PurePath

from metseg.study.formats import stem_of
from metseg.study.model import Study

_DIGITS = re.compile(r"[0-9]+")
_LONGEST = 18
_BESIDE = " _.-()[]#"
#: Words before the number of a slice, wherever it stands in the name.
_SLICE = re.compile(r"(?:^|[ _.\-(])(?:slices?|slc|sl|frame|z)[ _.\-(#]*$", re.IGNORECASE)
#: How many slices there are is not the number of one.
_OF = re.compile(r"[ _.\-]*(?:of|/)[ _.\-]*$", re.IGNORECASE)


def split_numbers(stems: Sequence[str]) -> list[tuple[str, int | None]]:
    """Parts names of slices that lie together into what they have in common and the number of the slice.

    The number is the one after a word such as ``slice``; else the one at the end; else the last of those that differ
    between names that are alike otherwise, if no letter touches it.

    Parameters
    ----------
    stems : sequence of str
        Names of files, without suffix, and without what marks a sequence or mask.

    Returns
    -------
    list of (str, int or None)
        For each name what is before and behind the number, and the number; ``None`` if it has none.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for index, stem in enumerate(stems):
        groups[_DIGITS.sub("0", stem)].append(index)
    result: list[tuple[str, int | None]] = [(stem, None) for stem in stems]
    for members in groups.values():
        found = [list(_DIGITS.finditer(stems[index])) for index in members]
        place = _place([stems[index] for index in members], found)
        if place is None:
            continue
        for index, runs in zip(members, found, strict=True):
            result[index] = _without(stems[index], runs[place])
    return result


def _place(stems: list[str], found: list[list[re.Match[str]]]) -> int | None:
    """Which of the numbers in names that are alike otherwise is that of the slice."""
    first, runs = stems[0], found[0]
    short = [place for place in range(len(runs)) if all(len(runs[place][0]) <= _LONGEST for runs in found)]
    named = [place for place in short if _SLICE.search(first[: runs[place].start()])]
    if named:
        return named[-1]
    possible = [place for place in short if _stands_apart(first, runs[place]) and not _is_count(first, runs[place])]
    if not possible:
        return None
    last = possible[-1]
    if _ends(first, runs[last]):
        return last
    differing = [place for place in possible if len({runs[place][0] for runs in found}) > 1]
    return differing[-1] if differing else None


def _stands_apart(stem: str, run: re.Match[str]) -> bool:
    after = stem[run.end() : run.end() + 1]
    before = stem[run.start() - 1 : run.start()] if run.start() else ""
    return after in _BESIDE and (before in _BESIDE or _ends(stem, run))


def _ends(stem: str, run: re.Match[str]) -> bool:
    return not stem[run.end() :].strip(_BESIDE)


def _is_count(stem: str, run: re.Match[str]) -> bool:
    return bool(_OF.search(stem[: run.start()]) and _DIGITS.search(stem[: run.start()]))


def _without(stem: str, run: re.Match[str]) -> tuple[str, int]:
    """What is left of a name, the same for all slices of it, and the number."""
    before, after = stem[: run.start()].rstrip(_BESIDE), stem[run.end() :].strip(_BESIDE)
    after = re.sub(r"^(?:of|/)[ _.\-]*[0-9]+[ _.\-]*", "", after, flags=re.IGNORECASE)
    return (f"{before}_{after}" if before and after else before or after), int(run[0])


def number_slices(files: Sequence[tuple[str | PurePath, int]]) -> tuple[int, ...]:
    """Gives each slice the number that its file carries, or counts from 1 if the files carry none.

    Files carry numbers if each holds one slice, all names are alike but for one number, and the numbers rise:
    ``ada_12.tif``, ``ada_13.tif``; ``slice (1).tif``, ``slice (2).tif``.

    Parameters
    ----------
    files : sequence of (path, page)
        Where each slice comes from, in their order.
    """
    parts = split_numbers([stem_of(PurePath(path)) for path, _ in files])
    numbers = [number for _, number in parts if number is not None]
    alike = len({rest for rest, _ in parts}) == 1 and len(numbers) == len(files)
    rising = all(before < after for before, after in pairwise(numbers))
    if alike and rising and all(page == 0 for _, page in files):
        return tuple(numbers)
    return tuple(range(1, len(files) + 1))


def slice_numbers(study: Study) -> tuple[int, ...]:
    """Gives the number of each slice of a study; those of one that was never a file are counted from 1."""
    if not study.slices:
        return tuple(range(1, study.shape[0] + 1))
    return number_slices([(entry.image, entry.page) for entry in study.slices])
