"""DICOM files without what names a patient: the Basic Application Confidentiality Profile of DICOM PS3.15, Annex E.

What is to be done with each attribute is the table of dicom-anonymizer (PS3.15, 2024b), applied to nested items, too.
Dates are shifted, which is the option Retain Longitudinal Temporal Information With Modified Dates. Pixels stay as they
are: a face can be made out in a head's surface.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from metseg.errors import DataError, MissingExtraError, UnreadableFileError, UnsupportedFileError
from metseg.events import Event, Finished, Progress
from metseg.study import Problem
from metseg.study.formats import is_dicom, named, refused
from metseg.study.formats.dicom_frames import frames_of, sequence_of
from metseg.study.formats.dicom_objects import LABEL_MAP, SEGMENTATION, STRUCTURE_SET

_MR = ("1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1")
_OUTLINES = tuple(one.decode() for one in (SEGMENTATION, LABEL_MAP, STRUCTURE_SET))
_LONGEST_SHIFT_DAYS = 3650
_METHOD = "PS3.15 Basic Profile; dates shifted; faces are not removed"
_CODES = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
)

Rules = Mapping[tuple[int, ...], Callable[[Any, Any], None]]


@dataclass(frozen=True, slots=True)
class Deidentified:
    """What became of files.

    Attributes
    ----------
    written : int
    refused : tuple of Problem
        Files that were left out, and why.
    """

    written: int
    refused: tuple[Problem, ...]


@dataclass(slots=True)
class _Pseudonyms:
    """Identifiers and dates that take the place of true ones: the same for the same, with one key."""

    key: bytes
    rules: Rules
    ranges: tuple[tuple[int, ...], ...] = field(init=False)

    def __post_init__(self) -> None:
        self.ranges = tuple(tag for tag in self.rules if len(tag) > 2)

    def _digest(self, what: str, value: str) -> str:
        return hmac.new(self.key, f"{what} {value}".encode(), hashlib.sha256).hexdigest()

    def uid(self, value: str) -> str:
        """A UID for a UID; those of the standard stay."""
        return value if value.startswith("1.2.840.10008.") else f"2.25.{int(self._digest('uid', value)[:30], 16)}"

    def patient(self, value: str) -> str:
        """A name for a patient."""
        return f"P{self._digest('patient', value)[:10]}"

    def shift(self, patient: str) -> timedelta:
        """By how much a patient's dates are earlier."""
        return timedelta(days=1 + int(self._digest("dates", patient)[:8], 16) % _LONGEST_SHIFT_DAYS)

    def action(self, tag: Any) -> Callable[[Any, Any], None] | None:
        """What the table says of an attribute."""
        for group, element, groups, elements in self.ranges:
            if tag.group & groups == group & groups and tag.element & elements == element & elements:
                return self.rules[group, element, groups, elements]
        return self.rules.get((tag.group, tag.element))


def deidentifying(files: Sequence[Path], out: Path, *, key: bytes | None = None) -> Iterator[Event[Deidentified]]:
    """Write copies of MR images, SEG and RTSTRUCT without what names a patient.

    Identifiers and dates are replaced consistently over all files, and, with the same key, over several runs. Private
    attributes are removed. Names of files and folders are new. Images with burned-in annotation, screenshots, reports
    and all other objects are refused.

    Parameters
    ----------
    files : sequence of Path
    out : Path
        New or empty folder; gets a folder for each patient.
    key : bytes, optional
        What the replacements follow from; by default a new one that nobody knows afterwards.

    Yields
    ------
    Progress, Finished
        The last event carries :class:`Deidentified`.

    Raises
    ------
    MissingExtraError
        If dicom-anonymizer is not installed.
    DataError
        If the folder is not empty.
    """
    try:
        from dicomanonymizer.simpledicomanonymizer import initialize_actions_2024b
    except ImportError as error:
        raise MissingExtraError("dicom-anonymizer", "deidentify") from error
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out}: is not empty; choose another folder")
    pseudonyms = _Pseudonyms(key or secrets.token_bytes(32), initialize_actions_2024b())
    problems: list[Problem] = []
    written = 0
    for done, path in enumerate(files):
        yield Progress(done, len(files), "de-identifying")
        try:
            data = _read(path)
            _replace_all(path, data, pseudonyms)
        except UnreadableFileError as error:
            problems.append(refused(error))
            continue
        folder = out / str(data.PatientID)
        folder.mkdir(parents=True, exist_ok=True)
        written += 1
        data.save_as(folder / f"{written:06d}.dcm", enforce_file_format=True)
    yield Finished(Deidentified(written, tuple(problems)))


