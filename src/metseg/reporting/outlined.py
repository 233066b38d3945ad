"""Outlines of an examination with what is said of them, and their DICOM objects."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from metseg.curation import CaseView
from metseg.errors import DataError
from metseg.lesions import Lesion, find_midline, measure
from metseg.reporting.structured_report import write_structured_report
from metseg.study import Sequence, Study, writer_of


class DicomResult(StrEnum):
    """A DICOM object on outlines, by its modality."""

    SEG = "SEG"
    REPORT = "SR"
    CONTOURS = "RTSTRUCT"


_FILES = {
    DicomResult.SEG: "segmentation.dcm",
    DicomResult.REPORT: "report.dcm",
    DicomResult.CONTOURS: "contours.rtstruct.dcm",
}


@dataclass(frozen=True, eq=False)
class Outlined:
    """Labels of a study.

    Attributes
    ----------
    study : Study
    labels : ndarray of int, shape (z, y, x)
        0 outside, numbers of lesions inside.
    about : mapping
        What outlined them, as :attr:`metseg.inference.Segmentation.provenance`; ``algorithm_types`` is of each lesion.
    probabilities : ndarray of float, shape (z, y, x), or None
        What a network gave.
    """

    study: Study
    labels: npt.NDArray[np.integer[Any]]
    about: Mapping[str, Any]
    probabilities: npt.NDArray[np.floating[Any]] | None = None

    @classmethod
    def of_case(cls, view: CaseView) -> Self:
        """The outlines of a project's case as they are on the disk.

        Raises
        ------
        UnreadableFileError
            If an image or the prediction is gone or damaged.
        """
        prediction = view.prediction()
        about = {
            **({} if prediction is None else prediction.provenance.model_dump(mode="json")),
            "algorithm_types": {str(label): str(origin) for label, origin in view.origins().items()},
            "status": str(view.status),
        }
        return cls(view.study(), view.labels, about, None if prediction is None else prediction.probabilities)

    @cached_property
    def lesions(self) -> tuple[Lesion, ...]:
        """Every lesion with its measures, in the order of their labels."""
        geometry = self.study.geometry
        image = self.study.voxels[self.study.channel(Sequence.POST)]
        midline = find_midline(image, geometry.orientation, geometry.spacing)
        return tuple(measure(self.labels, spacing=geometry.spacing, probabilities=self.probabilities, midline=midline))


def write_dicom_results(outlined: Outlined, folder: Path, wanted: Collection[DicomResult]) -> dict[DicomResult, Path]:
    """Write the wanted objects into a new folder, the SEG before the structured report, which refers to it.

    Raises
    ------
    DataError
        If a report is wanted without a SEG, the study is of no DICOM series that says where its slices are, or nothing
        can be written.
    """
    if DicomResult.REPORT in wanted and DicomResult.SEG not in wanted:
        raise DataError("a Structured Report refers to the SEG: store that, too")
    folder.mkdir(parents=True)
    files = {kind: folder / name for kind, name in _FILES.items() if kind in wanted}
    for kind, path in files.items():
        if kind is DicomResult.REPORT:
            segmentation = files[DicomResult.SEG]
            write_structured_report(path, outlined.study, outlined.lesions, segmentation, outlined.about)
        else:
            writer_of(path).write(path, outlined.labels, outlined.study, mask=True, about=outlined.about)
    return files
