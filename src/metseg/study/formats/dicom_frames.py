"""What a DICOM header says of each of its frames."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from metseg.errors import UnreadableFileError, UnsupportedFileError
from metseg.study.formats.reader import Acquisition, named
from metseg.study.ifd import open_regular
from metseg.study.model import Sequence

Vector = tuple[float, float, float]

_MAX_FRAMES = 1 << 14
_FIELDS = """
    SOPClassUID SOPInstanceUID PatientID PatientName StudyInstanceUID SeriesInstanceUID SeriesDescription
    StudyDate AcquisitionDate
    ProtocolName ContrastBolusAgent ImageType EchoTime AcquisitionNumber TemporalPositionIdentifier DiffusionBValue
    InstanceNumber NumberOfFrames Rows Columns SamplesPerPixel PhotometricInterpretation BitsAllocated
    PixelRepresentation RescaleSlope RescaleIntercept ImagePositionPatient ImageOrientationPatient PixelSpacing
    SliceThickness SpacingBetweenSlices SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence
"""
_WORDS = re.compile(r"[a-z]+[0-9]*|[0-9]+|\+")
_T1 = {"t1", "t1w", "mprage", "mpr", "spgr", "fspgr", "bravo", "vibe", "flash", "tfl"}
_T2, _T2_STAR = {"t2", "t2w"}, {"star", "swi", "gre", "hemo", "map", "mapping"}
_CONTRAST = {"+", "c", "gd", "gad", "gado", "post", "postcontrast", "ce", "contrast", "enhanced", "km"}


@dataclass(frozen=True, eq=False)
class DicomFrame:
    """One slice.

    Attributes
    ----------
    path, index
        Its file, and which frame of it.
    key : tuple
        The same for frames that may be of one volume.
    moment : tuple
        Tells frames of one place apart: echo, time, kind.
    size : (y, x)
    dtype : dtype
        As stored.
    slope, intercept : float
        From stored to true values.
    inverted : bool
        Whether white is stored as the lowest value.
    position : (x, y, z) or None
        Of the first pixel, in mm, LPS.
    directions : two vectors, or None
        Along a row (x), and down a column (y).
    pixel : (y, x) or None
        Distance of pixels in mm.
    thickness : float or None
        Distance of slices in mm, else their thickness.
    number : int
        Instance number.
    agent : bool
        Whether contrast agent is named.
    """

    path: Path
    index: int
    instance: str
    key: tuple[Any, ...]
    moment: tuple[Any, ...]
    size: tuple[int, int]
    dtype: np.dtype[Any]
    slope: float
    intercept: float
    inverted: bool
    position: Vector | None
    directions: tuple[Vector, Vector] | None
    pixel: tuple[float, float] | None
    thickness: float | None
    number: int
    acquisition: Acquisition
    agent: bool

    @cached_property
    def spacing(self) -> tuple[float, float, float] | None:
        """Along (z, y, x) in mm, as the header states it; ``None`` unless all three are known."""
        if self.pixel is None or self.thickness is None:
            return None
        return self.thickness, *self.pixel

    def scaled(self, plane: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        """True values of a stored ``plane``, as ``dtype``."""
        if self.inverted:
            limits = np.iinfo(plane.dtype)
            plane = (limits.max - plane.astype(np.int64) + limits.min).astype(plane.dtype)
        if self.slope == 1 and self.intercept == 0:
            return plane.astype(dtype, copy=False)
        return (plane.astype(np.float64) * self.slope + self.intercept).astype(dtype)


def frames_of(path: Path) -> list[DicomFrame]:
    """The frames of a DICOM file; no pixel is read.

    Raises
    ------
    UnreadableFileError
        If it is no DICOM, or damaged.
    UnsupportedFileError
        If it is no grey image.
    """
    import pydicom
    from pydicom.errors import InvalidDicomError

    with open_regular(path) as file, named(path, "not a DICOM file, or damaged"):
        try:
            data = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=list(_FIELDS.split()))
        except InvalidDicomError as error:
            raise UnreadableFileError(path, "not a DICOM file: it has no DICOM preamble") from error
        if not data:
            raise UnreadableFileError(path, "nothing follows its DICOM preamble: cut off; copy the series again")
        if "Rows" not in data or "Columns" not in data:
            kind = getattr(getattr(data, "SOPClassUID", None), "name", "") or "of an unknown kind"
            raise UnsupportedFileError(path, f"holds no image ({kind})")
        if int(data.get("SamplesPerPixel", 1)) != 1:
            raise UnsupportedFileError(path, "a colour image (a screenshot or an overlay?); only grey ones are read")
        count = int(data.get("NumberOfFrames", 1) or 1)
        if not 0 < count <= _MAX_FRAMES or min(int(data.Rows), int(data.Columns)) < 1:
            raise UnreadableFileError(path, f"damaged: {count} frames of {data.Rows} x {data.Columns} pixels")
        groups = list(data.get("PerFrameFunctionalGroupsSequence") or [])
        if groups and len(groups) != count:
            raise UnreadableFileError(path, f"damaged: it declares {count} frames, and describes {len(groups)}")
        if count > 1 and not groups:
            raise UnsupportedFileError(path, f"{count} frames that do not say where they are")
        return [_frame(path, data, groups[index] if groups else None, index) for index in range(count)]


def acquisition_of(data: Any) -> Acquisition:
    """What a header says of the patient and the series."""
    return Acquisition(
        patient=str(data.get("PatientID") or data.get("PatientName") or "").strip(),
        study=str(data.get("StudyInstanceUID") or ""),
        series=str(data.get("SeriesInstanceUID") or ""),
        date=str(data.get("StudyDate") or data.get("AcquisitionDate") or ""),
        description=str(data.get("SeriesDescription") or data.get("ProtocolName") or "").strip(),
    )


def sequence_of(frame: DicomFrame) -> Sequence:
    """Which sequence a frame is of, by the words of its description and its contrast agent."""
    return described_sequence(frame.acquisition.description, agent=frame.agent)


def described_sequence(description: str, *, agent: bool = False) -> Sequence:
    """Which sequence a series is of, by the words of its description; ``agent`` if its contrast agent is named."""
    words = set(_WORDS.findall(description.lower().replace("_", " ")))
    if words & _T1:
        if "pre" in words or "without" in words or "native" in words:
            return Sequence.PRE
        return Sequence.POST if agent or words & _CONTRAST else Sequence.PRE
    if any("flair" in word for word in words) or {"dark", "fluid"} <= words or {"da", "fl"} <= words:
        return Sequence.FLAIR
    if words & _T2 and not words & _T2_STAR:
        return Sequence.T2
    return (
        Sequence.OTHER
        if any(word.startswith(("t2", "dwi", "adc", "swi", "pd")) for word in words)
        else Sequence.UNKNOWN
    )


def _frame(path: Path, data: Any, group: Any, index: int) -> DicomFrame:
    shared = next(iter(data.get("SharedFunctionalGroupsSequence") or []), None)

    def first(sequence: str, field: str) -> Any:
        """A field of the frame: its own group's, else the shared group's, else the file's."""
        for place in (group, shared):
            inner = place.get(sequence) if place is not None else None
            if inner and inner[0].get(field) is not None:
                return inner[0].get(field)
        return data.get(field)

    size = int(data.Rows), int(data.Columns)
    directions = _directions(first("PlaneOrientationSequence", "ImageOrientationPatient"))
    position = _numbers(first("PlanePositionSequence", "ImagePositionPatient"), 3)
    pixel = _numbers(first("PixelMeasuresSequence", "PixelSpacing"), 2)
    steps = [first("PixelMeasuresSequence", field) for field in ("SpacingBetweenSlices", "SliceThickness")]
    thickness = next((float(step) for step in steps if step and 0 < abs(float(step)) < 1000), None)
    acquisition = acquisition_of(data)
    bits = 32 if int(data.get("BitsAllocated", 16)) > 16 else 16 if int(data.get("BitsAllocated", 16)) > 8 else 8
    rounded = None if directions is None else tuple(round(part, 2) for vector in directions for part in vector)
    agent = str(data.get("ContrastBolusAgent") or "").strip().lower()
    return DicomFrame(
        path=path,
        index=index,
        instance=f"{data.get('SOPInstanceUID') or path}#{index}",
        key=(acquisition.patient, acquisition.study, acquisition.series or str(path.parent), size, rounded, pixel),
        moment=(
            str(first("MREchoSequence", "EffectiveEchoTime") or data.get("EchoTime") or ""),
            str(data.get("AcquisitionNumber") or ""),
            str(first("FrameContentSequence", "TemporalPositionIndex") or data.get("TemporalPositionIdentifier") or ""),
            str(first("MRDiffusionSequence", "DiffusionBValue") or ""),
            str(first("MRImageFrameTypeSequence", "FrameType") or data.get("ImageType") or ""),
        ),
        size=size,
        dtype=np.dtype(f"{'i' if int(data.get('PixelRepresentation', 0)) else 'u'}{bits // 8}"),
        slope=float(first("PixelValueTransformationSequence", "RescaleSlope") or 1),
        intercept=float(first("PixelValueTransformationSequence", "RescaleIntercept") or 0),
        inverted=data.get("PhotometricInterpretation") == "MONOCHROME1",
        position=None if position is None else (position[0], position[1], position[2]),
        directions=directions,
        pixel=None if pixel is None or min(pixel) <= 0 else (pixel[0], pixel[1]),
        thickness=None if thickness is None else abs(thickness),
        number=int(data.get("InstanceNumber") or 0),
        acquisition=acquisition,
        agent=agent not in ("", "no", "none", "no contrast"),
    )


def _numbers(values: Any, count: int) -> tuple[float, ...] | None:
    """``count`` finite numbers, or ``None`` if they are not stated."""
    if values is None or len(values) != count:
        return None
    numbers = tuple(float(value) for value in values)
    return numbers if np.isfinite(numbers).all() else None


def _directions(values: Any) -> tuple[Vector, Vector] | None:
    numbers = _numbers(values, 6)
    if numbers is None:
        return None
    across, down = np.array(numbers[:3]), np.array(numbers[3:])
    if abs(np.linalg.norm(across) - 1) > 0.01 or abs(np.linalg.norm(down) - 1) > 0.01 or abs(across @ down) > 0.01:
        return None
    return (numbers[0], numbers[1], numbers[2]), (numbers[3], numbers[4], numbers[5])
