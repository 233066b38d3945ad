"""DICOM Segmentation (SEG): one segment a lesion, on the frames of the series that it refers to; by highdicom.

See DICOM PS3.3, sections A.51 and C.8.20 (Segmentation IOD and modules), and Herrmann et al. 2022 (highdicom,
doi 10.1007/s10278-022-00683-y).
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Seq
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from metseg.errors import DataError, UnreadableFileError, UnsupportedFileError
from metseg.study.formats.dicom_frames import acquisition_of
from metseg.study.formats.dicom_objects import (
    LABEL_MAP,
    MANUFACTURER,
    SEGMENTATION,
    SourceSeries,
    algorithm_of,
    described,
    drawn_lesions,
    is_object,
    numbered,
    write_dataset,
)
from metseg.study.formats.reader import Found, Header, check_size, named, one_by_one
from metseg.study.geometry import Geometry, Shape, transfer
from metseg.study.model import Study

_DAMAGED = "the DICOM segmentation is damaged"


class DicomSegReader:
    """Reads DICOM SEG: the number of its segment at each voxel, and of fractional ones what is stored."""

    name = "DICOM SEG"
    suffixes = (".dcm",)
    about = "masks: binary, fractional and label map, on the frames that are there; segments as numbered lesions"

    def recognises(self, head: bytes) -> bool:
        """Whether it says that it is a segmentation."""
        return is_object(head, SEGMENTATION, LABEL_MAP)

    def find(self, files: Seq[Path], channels: int | None = None) -> Found:
        """Look at each file by itself."""
        return one_by_one(files, _look)

    def lay_on(self, path: Path, geometry: Geometry, shape: Shape) -> Header:
        """The header of a segmentation, which may lack slices, on the grid of its images.

        Raises
        ------
        UnreadableFileError
            If it is damaged, or its images do not say where they are.
        """
        if not geometry.is_placed:
            raise UnsupportedFileError(path, "says where it lies in the patient, and its image does not")
        pages = tuple((0, z) for z in range(shape[0]))
        return replace(_look(path), geometry=geometry, shape=(1, *shape), pages=pages, details=True)

    def read(self, header: Header) -> npt.NDArray[Any]:
        """Voxels (c, z, y, x); on another grid than its own, those that are not in the file are 0."""
        with named(header.path, _DAMAGED):
            labels = _values(_opened(header.path)).astype(header.dtype, copy=False)
        if not header.details:
            return header.in_order(labels[None])
        assert header.stored is not None  # noqa: S101  (every segmentation has a grid)
        try:
            return transfer(labels, header.stored.geometry, header.geometry, header.shape[1:])[None]
        except DataError as error:
            raise UnreadableFileError(header.path, f"does not lie on the voxels of its image: {error}") from error


def _look(path: Path) -> Header:
    with named(path, _DAMAGED):
        data = _opened(path)
        place = data.get_volume_geometry()
        if place is None or data.coordinate_system is None:
            raise UnsupportedFileError(path, "its frames are not evenly spaced slices of a patient")
        matrix = place.affine.copy()  # from (slice, row, column) to LPS
        matrix[:, :3] = matrix[:, 2::-1]
        stored = Geometry.placed(np.diag([-1.0, -1.0, 1.0, 1.0]) @ matrix)
        z, y, x = (int(size) for size in place.spatial_shape)
    dtype = np.dtype(np.uint8 if data.number_of_segments < 256 else np.uint16)
    check_size(path, (1, z, y, x), dtype)
    about = acquisition_of(data)
    return Header.of_volume(DicomSegReader.name, (path,), 1, (z, y, x), dtype, stored, acquisition=about)


def _opened(path: Path) -> Any:
    import highdicom

    return highdicom.seg.segread(path)


def _values(data: Any) -> npt.NDArray[Any]:
    """What is stored, (z, y, x)."""
    kind = str(data.segmentation_type.value)
    if kind == "FRACTIONAL":
        return np.asarray(data.get_volume(rescale_fractional=False).array.max(axis=-1))
    return np.asarray(data.get_volume(combine_segments=True, skip_overlap_checks=True).array)


class DicomSegWriter:
    """Writes DICOM SEG beside a DICOM series: a mask as BINARY, one segment a lesion; probabilities as FRACTIONAL."""

    name, suffix, whole = "dicom-seg", ".dcm", True

    def write(
        self, path: Path, volume: npt.NDArray[Any], study: Study, *, mask: bool, about: Mapping[str, Any] | None
    ) -> None:
        """Write a segmentation that refers to the study's series; ``volume`` may hold numbers of lesions, too.

        Frames without lesion are left out. ``about["algorithm_types"]`` may say of lesions, by their numbers as text,
        how each was drawn; ``volume`` holds such numbers then.

        Raises
        ------
        DataError
            If the study did not come from a DICOM series that says where it is, or the file cannot be written.
        """
        write_dataset(path, segmentation(volume, study, mask=mask, about=about), about)


def segmentation(volume: npt.NDArray[Any], study: Study, *, mask: bool, about: Mapping[str, Any] | None) -> Any:
    """The dataset that :class:`DicomSegWriter` writes: a :class:`highdicom.seg.Segmentation`."""
    import highdicom
    from highdicom.color import CIELabColor
    from pydicom.sr.codedict import codes

    source, about = SourceSeries.of(study), dict(about or {})
    assert study.stored is not None  # noqa: S101  (it is of a series)
    name, version, parameters = algorithm_of(about)
    algorithm = highdicom.AlgorithmIdentificationSequence(
        name=name, family=codes.cid7162.ArtificialIntelligence, version=version, parameters=parameters or None
    )
    describe = partial(
        highdicom.seg.SegmentDescription,
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.Lesion,
        anatomic_regions=[codes.SCT.Brain],
    )
    labels = numbered(volume) if mask and "algorithm_types" not in about else volume
    segments, planes = [], np.zeros(labels.shape, np.uint8 if labels.max(initial=0) < 256 else np.uint16)
    for lesion in drawn_lesions(labels, about) if mask else []:
        planes[labels == lesion.label] = lesion.number
        manual = lesion.algorithm_type == "MANUAL"
        segments.append(
            describe(
                lesion.number,
                lesion.name,
                algorithm_type=lesion.algorithm_type,
                algorithm_identification=None if manual else algorithm,
                tracking_uid=highdicom.UID(),
                tracking_id=lesion.name,
                display_color=CIELabColor.from_rgb(*lesion.colour),
            )
        )
    if not segments:
        what = f"{about.get('target') or 'lesion'}: {'none' if mask else 'probability'}"
        drawn = "AUTOMATIC" if about.get("model") else "MANUAL"
        segments = [describe(1, what, algorithm_type=drawn, algorithm_identification=algorithm if about else None)]
        planes = np.zeros(labels.shape, np.uint8) if mask else (volume / np.float32(255))
    return highdicom.seg.Segmentation(
        source.datasets,
        _by_frame(study.stored.restore(planes, study.geometry), source),
        highdicom.seg.SegmentationTypeValues.BINARY if mask else highdicom.seg.SegmentationTypeValues.FRACTIONAL,
        segments,
        highdicom.UID(),
        source.series_number,
        highdicom.UID(),
        1,
        MANUFACTURER,
        "metseg",
        version,
        "none",
        content_label="LESIONS" if mask else "PROBABILITIES",
        content_description=described(about, "metseg"),
        series_description=described(about, "metseg"),
        omit_empty_frames=bool(planes.any()),
    )


def _by_frame(planes: npt.NDArray[Any], source: SourceSeries) -> npt.NDArray[Any]:
    """Planes (z, y, x) in the order of the files, or of the frames of the one multi-frame file."""
    if len(source.datasets) > 1 or len(planes) == 1:
        return np.ascontiguousarray(planes)
    count = int(source.first.get("NumberOfFrames") or 1)
    ordered = np.zeros((count, *planes.shape[1:]), planes.dtype)
    ordered[[frame.index for frame in source.frames]] = planes
    return ordered
