"""RT Structure Set (RTSTRUCT): closed contours in patient coordinates on the slices of a series, one ROI a lesion.

See DICOM PS3.3, sections A.19, C.8.8.5 and C.8.8.6. A hole is joined to the contour around it by a line there and back
(keyhole), as C.8.8.6.3 asks of CLOSED_PLANAR. On reading, contours of one ROI on one slice are combined by exclusive
or, which gives the same for keyholes, for inner contours of their own and for CLOSEDPLANAR_XOR.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Seq
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import contourpy
import numpy as np
import numpy.typing as npt

from metseg.errors import DataError, UnreadableFileError, UnsupportedFileError
from metseg.study.formats.dicom_objects import (
    MANUFACTURER,
    STRUCTURE_SET,
    Drawn,
    SourceSeries,
    algorithm_of,
    described,
    drawn_lesions,
    is_object,
    numbered,
    write_dataset,
)
from metseg.study.formats.reader import Found, Header, check_size, named
from metseg.study.geometry import Affine, Geometry, Shape
from metseg.study.model import Problem, ProblemKind, Sequence, Study

Points = npt.NDArray[np.float64]

#: Part of a slice's distance by which a contour may be off its slice.
_OFF = 0.1
#: ROIs of these types (RT ROI Interpreted Type, 3006,00A4) are lesions; those of others are organs, margins, marks.
_LESIONS = ("", "GTV")
_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")


@dataclass(frozen=True, slots=True)
class _Region:
    """A region of interest: its number as a label, and its contours, each (n, 3) in mm, LPS."""

    label: int
    contours: tuple[Points, ...]


class RtStructReader:
    """Reads the contours of RTSTRUCT as labels on the grid of the images that they were drawn on."""

    name = "RTSTRUCT"
    suffixes = (".rtstruct.dcm",)
    about = "contours beside the DICOM series that they refer to; regions of no type or of type GTV are lesions"

    def recognises(self, head: bytes) -> bool:
        """Whether it says that it is a structure set."""
        return is_object(head, STRUCTURE_SET)

    def find(self, files: Seq[Path], channels: int | None = None) -> Found:
        """Refuse each: contours have no grid of their own."""
        reason = "holds contours, which are read with the series that they refer to; open the folder of both"
        kind = ProblemKind.UNSUPPORTED
        return Found((), tuple(Problem(path, reason, refused=True, kind=kind) for path in files))

    def lay_on(self, path: Path, geometry: Geometry, shape: Shape) -> Header:
        """The header of the contours as labels on the grid of their images.

        Raises
        ------
        UnreadableFileError
            If it is damaged, holds no lesion's contour, or its images do not say where they are.
        """
        if not geometry.is_placed:
            raise UnsupportedFileError(path, "says where it lies in the patient, and its image does not")
        with named(path, "the DICOM structure set is damaged"):
            regions, others = _regions(path)
        dtype = np.dtype(np.uint8 if len(regions) < 256 else np.uint16)
        check_size(path, (1, *shape), dtype)
        reason = f"regions that are no lesions by their type were left out: {', '.join(others)}"
        return Header(
            self.name,
            (path,),
            (1, *shape),
            dtype,
            geometry,
            tuple((0, z) for z in range(shape[0])),
            (Sequence.UNKNOWN,),
            problems=(Problem(path, reason, kind=ProblemKind.MASK),) if others else (),
            details=tuple(regions),
        )

    def read(self, header: Header) -> npt.NDArray[Any]:
        """Voxels (c, z, y, x): a voxel is in a region if its centre is within the contours."""
        labels = np.zeros(header.shape[1:], header.dtype)
        from_lps = np.linalg.inv(np.diag([-1.0, -1.0, 1.0, 1.0]) @ header.geometry.drawn)
        for region in header.details:
            inside = np.zeros(labels.shape, np.bool_)
            for contour in region.contours:
                _fill(header.path, inside, contour @ from_lps[:3, :3].T + from_lps[:3, 3])
            labels[inside] = region.label
        return labels[None]


def _regions(path: Path) -> tuple[list[_Region], list[str]]:
    """Regions that are lesions, and the names of the others."""
    import pydicom

    data = pydicom.dcmread(path)
    types = {
        int(one.ReferencedROINumber): str(one.get("RTROIInterpretedType") or "")
        for one in data.get("RTROIObservationsSequence") or []
    }
    names = {int(one.ROINumber): str(one.get("ROIName") or "") for one in data.get("StructureSetROISequence") or []}
    regions: list[_Region] = []
    others: list[str] = []
    for roi in data.get("ROIContourSequence") or []:
        number = int(roi.ReferencedROINumber)
        contours = [one for one in roi.get("ContourSequence") or [] if one.get("ContourGeometricType") in _CLOSED]
        if types.get(number, "").upper() in _LESIONS:
            found = (np.array(one.ContourData, np.float64).reshape(-1, 3) for one in contours)
            points = [one for one in found if len(one) > 2]
            if not all(np.isfinite(one).all() for one in points):
                raise UnreadableFileError(path, "damaged: a contour has a point that is nowhere")
            regions.append(_Region(len(regions) + 1, tuple(points)))
        else:
            others.append(names.get(number) or str(number))
    return regions, others


def _fill(path: Path, inside: npt.NDArray[np.bool_], points: Points) -> None:
    """Exchange inside and outside (z, y, x) within a contour (n, 3) of voxels (x, y, z)."""
    from matplotlib.path import Path as Polygon

    points = points[:, ::-1]
    across = int(np.argmin(np.ptp(points, axis=0)))
    place = float(points[:, across].mean())
    slice_ = round(place)
    if np.ptp(points[:, across]) > _OFF or abs(place - slice_) > _OFF or not 0 <= slice_ < inside.shape[across]:
        raise UnreadableFileError(path, "has contours that do not lie on slices of the image")
    plane = np.moveaxis(inside, across, 0)[slice_]
    corners = np.delete(points, across, axis=1)
    low = np.maximum(np.floor(corners.min(axis=0)), 0).astype(int)
    high = np.minimum(np.ceil(corners.max(axis=0)) + 1, plane.shape).astype(int)
    if (high <= low).any():
        raise UnreadableFileError(path, "has contours outside of the image")
    centres = np.stack(np.meshgrid(*map(np.arange, low, high), indexing="ij"), axis=-1)
    within = Polygon(corners).contains_points(centres.reshape(-1, 2)).reshape(centres.shape[:2])
    plane[low[0] : high[0], low[1] : high[1]] ^= within


class RtStructWriter:
    """Writes RTSTRUCT beside a DICOM series: contours half-way between voxels inside and outside, one ROI a lesion."""

    name, suffix, whole = "rtstruct", ".rtstruct.dcm", True

    def write(
        self, path: Path, volume: npt.NDArray[Any], study: Study, *, mask: bool, about: Mapping[str, Any] | None
    ) -> None:
        """Write contours; ``volume`` and ``about`` as for :class:`metseg.study.formats.dicom_seg.DicomSegWriter`.

        Raises
        ------
        DataError
            If it is no mask, the study did not come from a DICOM series that says where it is, or the file cannot be
            written.
        """
        if not mask:
            raise DataError(f"{path.name}: contours hold no probabilities; write them as dicom-seg or nifti")
        write_dataset(path, structure_set(volume, study, about=about), about)


def structure_set(volume: npt.NDArray[Any], study: Study, *, about: Mapping[str, Any] | None) -> Any:
    """The dataset that :class:`RtStructWriter` writes: a :class:`pydicom.Dataset`."""
    from pydicom.dataset import Dataset
    from pydicom.uid import generate_uid

    source, about = SourceSeries.of(study), dict(about or {})
    stored = study.stored
    to_lps = None if stored is None else stored.geometry.lps
    assert stored is not None and to_lps is not None  # noqa: S101, PT018  (a source is placed)
    data, now = _begun(source), datetime.now()
    name, version, parameters = algorithm_of(about)
    data.Manufacturer, data.ManufacturerModelName, data.SoftwareVersions = MANUFACTURER, "metseg", version
    data.SeriesInstanceUID, data.SeriesNumber = generate_uid(), source.series_number + 1
    data.SeriesDescription, data.StructureSetLabel = described(about, "metseg"), "LESIONS"
    data.StructureSetName = data.SeriesDescription
    data.StructureSetDate, data.StructureSetTime = f"{now:%Y%m%d}", f"{now:%H%M%S}"
    data.ApprovalStatus, data.OperatorsName = "UNAPPROVED", ""
    labels = volume if "algorithm_types" in about else numbered(volume)
    lesions = drawn_lesions(labels, about)
    planes = stored.restore(labels, study.geometry)
    if about.get("model"):
        settings = "; ".join([name, *(f"{key}={value}" for key, value in parameters.items())])
        data.StructureSetDescription = settings[:1024]
    rois: list[tuple[Any, Any, Any]] = []
    for lesion in lesions:
        roi, contours, seen = Dataset(), Dataset(), Dataset()
        roi.ROINumber = contours.ReferencedROINumber = lesion.number
        seen.ObservationNumber = seen.ReferencedROINumber = lesion.number
        roi.ReferencedFrameOfReferenceUID = source.first.FrameOfReferenceUID
        roi.ROIName, roi.ROIGenerationAlgorithm = lesion.name, lesion.algorithm_type
        if about.get("model"):
            roi.ROIGenerationDescription = f"{name} {parameters.get('weights_sha256', '')[:16]}"[:64]
        contours.ROIDisplayColor = list(lesion.colour)
        contours.ContourSequence = list(_contours(planes, lesion, source, to_lps))
        seen.RTROIInterpretedType, seen.ROIInterpreter = "", None
        rois.append((roi, contours, seen))
    data.StructureSetROISequence = [roi for roi, _, _ in rois]
    data.ROIContourSequence = [contours for _, contours, _ in rois]
    data.RTROIObservationsSequence = [seen for _, _, seen in rois]
    return data


def _begun(source: SourceSeries) -> Any:
    """A structure set of the source's patient and study that refers to its series, as yet without regions."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ImplicitVRLittleEndian, RTStructureSetStorage, generate_uid

    data, first = Dataset(), source.first
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian  # of which a contour may have more than 64 kB
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = RTStructureSetStorage
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    data.Modality, data.InstanceNumber = "RTSTRUCT", 1
    copied = ("SpecificCharacterSet", "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber")
    for name in (*copied, "StudyID", "StudyDate", "StudyTime", "ReferringPhysicianName", "StudyInstanceUID"):
        if name in first:
            setattr(data, name, first[name].value)
    data.FrameOfReferenceUID, data.PositionReferenceIndicator = first.FrameOfReferenceUID, None
    frame, study, series = Dataset(), Dataset(), Dataset()
    frame.FrameOfReferenceUID = first.FrameOfReferenceUID
    study.ReferencedSOPClassUID, study.ReferencedSOPInstanceUID = "1.2.840.10008.3.1.2.3.1", first.StudyInstanceUID
    series.SeriesInstanceUID = first.SeriesInstanceUID
    series.ContourImageSequence = [_image(one) for one in source.datasets]
    study.RTReferencedSeriesSequence = [series]
    frame.RTReferencedStudySequence = [study]
    data.ReferencedFrameOfReferenceSequence = [frame]
    return data