def dicom_files(folder: Path) -> list[Path]:
    """All DICOM files in a folder, at any depth, in order."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and is_dicom(path))


def _read(path: Path) -> Any:
    """A dataset that may be written without what names the patient.

    Raises
    ------
    UnsupportedFileError
        If it is of another kind, or its pixels may show text.
    """
    import pydicom

    with named(path, "not a DICOM file, or damaged"):
        data = pydicom.dcmread(path)
        kind = str(data.SOPClassUID)
        if kind not in (*_MR, *_OUTLINES):
            raise UnsupportedFileError(
                path, f"is {data.SOPClassUID.name}, which may hold names; only images and outlines"
            )
        if str(data.get("BurnedInAnnotation") or "NO").upper() != "NO":
            raise UnsupportedFileError(path, "has text in its pixels (Burned In Annotation)")
        if kind in _MR and (data.get("ConversionType") or int(data.get("SamplesPerPixel", 1)) != 1):
            raise UnsupportedFileError(path, "is a secondary capture, whose pixels may show text")
        data.decode()
    return data


def _replace_all(path: Path, data: Any, pseudonyms: _Pseudonyms) -> None:
    from pydicom.dataset import Dataset, FileMetaDataset

    kind = str(data.SOPClassUID)
    patient = str(data.get("PatientID") or data.get("PatientName") or data.get("StudyInstanceUID"))
    description = str(sequence_of(frames_of(path)[0])) if kind in _MR else "outlines"
    syntax = data.file_meta.TransferSyntaxUID
    with named(path, "an attribute cannot be replaced"):
        data.remove_private_tags()
        _replace(data, pseudonyms, pseudonyms.shift(patient))
    data.PatientID = data.PatientName = pseudonyms.patient(patient)
    data.SeriesDescription = description
    data.PatientIdentityRemoved, data.DeidentificationMethod = "YES", _METHOD
    data.LongitudinalTemporalInformationModified = "MODIFIED"
    codes = []
    for value, meaning in _CODES:
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", meaning
        codes.append(code)
    data.DeidentificationMethodCodeSequence = codes
    data.preamble = b"\0" * 128
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID


def _replace(data: Any, pseudonyms: _Pseudonyms, shift: timedelta) -> None:
    """Do with each attribute of a dataset, and of the items in it, what the table says."""
    for element in list(data):
        action = pseudonyms.action(element.tag)
        if element.VR in ("DA", "DT"):
            element.value = [_earlier(str(one), shift) for one in _values(element)] or None
        elif element.VR == "UI":
            found = [pseudonyms.uid(str(one)) for one in _values(element)]
            element.value = found[0] if len(found) == 1 else found
        elif element.VR == "UN" or (action is None and element.VR == "PN"):
            del data[element.tag]
        elif element.VR == "SQ":
            if action is not None and not action.__name__.endswith(("UID", "keep")):
                del data[element.tag]
        elif action is not None and element.VR != "TM":
            action(data, element.tag)
            kept = data.get(element.tag)
            if kept is not None and str(kept.value).upper() in ("ANONYMIZED", "B'ANONYMIZED'"):
                kept.value = "REMOVED" if isinstance(kept.value, str) else b""
        if element.tag in data and element.VR == "SQ":
            for item in data[element.tag].value:
                _replace(item, pseudonyms, shift)


def _values(element: Any) -> list[Any]:
    if element.value in (None, ""):
        return []
    return list(element.value) if element.VM > 1 else [element.value]


def _earlier(value: str, shift: timedelta) -> str:
    """A date, or date and time, so much earlier; empty if it is none."""
    try:
        return f"{datetime.strptime(value[:8], '%Y%m%d') - shift:%Y%m%d}{value[8:]}"
    except (ValueError, OverflowError):
        return ""
