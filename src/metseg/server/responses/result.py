"""What came of a study: everything that any form of the answer needs."""

from __future__ import annotations

from dataclasses import dataclass

from metseg.inference import Segmentation
from metseg.server.upload_decoding import Decoded


@dataclass(frozen=True, eq=False)
class SegmentedUpload:
    """A segmented upload.

    Attributes
    ----------
    model : str
        The name under which the network was asked for.
    notices : tuple of str
        Warnings and remarks on the image and the prediction.
    """

    decoded: Decoded
    segmentation: Segmentation
    model: str
    notices: tuple[str, ...]

    @property
    def nbytes(self) -> int:
        """Memory it takes."""
        made = self.segmentation
        arrays = (self.decoded.study.voxels, made.mask, made.probabilities, made.disagreement)
        held = sum(array.nbytes for array in arrays if array is not None)
        return held + sum(map(len, self.decoded.headers))


def result_of(decoded: Decoded, segmentation: Segmentation, model: str, notices: list[str]) -> SegmentedUpload:
    """Measure a segmentation."""
    _ = segmentation.measured  # computed here, in the thread that has time for it, and kept
    return SegmentedUpload(decoded, segmentation, model, (*decoded.notices, *notices))