def _image(data: Any, frame: int | None = None) -> Any:
    from pydicom.dataset import Dataset

    image = Dataset()
    image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = data.SOPClassUID, data.SOPInstanceUID
    if frame is not None:
        image.ReferencedFrameNumber = frame + 1
    return image


def _contours(planes: npt.NDArray[Any], lesion: Drawn, source: SourceSeries, to_lps: Affine) -> Iterator[Any]:
    """The contours of one lesion on the slices (z, y, x) as they are stored."""
    from pydicom.dataset import Dataset
    from pydicom.valuerep import format_number_as_ds

    single = len(source.datasets) > 1 or len(planes) == 1
    for z in np.flatnonzero((planes == lesion.label).any(axis=(1, 2))).tolist():
        for outline in _polygons(planes[z] == lesion.label):
            points = np.column_stack([outline, np.full(len(outline), z)]) @ to_lps[:3, :3].T + to_lps[:3, 3]
            contour = Dataset()
            image = source.datasets[z] if single else source.first
            contour.ContourImageSequence = [_image(image, None if single else source.frames[z].index)]
            contour.ContourGeometricType, contour.NumberOfContourPoints = "CLOSED_PLANAR", len(points)
            contour.ContourData = [format_number_as_ds(float(value)) for value in np.round(points, 4).ravel()]
            yield contour


