"""What came of a study: everything that any form of the answer needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from metseg.inference import Segmentation
from metseg.lesions import Lesion, PostprocessingConfig, Target
from metseg.preprocessing import Clahe, PreprocessingConfig
from metseg.server.upload_decoding import Decoded


@dataclass(frozen=True, eq=False)
class Result:
    """A segmented upload.

    Attributes
    ----------
    mask : ndarray of uint8, shape (z, y, x)
        1 inside lesions.
    probabilities : ndarray of uint8, shape (z, y, x)
        Probability of lesion, 0 to 255 for 0 to 1.
    lesions : tuple of Lesion
        In the order of their first voxel.
    notices : tuple of str
        What must be said.
    about : dict
        What the sidecar of a mask's file says.
    """

    decoded: Decoded
    mask: npt.NDArray[np.uint8]
    probabilities: npt.NDArray[np.uint8]
    lesions: tuple[Lesion, ...]
    notices: tuple[str, ...]
    model: str
    weights_sha256: str
    preprocessing: PreprocessingConfig
    postprocessing: PostprocessingConfig
    clahe: Clahe
    target: Target
    about: dict[str, Any]

    @property
    def nbytes(self) -> int:
        """Memory it takes."""
        return self.decoded.study.voxels.nbytes + self.mask.nbytes + self.probabilities.nbytes


def result_of(decoded: Decoded, segmentation: Segmentation, model: str, notices: list[str]) -> Result:
    """Measure a segmentation."""
    said = [notice.removeprefix(f"{decoded.study.name}: ") for notice in notices]
    return Result(
        decoded,
        segmentation.mask,
        np.rint(segmentation.probabilities * 255).astype(np.uint8),
        segmentation.measured,
        (*decoded.notices, *said),
        model,
        segmentation.weights_sha256,
        segmentation.preprocessing,
        segmentation.postprocessing,
        segmentation.clahe,
        segmentation.target,
        segmentation.provenance,
    )
