"""Who is held out, and what cases are called in an export."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable

from metseg.curation.export.manifest import SplitRule, Subset
from metseg.errors import DataError

_RANGE = 1 << 64


def patients_of(cases: Iterable[str], pattern: str) -> dict[str, str]:
    """The patient of each case: the first group of ``pattern`` in its name, or the name where it does not match.

    Raises
    ------
    DataError
        If ``pattern`` is no regular expression with a group.
    """
    try:
        wanted = re.compile(pattern or "(.*)", re.DOTALL)
    except re.error as error:
        raise DataError(f"{pattern}: not a regular expression: {error}") from error
    if not wanted.groups:
        raise DataError(f"{pattern}: put the part of a case's name that names the patient in round brackets")
    matches = {case: wanted.fullmatch(case) for case in cases}
    return {case: (match[1] if match else "") or case for case, match in matches.items()}


def sides_of(patients: Iterable[str], rule: SplitRule) -> dict[str, Subset]:
    """Draw the side of each patient.

    It depends on the patient and the seed alone: a patient stays where they are when others join. About ``held_out``
    of many patients are held out; of two or more at least one, and never all.
    """
    drawn = sorted(set(patients), key=lambda patient: _draw(patient, rule.seed))
    count = sum(_draw(patient, rule.seed) < rule.held_out * _RANGE for patient in drawn)
    count = min(max(count, 1), len(drawn) - 1) if rule.held_out > 0 else 0
    return {patient: Subset.HELD_OUT if place < count else Subset.TRAIN for place, patient in enumerate(drawn)}


def folds_of(patients: Iterable[str], count: int, seed: int) -> list[list[str]]:
    """Part the patients into at most ``count`` parts of sizes that differ by one at most."""
    drawn = sorted(set(patients), key=lambda patient: _draw(patient, seed))
    parts = min(count, len(drawn))
    return [sorted(drawn[number::parts]) for number in range(parts)]


def unique_names(cases: Iterable[str], clean: Callable[[str], str]) -> dict[str, str]:
    """A file name for each case that no other case has, also where upper and lower case are the same."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for case in sorted(cases):
        wanted = free = clean(case) or "case"
        number = 2
        while free.casefold() in taken:
            free, number = f"{wanted}x{number}", number + 1
        taken.add(free.casefold())
        names[case] = free
    return names


def _draw(patient: str, seed: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}:{patient}".encode()).digest()[:8])