def _polygons(plane: npt.NDArray[np.bool_]) -> Iterator[Points]:
    """The outlines (n, 2) of a mask (y, x) as points (x, y), half-way between pixels, holes joined by keyholes."""
    rows, columns = np.flatnonzero(plane.any(axis=1)), np.flatnonzero(plane.any(axis=0))
    part = plane[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    lines = contourpy.contour_generator(z=np.pad(part, 1).astype(np.float64), fill_type="OuterOffset")
    corner = np.array([columns[0] - 1, rows[0] - 1], np.float64)
    polygons: Any = lines.filled(0.5, 2.0)
    for points, offsets in zip(*polygons, strict=True):
        outer, *holes = (points[begin:end][:-1] for begin, end in zip(offsets[:-1], offsets[1:], strict=True))
        for hole in holes:
            outer = _keyhole(outer, hole)
        yield outer + corner


def _keyhole(outer: Points, hole: Points) -> Points:
    """One closed line around ``outer`` and ``hole``, joined where they are nearest."""
    distances = np.linalg.norm(outer[:, None] - hole[None], axis=2)
    at, to = np.unravel_index(int(distances.argmin()), distances.shape)
    there = np.roll(hole, -int(to), axis=0)
    return np.concatenate([outer[: at + 1], there, there[:1], outer[at:]])
