"""The numbers by which people call the slices of a study."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import PurePath

from metseg.study.model import Study

#: A file's stem that ends in a number: what is before it, and the number.
NUMBERED_STEM = re.compile(r"(?P<prefix>.*?)[ _.\-]*(?P<number>[0-9]{1,18})")


def number_slices(files: Sequence[tuple[str | PurePath, int]]) -> tuple[int, ...]:
    """Gives each slice the number that its file carries, or counts from 1 if the files carry none.

    Files carry numbers if each holds one slice, all names are alike but for the number at their end, and the numbers
    rise: ``ada_12.tif``, ``ada_13.tif``.

    Parameters
    ----------
    files : sequence of (path, page)
        Where each slice comes from, in their order.
    """
    found = [NUMBERED_STEM.fullmatch(PurePath(path).stem) for path, _ in files]
    matches = [match for match in found if match is not None]
    numbers = [int(match["number"]) for match in matches]
    alike = len({match["prefix"] for match in matches}) == 1 and len(matches) == len(files)
    rising = all(before < after for before, after in pairwise(numbers))
    if alike and rising and all(page == 0 for _, page in files):
        return tuple(numbers)
    return tuple(range(1, len(files) + 1))


def slice_numbers(study: Study) -> tuple[int, ...]:
    """Gives the number of each slice of a study; those of one that was never a file are counted from 1."""
    if not study.slices:
        return tuple(range(1, study.shape[0] + 1))
    return number_slices([(entry.image, entry.page) for entry in study.slices])


def listed_slices(numbers: Iterable[int]) -> str:
    """Writes slice numbers with their noun: ``slice 12``, ``slices 12, 14``."""
    texts = [str(number) for number in numbers]
    return f"slice{'s' * (len(texts) != 1)} {', '.join(texts)}"
