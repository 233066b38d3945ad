"""Which DICOM series are one study: headers say so, names of files do not."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable
from collections.abc import Sequence as Seq
from dataclasses import replace
from pathlib import Path

from metseg.errors import UnreadableFileError
from metseg.study.formats import Header, refused
from metseg.study.formats.dicom_objects import Outlines, read_outlines
from metseg.study.model import Problem, ProblemKind, Sequence, SliceFile, printable
from metseg.study.naming import StudyFiles

#: Sequences that networks look at, in the order of channels.
_USED = (Sequence.PRE, Sequence.FLAIR, Sequence.POST, Sequence.T2)


def dicom_studies(images: Seq[Header], outlines: Iterable[Path], problems: list[Problem]) -> list[StudyFiles]:
    """Put series of one examination together; of those of one sequence the one with most slices is used.

    Where no header says which sequence it is of, each series is a study. Its mask is the SEG or RTSTRUCT that refers
    to a series of it: of several the newest.

    Parameters
    ----------
    images : sequence of Header
        One a series.
    outlines : iterable of Path
        SEG and RTSTRUCT.
    problems : list of Problem
        Gets outlines that are damaged, or of no study.
    """
    studies = _sorted(images)
    identifiers = {header.path: header.acquisition.series for header in images}

    def owned(study: StudyFiles) -> set[str]:
        return {identifiers[files[0]] for files in study.series}

    of_study: dict[int, list[Outlines]] = defaultdict(list)
    for path in outlines:
        try:
            found = read_outlines(path)
        except UnreadableFileError as error:
            problems.append(refused(error, ProblemKind.MASK))
            continue
        owner = next((place for place, study in enumerate(studies) if found.series & owned(study)), None)
        if owner is None:
            problems.append(Problem(path, "is a mask without an image", kind=ProblemKind.ORPHAN_MASK))
        else:
            of_study[owner].append(found)
    for place, candidates in of_study.items():
        *older, newest = sorted(candidates, key=lambda one: (one.made, one.path.name))
        reason = f"outlines the same series as {newest.path.name}, which is newer and was taken"
        remarks = tuple(Problem(one.path, reason, kind=ProblemKind.DUPLICATE) for one in older)
        study = studies[place]
        entry = replace(study.slices[0], mask=newest.path)
        studies[place] = replace(study, slices=(entry,), problems=(*study.problems, *remarks))
    return studies


def _sorted(images: Seq[Header]) -> list[StudyFiles]:
    """The series of each examination, without outlines."""
    examinations: dict[tuple[str, str], list[Header]] = defaultdict(list)
    for header in images:
        examinations[header.acquisition.patient, header.acquisition.study].append(header)
    groups = [group for headers in examinations.values() for group in _chosen(headers)]
    visits = Counter(patient for patient, _ in examinations)
    folders = Counter(_folder(headers) for headers, _ in groups)
    studies = []
    for headers, problems in groups:
        about, folder = headers[0].acquisition, _folder(headers)
        several = visits[about.patient] > 1 and bool(about.patient)
        name = f"{about.patient}_{about.date}".strip("_") if several else folder.name
        if folders[folder] > 1:
            name = "_".join(filter(None, (about.patient or folder.name, about.date, about.description)))
        first, *others = (header.files[0] for header in headers)
        studies.append(
            StudyFiles(
                printable(name.replace("/", "-") or "study"),
                folder,
                (SliceFile(first, others=tuple(others)),),
                problems,
                visit_of=printable(about.patient) if several else None,
                named=tuple(map(_sequence, headers)),
                series=tuple(header.files for header in headers),
            )
        )
    return studies


def _chosen(headers: list[Header]) -> list[tuple[list[Header], tuple[Problem, ...]]]:
    """The series of one examination that are a study, and what is said of the others."""
    used: dict[Sequence, Header] = {}
    for header in headers:
        sequence = _sequence(header)
        if sequence in _USED and (sequence not in used or header.shape[1] > used[sequence].shape[1]):
            used[sequence] = header
    if not used:
        return [([header], ()) for header in headers]
    problems = [
        Problem(header.path, _reason(header, used), kind=ProblemKind.NOT_READ)
        for header in headers
        if header not in used.values()
    ]
    return [([used[sequence] for sequence in _USED if sequence in used], tuple(problems))]


def _reason(header: Header, used: dict[Sequence, Header]) -> str:
    sequence = _sequence(header)
    what = header.acquisition.description or "without a description"
    if sequence in used:
        return f"its series ({what}) is a second {sequence} and was left out"
    return f"its series ({what}) is of another sequence than those that are used, and was left out"


def _folder(headers: Seq[Header]) -> Path:
    return Path(os.path.commonpath([path.parent for header in headers for path in header.files]))


def _sequence(header: Header) -> Sequence:
    return header.sequences[0] if header.sequences else Sequence.UNKNOWN
