"""Patient-wise split, kept in a file that a person may edit before training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ValidationError

from metseg.errors import DataError
from metseg.study import write_text


class Split(BaseModel, frozen=True, extra="forbid"):
    """Names of the patients to train on and of those held out; no patient is in both."""

    train: tuple[str, ...]
    held_out: tuple[str, ...]


#: One name for all patients that hold the same images; who is not in it stands alone.
Joined = Mapping[str, str]


def make_split(patients: Iterable[str], held_out: float, seed: int, joined: Joined | None = None) -> Split:
    """Hold out a random share of the patients: at least one if there are two or more, and never all.

    Patients with one name in ``joined`` count as one.
    """
    groups = same_image_groups(patients, joined)
    names = sorted(groups)
    count = min(max(round(len(names) * held_out), 1), len(names) - 1) if held_out else 0
    return _holding_out(groups, np.random.default_rng(seed).permutation(names)[:count].tolist())


def make_folds(patients: Iterable[str], folds: int, seed: int, joined: Joined | None = None) -> list[Split]:
    """The splits of a cross-validation: every patient is held out in exactly one of them.

    Parameters
    ----------
    folds : int
        How many parts, of sizes that differ by one patient at most.
    seed : int
        Decides who is in which. Where ``1 / folds`` of the patients is a whole number, the first fold is
        ``make_split(patients, 1 / folds, seed)``.
    joined : mapping of str to str, optional
        One name for all patients that hold the same images; they count as one.

    Raises
    ------
    DataError
        If there are fewer patients than folds.
    """
    groups = same_image_groups(patients, joined)
    names = sorted(groups)
    if len(names) < folds:
        raise DataError(f"{len(names)} patients cannot be held out in {folds} folds; choose fewer folds")
    parts = np.array_split(np.random.default_rng(seed).permutation(names), folds)
    return [_holding_out(groups, part.tolist()) for part in parts]


def same_image_groups(patients: Iterable[str], joined: Joined | None) -> dict[str, list[str]]:
    """Patients that count as one, under the first name of each."""
    members: dict[str, list[str]] = {}
    for name in sorted(set(patients)):
        members.setdefault((joined or {}).get(name, name), []).append(name)
    return {names[0]: names for names in members.values()}


def _holding_out(groups: dict[str, list[str]], held_out: list[str]) -> Split:
    held = sorted(name for group in held_out for name in groups[group])
    return Split(train=tuple(sorted({*chain(*groups.values())} - set(held))), held_out=tuple(held))


def read_split(path: Path, patients: Iterable[str], joined: Joined | None = None) -> Split:
    """Read a split and check it against the patients that are there.

    Raises
    ------
    DataError
        If the file is not a split, names unknown patients, or has one, or the same images, on both sides.
    """
    try:
        split = Split.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise DataError(f"{path}: not a split: {error}") from error
    if both := set(split.train) & set(split.held_out):
        raise DataError(f"{path}: on both sides of the split: {', '.join(sorted(both))}")
    if unknown := (set(split.train) | set(split.held_out)) - set(patients):
        raise DataError(f"{path}: no such patient in the data: {', '.join(sorted(unknown))}")
    sides = [{(joined or {}).get(name, name) for name in side} for side in (split.train, split.held_out)]
    if same := sides[0] & sides[1]:
        alike = sorted(name for name in (*split.train, *split.held_out) if (joined or {}).get(name, name) in same)
        raise DataError(f"{path}: the same images are on both sides of the split: those of {', '.join(alike)}")
    if not split.train:
        raise DataError(f"{path}: no patient is left to train on")
    return split


def write_split(path: Path, split: Split) -> None:
    """Write ``split`` as indented JSON, atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, split.model_dump_json(indent=2) + "\n")
