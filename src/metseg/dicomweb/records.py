"""Queries of a search in a PACS, and what it finds (QIDO-RS, DICOM PS3.18, 10.6)."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from metseg.study import Sequence
from metseg.study.formats.dicom_frames import described_sequence

_PATIENT, _NAME, _STUDY, _DATE, _STUDY_DESCRIPTION = "00100020", "00100010", "0020000D", "00080020", "00081030"
_MODALITIES, _SERIES_COUNT = "00080061", "00201206"
_SERIES, _NUMBER, _MODALITY, _DESCRIPTION, _COUNT = "0020000E", "00200011", "00080060", "0008103E", "00201209"
#: Attributes that services need not send unless they are requested.
STUDY_FIELDS, SERIES_FIELDS = (_STUDY_DESCRIPTION, _MODALITIES, _SERIES_COUNT), (_DESCRIPTION, _NUMBER, _COUNT)


@dataclass(frozen=True, slots=True)
class StudyQuery:
    """Which studies are looked for; what is empty excludes none.

    Attributes
    ----------
    patient : str
        PatientID; ``*`` stands for anything.
    earliest, latest : date or None
        Of StudyDate, both included.
    description : str
        Is somewhere in the study's description, in any case.
    """

    patient: str = ""
    earliest: datetime.date | None = None
    latest: datetime.date | None = None
    description: str = ""

    @property
    def filters(self) -> dict[str, str]:
        """As the service takes it; MR examinations alone."""
        dates = [f"{day:%Y%m%d}" if day else "" for day in (self.earliest, self.latest)]
        given = {
            "ModalitiesInStudy": "MR",
            "PatientID": self.patient.strip(),
            "StudyDate": "-".join(dates) if any(dates) else "",
            "StudyDescription": self._pattern,
        }
        return {name: value for name, value in given.items() if value}

    def allows(self, study: PacsStudy) -> bool:
        """Whether a study fits: services may ignore a filter on descriptions."""
        return not self._pattern or fnmatchcase(study.description.lower(), self._pattern.lower())

    @property
    def _pattern(self) -> str:
        text = self.description.strip()
        return f"*{text}*" if text else ""


@dataclass(frozen=True, slots=True)
class PacsStudy:
    """An examination in a PACS.

    Attributes
    ----------
    uid : str
        StudyInstanceUID.
    patient, patient_name : str
    date : str
        As DICOM writes it (YYYYMMDD).
    description : str
    modalities : tuple of str
    series : int or None
        How many it has, if that is known.
    """

    uid: str
    patient: str = ""
    patient_name: str = ""
    date: str = ""
    description: str = ""
    modalities: tuple[str, ...] = ()
    series: int | None = None

    @classmethod
    def of(cls, record: dict[str, Any]) -> PacsStudy:
        """From a record of DICOM's JSON."""
        return cls(
            text_of(record, _STUDY),
            text_of(record, _PATIENT),
            text_of(record, _NAME),
            text_of(record, _DATE),
            text_of(record, _STUDY_DESCRIPTION),
            tuple(map(str, _values(record, _MODALITIES))),
            _number(record, _SERIES_COUNT),
        )

    @property
    def day(self) -> str:
        """The date as YYYY-MM-DD; as it is written if it is none."""
        whole = len(self.date) == 8 and self.date.isdecimal()
        return f"{self.date[:4]}-{self.date[4:6]}-{self.date[6:]}" if whole else self.date

    @property
    def title(self) -> str:
        """Patient and date, as cases of several examinations are named; the UID if neither is known."""
        return "_".join(filter(None, (self.patient, self.date))) or self.uid


@dataclass(frozen=True, slots=True)
class PacsSeries:
    """A series in a PACS.

    Attributes
    ----------
    uid : str
        SeriesInstanceUID.
    modality, description : str
    number : int or None
    images : int
        How many it has; 0 if that is not known.
    """

    uid: str
    modality: str = ""
    description: str = ""
    number: int | None = None
    images: int = 0

    @classmethod
    def of(cls, record: dict[str, Any]) -> PacsSeries:
        """From a record of DICOM's JSON."""
        return cls(
            text_of(record, _SERIES),
            text_of(record, _MODALITY),
            text_of(record, _DESCRIPTION),
            _number(record, _NUMBER),
            _number(record, _COUNT) or 0,
        )

    @property
    def sequence(self) -> Sequence:
        """Which sequence it is of, by its description; unknown unless it is MR."""
        return described_sequence(self.description) if self.modality == "MR" else Sequence.UNKNOWN


def suggested_series(series: Iterable[PacsSeries]) -> frozenset[str]:
    """UIDs of the series that a reader of the whole study would use: of one sequence that with most images.

    Where no description says which sequence it is of, all MR series.
    """
    used: dict[Sequence, PacsSeries] = {}
    images = [one for one in series if one.modality == "MR"]
    for one in images:
        kind = one.sequence
        if kind not in (Sequence.UNKNOWN, Sequence.OTHER) and (kind not in used or one.images > used[kind].images):
            used[kind] = one
    return frozenset(one.uid for one in used.values() or images)


def text_of(record: dict[str, Any], tag: str) -> str:
    """The first value of an attribute in DICOM's JSON; of a person's name its alphabetic form."""
    first = next(iter(_values(record, tag)), "")
    return str(first.get("Alphabetic", "") if isinstance(first, dict) else first)


def _values(record: dict[str, Any], tag: str) -> list[Any]:
    return [value for value in (record.get(tag) or {}).get("Value") or [] if value is not None]


def _number(record: dict[str, Any], tag: str) -> int | None:
    written = text_of(record, tag)
    return int(written) if written.lstrip("+-").isdecimal() else None
