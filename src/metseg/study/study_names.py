"""What studies are called, and whom they are of."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

from metseg.study.grouping import Examination, patients_in
from metseg.study.model import printable
from metseg.study.naming import fold


def name_examinations(examinations: Iterable[Examination], top: Path) -> None:
    """Sets name and patient of each examination that was found below ``top``.

    One numbered series in a folder takes the folder's name, several take their prefixes; a stack takes its own, or the
    folder's if nothing of it is left. Examinations that are all named after their folder are visits of the patient it
    is named after, and so are those that differ in a date alone.
    """
    at: dict[tuple[Path, str], list[Examination]] = defaultdict(list)
    for one in examinations:
        at[one.home, fold(one.first.visit)].append(one)
    for together in at.values():
        for one in together:
            _name(one, together)
        _disambiguate(together)
    homes: dict[Path, list[Examination]] = defaultdict(list)
    for (home, _), together in at.items():
        homes[home] += together
    for home, together in homes.items():
        here = folder_name(home)
        alone = [one for one in together if one.visit_of is None]
        if home != top and alone == together and all(_begins_with(one.name, here) for one in alone):
            for one in alone:
                one.visit_of = here
    left = {one.name: one for together in homes.values() for one in together if one.visit_of is None}
    for name, patient in patients_in(left).items():
        left[name].visit_of = patient


def _name(one: Examination, together: list[Examination]) -> None:
    first, here = one.first, folder_name(one.home)
    in_visit_folder = "visit folder" in first.rules and bool(first.place)
    if one.stack:
        base = here if in_visit_folder and len(together) == 1 else one.prefix or here
    else:
        by_prefix = len(together) > 1 or "folder of images" in first.rules or bool(first.patient)
        base = one.prefix if by_prefix and one.prefix else here
    patient = first.patient or base
    if first.visit and fold(first.visit) not in fold(base):
        base = f"{base}_{first.visit}"
    one.name = base
    if first.visit or fold(patient) != fold(base):
        one.visit_of = patient


def _disambiguate(together: list[Examination]) -> None:
    """Other names for a series beside a stack, and for sequences beside a file of no known one."""
    stacks = {fold(one.name) for one in together if one.stack and one.channels == (None,)}
    for one in together:
        if fold(one.name) not in stacks or (one.stack and one.channels == (None,)):
            continue
        if len(one.channels) == 1 and one.stack:
            one.name = one.first.raw
        else:
            one.name = f"{one.name}_{'sequences' if one.stack else 'series'}"


def folder_name(folder: Path) -> str:
    """The name of a folder as text."""
    return printable(folder.resolve().name) or "study"


def _begins_with(name: str, patient: str) -> bool:
    """Whether ``name`` is ``patient`` and something after a separator."""
    return re.fullmatch(re.escape(patient) + r"[ _.\-].+", name) is not None


def unique_names(found: list[tuple[str, Path]]) -> list[str]:
    """Put the names of their folders before names that occur twice, as many as it takes.

    Parameters
    ----------
    found : list of (str, Path)
        Name and folder of each study.
    """
    names = [name for name, _ in found]
    deepest = max((len(folder.resolve().parts) for _, folder in found), default=0)
    for above in range(deepest):
        times = Counter(names)
        if len(times) == len(names):
            break
        names = [_above(*study, above) if times[name] > 1 else name for study, name in zip(found, names, strict=True)]
    for index, name in enumerate(names):
        if name in names[:index]:
            names[index] = f"{name}_{index + 1}"
    return names


def _above(name: str, folder: Path, levels: int) -> str:
    folder = folder.resolve()
    parts = folder.parts[1:]
    if name == printable(folder.name):
        parts = parts[:-1]
    return "_".join([*map(printable, parts[max(0, len(parts) - 1 - levels) :]), name])
