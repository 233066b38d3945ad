"""What DICOM objects with outlines (SEG, RTSTRUCT) have in common: which series they are of, and who drew what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from metseg import __version__
from metseg.errors import DataError
from metseg.study.files import file_sha256, write_atomically
from metseg.study.formats.dicom import DicomReader
from metseg.study.formats.dicom_frames import DicomFrame, acquisition_of
from metseg.study.formats.reader import Acquisition, named
from metseg.study.ifd import open_regular
from metseg.study.model import Study
from metseg.study.sidecar import FILE_KEY, write_sidecar

#: SOP classes (DICOM PS3.6, table A-1).
SEGMENTATION: Final = b"1.2.840.10008.5.1.4.1.1.66.4"
LABEL_MAP: Final = b"1.2.840.10008.5.1.4.1.1.66.7"
STRUCTURE_SET: Final = b"1.2.840.10008.5.1.4.1.1.481.3"

MANUFACTURER: Final = "napari-metseg"
#: Added to the number of the source series, so that viewers list the outlines behind the images.
_SERIES_STEP = 1000
#: Attributes that must be there, if empty (DICOM PS3.3, C.7.1.1 and C.7.2.1), and older series lack.
_PATIENT = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex")
_STUDY = ("AccessionNumber", "StudyID", "StudyDate", "StudyTime", "ReferringPhysicianName")
#: Colours of lesions (R, G, B), in turn: the ten of Tableau.
_COLOURS = (
    (214, 39, 40),
    (44, 160, 44),
    (31, 119, 180),
    (255, 127, 14),
    (148, 103, 189),
    (23, 190, 207),
    (227, 119, 194),
    (188, 189, 34),
    (140, 86, 75),
    (127, 127, 127),
)


def is_object(head: bytes, *classes: bytes) -> bool:
    """Whether a file that begins with ``head`` is of one of these SOP classes, by its file meta information."""
    begin = head.find(b"\x02\x00\x02\x00UI", 132)
    size = int.from_bytes(head[begin + 6 : begin + 8], "little")
    return head[128:132] == b"DICM" and begin > 0 and head[begin + 8 : begin + 8 + size].rstrip(b"\0 ") in classes


@dataclass(frozen=True, slots=True)
class Outlines:
    """Which images a SEG or RTSTRUCT is of.

    Attributes
    ----------
    acquisition : Acquisition
        Of the object itself.
    series : frozenset of str
        Identifiers of the series that it refers to.
    made : str
        When: date and time, which sort.
    """

    path: Path
    acquisition: Acquisition
    series: frozenset[str]
    made: str


def read_outlines(path: Path) -> Outlines:
    """Read which images a SEG or RTSTRUCT is of; UnreadableFileError if it is damaged."""
    import pydicom

    fields = """PatientID PatientName StudyInstanceUID StudyDate SeriesInstanceUID SeriesDescription
        ContentDate ContentTime StructureSetDate StructureSetTime ReferencedSeriesSequence
        ReferencedFrameOfReferenceSequence"""
    with open_regular(path) as file, named(path, "not a DICOM file, or damaged"):
        data = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=list(fields.split()))
        made = f"{data.get('ContentDate') or data.get('StructureSetDate') or ''}"
        made += f"{data.get('ContentTime') or data.get('StructureSetTime') or ''}"
        return Outlines(path, acquisition_of(data), frozenset(_series_in(data)), made)


def _series_in(data: Any) -> Iterator[str]:
    for frame in data.get("ReferencedFrameOfReferenceSequence") or []:
        for study in frame.get("RTReferencedStudySequence") or []:
            yield from (str(series.SeriesInstanceUID) for series in study.get("RTReferencedSeriesSequence") or [])
    yield from (str(series.SeriesInstanceUID) for series in data.get("ReferencedSeriesSequence") or [])


@dataclass(frozen=True, eq=False, slots=True)
class SourceSeries:
    """The DICOM series that a study came from.

    Attributes
    ----------
    datasets : list of pydicom.Dataset
        Its headers, one a file; in the order of slices if each has a file.
    frames : tuple of DicomFrame
        Its slices in the order in which they are stored on ``study.stored``.
    """

    datasets: list[Any]
    frames: tuple[DicomFrame, ...]

    @classmethod
    def of(cls, study: Study) -> SourceSeries:
        """Read the headers of the series that ``study`` came from.

        Raises
        ------
        DataError
            If it did not come from a DICOM series that says where its slices are, or that series is gone.
        """
        import pydicom

        stored = study.stored
        if stored is None or stored.format != DicomReader.name:
            raise DataError(f"{study.name}: is no DICOM series, which DICOM outlines refer to; write NIfTI")
        if not stored.geometry.is_placed:
            raise DataError(f"{study.name}: its series does not say where its slices are, or lacks some; write NIfTI")
        images = DicomReader().find(stored.files).images
        frames = next((image.details for image in images if image.files == stored.files), None)
        if frames is None:
            raise DataError(f"{study.name}: its series is not as it was read, in {stored.files[0].parent}")
        if len(stored.files) not in (1, len(frames)):
            raise DataError(f"{study.name}: its series is in several multi-frame files; write NIfTI")
        datasets = [pydicom.dcmread(path, stop_before_pixels=True) for path in stored.files]
        for data in datasets:
            for name in (*_PATIENT, *_STUDY):
                if name not in data:
                    setattr(data, name, "")
            if not data.get("FrameOfReferenceUID"):
                data.FrameOfReferenceUID = pydicom.uid.generate_uid(entropy_srcs=[str(data.SeriesInstanceUID)])
        return cls(datasets, frames)

    @property
    def first(self) -> Any:
        """Header of the first file."""
        return self.datasets[0]

    @property
    def series_number(self) -> int:
        """Number of a series of outlines of this series."""
        return min(int(self.first.get("SeriesNumber") or 0) + _SERIES_STEP, 2**31 - 1)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A lesion to be written, and how it was drawn.

    Attributes
    ----------
    number : int
        Of its segment or ROI, from 1 on.
    label : int
        Its number among the labels.
    name : str
        For users.
    algorithm_type : str
        ``AUTOMATIC``, ``SEMIAUTOMATIC`` or ``MANUAL`` (DICOM PS3.3, C.8.20.2).
    colour : (r, g, b)
    """

    number: int
    label: int
    name: str
    algorithm_type: str
    colour: tuple[int, int, int]


