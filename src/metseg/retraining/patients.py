"""Who is trained on, who is shown again and who is evaluated on: no patient is on two sides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from metseg.checkpoints import TrainingRecord
from metseg.curation.export import ExportedCase, Subset
from metseg.curation.export.splitting import patients_of
from metseg.errors import DataError
from metseg.study import StudyFiles, file_sha256
from metseg.training import Split

Found = Mapping[str, Sequence[StudyFiles]]


@dataclass(frozen=True, slots=True)
class RetrainingPatients:
    """Names of studies by what they are for.

    Attributes
    ----------
    split : Split
        Who is trained on, and who is evaluated on.
    replayed : frozenset of str
        Those that are trained on again.
    remarks : tuple of str
        What the user must know of it.
    """

    split: Split
    corrected: frozenset[str]
    replayed: frozenset[str]
    patients: dict[str, str]
    remarks: tuple[str, ...]


def assign_split(
    cases: Sequence[ExportedCase], corrected: Found, original: Found, parent: TrainingRecord, pattern: str
) -> RetrainingPatients:
    """Decide the side of every patient.

    A patient of the project is where the export put them, unless the parent was trained on them: such a patient is not
    evaluated on. A patient of the original data is in the evaluation set if the parent's card names them as held out.
    The same patient in both is the project's. Studies are of one patient by ``pattern``, or if they share an
    image.

    Parameters
    ----------
    corrected, original : dict of str to sequence of StudyFiles
        What was found in the export and in the original data.
    parent : TrainingRecord
        Whom the parent was trained on, and who was held out from it.
    pattern : str
        See :class:`metseg.retraining.RetrainingConfig`.

    Raises
    ------
    DataError
        If nobody is left to train on, or a case is not in the export.
    """
    case_of = _cases_by_study(cases, corrected)
    others = {name: files for name, files in original.items() if name not in case_of}
    patients = {name: case.patient for name, case in case_of.items()}
    patients |= patients_of(others, pattern) | _of_the_same_images(cases, others)
    seen = _names_and_patients(parent.patients, pattern)
    known = {case.patient for case in case_of.values() if {case.patient, case.name, case.stem} & seen}
    known |= {patients[name] for name in others if name in seen or patients[name] in seen}
    evaluation_set = {case.patient for case in case_of.values() if case.side is Subset.HELD_OUT} - known
    projects = {case.patient for case in case_of.values()}
    clean = _names_and_patients(parent.held_out, pattern) - seen
    evaluation_set |= {patients[name] for name in others if {name, patients[name]} & clean} - known - projects
    train = tuple(sorted(name for name in patients if patients[name] not in evaluation_set))
    held_out = tuple(sorted(name for name in patients if patients[name] in evaluation_set))
    if not train:
        raise DataError("nobody is left to train on; hold out a smaller share of the patients")
    return RetrainingPatients(
        split=Split(train=train, held_out=held_out),
        corrected=frozenset(case_of),
        replayed=frozenset(train) & frozenset(others),
        patients=patients,
        remarks=tuple(
            _remarks(cases, known, projects & evaluation_set, clean & projects, set(original) & set(case_of), parent)
        ),
    )


def _cases_by_study(cases: Sequence[ExportedCase], corrected: Found) -> dict[str, ExportedCase]:
    """The case of each study in the export; a study of one slice is called like its file, not like its folder."""
    by_stem = {case.stem: case for case in cases}
    found = {name: by_stem.get(files[0].folder.name) for name, files in corrected.items()}
    known = {name: case for name, case in found.items() if case is not None}
    if missing := sorted(by_stem.keys() - {case.stem for case in known.values()}):
        raise DataError(f"cases that were exported cannot be found again: {', '.join(missing)}")
    return known


def _of_the_same_images(cases: Sequence[ExportedCase], others: Found) -> dict[str, str]:
    """Patients of the project whose images are among the others under another name, by one slice of each study."""
    owner = {sha256: case.patient for case in cases for sha256 in case.sources}
    same = {}
    for name, found in others.items():
        for files in found:
            sha256 = file_sha256(files.slices[len(files.slices) // 2].image)
            if sha256 in owner:
                same[name] = owner[sha256]
    return same


def _names_and_patients(names: Iterable[str], pattern: str) -> set[str]:
    return {text for pair in patients_of(names, pattern).items() for text in pair}


def _remarks(
    cases: Sequence[ExportedCase],
    known: set[str],
    evaluation_set: set[str],
    taken: set[str],
    replaced: set[str],
    parent: TrainingRecord,
) -> Iterable[str]:
    wanted = {case.patient for case in cases if case.side is Subset.HELD_OUT}
    if moved := sorted(wanted & known):
        yield f"{_count(moved)} held out by the project but known to the parent, so trained on: {', '.join(moved)}"
    if now_trained := sorted(taken - evaluation_set):
        yield f"{_count(now_trained)} held out from the parent and trained on from now on: {', '.join(now_trained)}"
    if replaced:
        yield f"{_count(replaced)} in the project and in the original data: the corrected masks count"
    if not parent.patients:
        yield "the parent's card does not say whom it was trained on: it may have seen the evaluation set"


def _count(names: Iterable[str]) -> str:
    number = len(list(names))
    return f"{number} patient{' is' if number == 1 else 's are'}"
