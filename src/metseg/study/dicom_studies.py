"""Which DICOM series are one study: headers say so, names of files do not."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable
from collections.abc import Sequence as Seq
from dataclasses import dataclass, replace
from pathlib import Path

from metseg.errors import UnreadableFileError
from metseg.study.formats import Found, Header, refused
from metseg.study.formats.dicom_objects import Outlines, read_outlines
from metseg.study.model import Problem, ProblemKind, Sequence, SliceFile

#: Sequences that networks look at, in the order of channels.
_USED = (Sequence.PRE, Sequence.FLAIR, Sequence.POST, Sequence.T2)


@dataclass(frozen=True, slots=True)
class DicomStudy:
    """Series of one examination.

    Attributes
    ----------
    name : str
        Of the folder if it holds nothing else, else the patient's and the date.
    folder : Path
        That holds all its files.
    visit_of : str or None
        The patient, where there are several examinations.
    entry : SliceFile
        The first file of each series.
    series : tuple of tuples of Path
        All files of each series, in order.
    named : tuple of Sequence
        Which sequence each series is.
    problems : tuple of Problem
        What was left out.
    identifiers : frozenset of str
        SeriesInstanceUID of each series.
    """

    name: str
    folder: Path
    visit_of: str | None
    entry: SliceFile
    series: tuple[tuple[Path, ...], ...]
    named: tuple[Sequence, ...]
    problems: tuple[Problem, ...]
    identifiers: frozenset[str]


def sort_series(found: Found) -> list[DicomStudy]:
    """Put series of one examination together; of those of one sequence the one with most slices is used.

    Where no header says which sequence it is of, each series is a study.
    """
    examinations: dict[tuple[str, str], list[Header]] = defaultdict(list)
    for header in found.images:
        examinations[header.acquisition.patient, header.acquisition.study].append(header)
    groups: list[tuple[list[Header], tuple[Problem, ...]]] = []
    for headers in examinations.values():
        groups += _chosen(headers)
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
            DicomStudy(
                name.replace("/", "-") or "study",
                folder,
                about.patient if several else None,
                SliceFile(first, others=tuple(others)),
                tuple(header.files for header in headers),
                tuple(header.sequences[0] if header.sequences else Sequence.UNKNOWN for header in headers),
                problems,
                frozenset(header.acquisition.series for header in headers),
            )
        )
    return studies


def with_outlines(studies: Seq[DicomStudy], outlines: Iterable[Path], problems: list[Problem]) -> list[DicomStudy]:
    """Give studies the SEG or RTSTRUCT that refers to a series of theirs as their mask: of several the newest.

    Parameters
    ----------
    problems : list of Problem
        Gets those that are damaged, of no study, or older than another.
    """
    of_study: dict[int, list[Outlines]] = defaultdict(list)
    for path in outlines:
        try:
            found = read_outlines(path)
        except UnreadableFileError as error:
            problems.append(refused(error, ProblemKind.MASK))
            continue
        owner = next((place for place, study in enumerate(studies) if found.series & study.identifiers), None)
        if owner is None:
            problems.append(Problem(path, "is a mask without an image", kind=ProblemKind.ORPHAN_MASK))
        else:
            of_study[owner].append(found)
    result = list(studies)
    for place, candidates in of_study.items():
        *older, newest = sorted(candidates, key=lambda one: (one.made, one.path.name))
        said = f"outlines the same series as {newest.path.name}, which is newer and was taken"
        remarks = tuple(Problem(one.path, said, kind=ProblemKind.DUPLICATE) for one in older)
        study = studies[place]
        entry = replace(study.entry, mask=newest.path)
        result[place] = replace(study, entry=entry, problems=(*study.problems, *remarks))
    return result


def _chosen(headers: list[Header]) -> list[tuple[list[Header], tuple[Problem, ...]]]:
    """The series of one examination that are a study, and what is said of the others."""
    used: dict[Sequence, Header] = {}
    for header in headers:
        sequence = header.sequences[0] if header.sequences else Sequence.UNKNOWN
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
    sequence = header.sequences[0] if header.sequences else Sequence.UNKNOWN
    what = header.acquisition.description or "without a description"
    if sequence in used:
        return f"its series ({what}) is a second {sequence} and was left out"
    return f"its series ({what}) is of another sequence than those that are used, and was left out"


def _folder(headers: Seq[Header]) -> Path:
    return Path(os.path.commonpath([path.parent for header in headers for path in header.files]))