def drawn_lesions(labels: npt.NDArray[np.integer[Any]], about: Mapping[str, Any]) -> list[Drawn]:
    """The lesions of ``labels`` (z, y, x), in the order of their numbers; ``about`` as of :meth:`Writer.write`.

    Unless ``about["algorithm_types"]`` says otherwise, lesions are AUTOMATIC if a model is named, else MANUAL.
    """
    stated: Mapping[Any, str] = about.get("algorithm_types") or {}
    usual = "AUTOMATIC" if about.get("model") else "MANUAL"
    what = str(about.get("target") or "lesion")
    found = [int(label) for label in np.unique(labels) if label]
    return [
        Drawn(
            number, label, f"{what} {label}", str(stated.get(str(label), usual)), _COLOURS[(number - 1) % len(_COLOURS)]
        )
        for number, label in enumerate(found, start=1)
    ]


def numbered(volume: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.integer[Any]]:
    """Labels as they are; of a mask of 0 and 1 each 26-connected lesion gets a number."""
    if volume.max(initial=0) > 1:
        return volume
    labels: npt.NDArray[np.int32] = ndimage.label(volume, np.ones((3, 3, 3), bool), output=np.int32)[0]
    return labels


def algorithm_of(about: Mapping[str, Any]) -> tuple[str, str, dict[str, str]]:
    """Name, version and parameters of what outlined: the network, the software, hash of weights and settings."""
    settings = ("weights_sha256", "threshold", "smallest", "peak", "clahe", "brain", "backend")
    parameters = {name: str(about[name]) for name in settings if about.get(name) is not None}
    return str(about.get("model") or MANUFACTURER), str(about.get("metseg") or __version__), parameters


def described(about: Mapping[str, Any], what: str) -> str:
    """Description of a series of outlines, at most 64 characters."""
    return f"{what} {about.get('target') or 'lesions'} (research use)"[:64]


def write_dataset(path: Path, data: Any, about: Mapping[str, Any] | None) -> None:
    """Write a DICOM file in one step, and ``about`` beside it with its hash; DataError if that cannot be done."""
    with write_atomically(path) as temporary:
        data.save_as(temporary, enforce_file_format=True)
        if about is not None:
            write_sidecar(path, None, {**about, FILE_KEY: file_sha256(temporary)})
