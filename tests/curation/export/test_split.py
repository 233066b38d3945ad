"""Sides depend on the patient alone."""

from __future__ import annotations

import pytest

from metseg.curation.export import SplitRule, Subset
from metseg.curation.export.splitting import folds_of, sides_of, unique_names

PATIENTS = [f"patient {number}" for number in range(200)]


def _held_out(patients: list[str], share: float, seed: int = 0) -> set[str]:
    sides = sides_of(patients, SplitRule(held_out=share, seed=seed))
    return {patient for patient, side in sides.items() if side is Subset.HELD_OUT}


def test_who_is_held_out_stays_held_out_when_others_join() -> None:
    few, many = _held_out(PATIENTS[:80], 0.2), _held_out(PATIENTS, 0.2)
    assert few == many & set(PATIENTS[:80])
    assert 20 <= len(many) <= 60
    assert many != _held_out(PATIENTS, 0.2, seed=1)


@pytest.mark.parametrize(("count", "share", "held_out"), [(1, 0.9, 0), (2, 0.01, 1), (2, 0.99, 1), (9, 0, 0)])
def test_of_two_patients_one_is_held_out_and_never_all(count: int, share: float, held_out: int) -> None:
    assert len(_held_out(PATIENTS[:count], share)) == held_out


def test_every_patient_is_in_one_fold() -> None:
    folds = folds_of(PATIENTS[:13], 5, 0)
    assert sorted(map(len, folds)) == [2, 2, 3, 3, 3]
    assert sorted(name for fold in folds for name in fold) == sorted(PATIENTS[:13])


def test_names_that_would_be_alike_are_told_apart() -> None:
    names = unique_names(["a/b", "A:b", "ax2", "..."], lambda name: "".join(filter(str.isalnum, name)))
    assert len({name.casefold() for name in names.values()}) == 4
    assert all(names.values())
