"""Measures of lesions as a DICOM Structured Report: template TID 1500 of DICOM PS3.16, by highdicom.

Each lesion is a measurement group (TID 1411) that refers to its segment in a SEG and has that segment's tracking id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from metseg.errors import DataError, UnreadableFileError
from metseg.lesions import Lesion, Side, sum_of_target_diameters
from metseg.study import Study
from metseg.study.formats.dicom_objects import MANUFACTURER, SourceSeries, algorithm_of, described, write_dataset

#: Codes that no standard has, under a coding scheme of our own.
_SCHEME = "99METSEG"
_SURROUNDING = ("SURROUNDING-VOLUME", "Volume of surrounding FLAIR abnormality")
_MEASURABLE, _SUM = ("RANOBM-SIZE", "Measurable by size (RANO-BM)"), ("RANOBM-SUM", "Sum of target diameters (RANO-BM)")


def write_structured_report(
    path: str | Path, study: Study, lesions: Sequence[Lesion], segmentation: str | Path, about: Mapping[str, Any]
) -> None:
    """Write a structured report of a study's lesions, see :func:`structured_report`."""
    write_dataset(Path(path), structured_report(study, lesions, segmentation, about), about)


def structured_report(
    study: Study, lesions: Sequence[Lesion], segmentation: str | Path, about: Mapping[str, Any]
) -> Any:
    """Make the dataset of a report: volume, both diameters, RANO-BM's size criterion, side, sum of target diameters.

    Parameters
    ----------
    lesions : sequence of Lesion
        In the order of the segments.
    segmentation : str or Path
        The SEG of these lesions, as ``dicom-seg`` is written.
    about : mapping
        What outlined them, as :attr:`metseg.inference.Segmentation.provenance`.

    Returns
    -------
    highdicom.sr.Comprehensive3DSR

    Raises
    ------
    DataError
        If the study is of no DICOM series, or the segmentation cannot be read or has other lesions.
    """
    import highdicom
    from highdicom import sr
    from pydicom.sr.codedict import codes

    source, outlines = SourceSeries.of(study), _segmentation(Path(segmentation), lesions)
    name, version, parameters = algorithm_of(about)
    algorithm = sr.AlgorithmIdentification(
        name, version, [f"{key}={value}" for key, value in parameters.items()], codes.cid7162.ArtificialIntelligence
    )
    device = sr.DeviceObserverIdentifyingAttributes(highdicom.UID(), "metseg", MANUFACTURER, "metseg")
    observer = sr.ObserverContext(codes.DCM.Device, device)
    groups: list[Any] = [_group(lesion, outlines, number, algorithm) for number, lesion in enumerate(lesions, start=1)]
    if (total := sum_of_target_diameters(lesions)) is not None:
        summed = sr.Measurement(sr.CodedConcept(_SUM[0], _SCHEME, _SUM[1]), round(total, 2), codes.UCUM.Millimeter)
        targets = sr.TrackingIdentifier(highdicom.UID(), "target lesions")
        groups.append(sr.MeasurementsAndQualitativeEvaluations(targets, algorithm_id=algorithm, measurements=[summed]))
    report = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=observer),
        procedure_reported=codes.cid100.MRIUnspecifiedBodyRegion,
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
        referenced_images=source.datasets,
    )
    return sr.Comprehensive3DSR(
        [outlines, *source.datasets],
        report,
        highdicom.UID(),
        source.series_number + 2,
        highdicom.UID(),
        1,
        MANUFACTURER,
        is_complete=True,
        series_description=described(about, "metseg report,"),
    )


def _group(lesion: Lesion, outlines: Any, number: int, algorithm: Any) -> Any:
    from highdicom import sr
    from pydicom.sr.codedict import codes

    segment = outlines.SegmentSequence[number - 1]
    laterality = {Side.LEFT: codes.SCT.Left, Side.RIGHT: codes.SCT.Right}
    known = (
        (codes.SCT.Volume, lesion.volume_mm3, codes.UCUM.CubicMillimeter),
        (codes.SCT.LongAxis, lesion.diameter_mm, codes.UCUM.Millimeter),
        (codes.SCT.ShortAxis, lesion.perpendicular_mm, codes.UCUM.Millimeter),
        (
            sr.CodedConcept(_SURROUNDING[0], _SCHEME, _SURROUNDING[1]),
            lesion.surrounding_mm3,
            codes.UCUM.CubicMillimeter,
        ),
    )
    evaluations = []
    if lesion.measurable is not None:
        concept = sr.CodedConcept(_MEASURABLE[0], _SCHEME, _MEASURABLE[1])
        evaluations = [sr.QualitativeEvaluation(concept, codes.SCT.Yes if lesion.measurable else codes.SCT.No)]
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        sr.TrackingIdentifier(segment.TrackingUID, segment.TrackingID),
        referenced_segment=_reference(outlines, number),
        finding_type=codes.SCT.Lesion,
        algorithm_id=None if segment.SegmentAlgorithmType == "MANUAL" else algorithm,
        finding_sites=[sr.FindingSite(codes.SCT.Brain, laterality.get(lesion.side) if lesion.side else None)],
        measurements=[sr.Measurement(what, round(value, 2), unit) for what, value, unit in known if value is not None],
        qualitative_evaluations=evaluations,
    )


def _reference(outlines: Any, number: int) -> Any:
    """Segment ``number`` with the images it was drawn on.

    highdicom's ``from_segmentation`` wants every frame to name its segment; a SEG of one lesion says it once for all.
    """
    from highdicom import sr

    shared = outlines.SharedFunctionalGroupsSequence[0]
    images: dict[str, Any] = {}
    for frame in outlines.PerFrameFunctionalGroupsSequence:
        named = frame.get("SegmentIdentificationSequence") or shared.SegmentIdentificationSequence
        if named[0].ReferencedSegmentNumber != number:
            continue
        for derived in frame.get("DerivationImageSequence") or shared.get("DerivationImageSequence") or []:
            for image in derived.SourceImageSequence:
                frames = image.get("ReferencedFrameNumber")
                listed = None if frames is None else [int(one) for one in np.atleast_1d(frames)]
                images[f"{image.ReferencedSOPInstanceUID} {listed}"] = sr.SourceImageForSegmentation(
                    image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID, listed
                )
    return sr.ReferencedSegment(
        outlines.SOPClassUID, outlines.SOPInstanceUID, number, source_images=list(images.values())
    )


def _segmentation(path: Path, lesions: Sequence[Lesion]) -> Any:
    import highdicom

    try:
        outlines = highdicom.seg.segread(path)
    except Exception as error:  # of whatever class the library has
        raise UnreadableFileError(path, f"cannot be read as a DICOM segmentation: {error}") from error
    tracked = [segment for segment in outlines.SegmentSequence if "TrackingUID" in segment]
    if len(tracked) != len(lesions):
        raise DataError(f"{path}: holds {len(tracked)} lesions, not the {len(lesions)} to report")
    return outlines
