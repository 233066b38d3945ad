"""What is to be outlined, and where the outline goes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from metseg.curation import CaseView, Status
from metseg.curation.enums import DONE
from metseg.curation.predicting import provenance_of, was_predicted
from metseg.errors import UnreadableFileError
from metseg.inference import Segmentation
from metseg.server.problems import ProblemError
from metseg.server.slicer.cases import ProjectCases
from metseg.server.slicer.volumes import case_volume, packed
from metseg.server.upload_decoding import Decoded
from metseg.study.formats import mask_volume


@dataclass(frozen=True)
class ImageToOutline:
    """An image to outline.

    Attributes
    ----------
    decoded : Decoded
        Its study.
    case : str
        The case that it is of; empty if it is of none.
    """

    decoded: Decoded
    case: str = ""

    @classmethod
    def of_case(cls, cases: ProjectCases, name: str) -> ImageToOutline:
        """The image of a case; 404, or 500 if its files are gone or have changed."""
        case = cases.view(name)
        try:
            decoded = Decoded("case", case.study())
        except UnreadableFileError as error:
            raise ProblemError(500, f"an image file of this case on the server {error.reason}") from error
        return cls(decoded, name)

    def volume(self, mask: npt.NDArray[np.uint8]) -> bytes:
        """A mask (z, y, x) as ``.nii.gz`` on the grid of the image as the client has it."""
        study = self.decoded.study
        if self.case:
            return case_volume(mask, study.geometry)
        return packed(mask_volume(mask, study.geometry, study.stored))


def keep(cases: ProjectCases, name: str, model: str, segmentation: Segmentation, annotator: str) -> str:
    """Store a prediction in its case, unless a person has worked on the case; the reason if it was not stored.

    The same rule as that of `metseg project predict`.

    500 if the case cannot be written.
    """
    provenance = provenance_of(
        model,
        segmentation.weights_sha256,
        segmentation.preprocessing,
        segmentation.postprocessing,
        segmentation.target,
        clahe_average=segmentation.clahe_average,
    )
    try:
        with cases.session(name, annotator) as session:
            if reason := _reason_against(session):
                return reason
            if not was_predicted(session, provenance):
                session.predict(session.plan_prediction(segmentation.mask), segmentation.probabilities, provenance)
    except ProblemError as problem:
        if problem.status != 409:
            raise
        return "somebody else has the case open"
    return ""


def _reason_against(case: CaseView) -> str:
    if case.status in DONE:
        return f"the case is {case.status}"
    return "somebody has edited the case" if case.status is Status.CORRECTED else ""
