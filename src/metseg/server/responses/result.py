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
    probabilities : ndarray of float32, shape (z, y, x)
        Probability of lesion.
    disagreement : ndarray of float32, shape (z, y, x), or None
        Of an ensemble, see :class:`metseg.inference.Segmentation`.
    lesions : tuple of Lesion
        In the order of their first voxel.
    notices : tuple of str
        What must be said.
    about : dict
        What the sidecar of a mask's file says.
    """

    decoded: Decoded
    mask: npt.NDArray[np.uint8]
    probabilities: npt.NDArray[np.float32]
    disagreement: npt.NDArray[np.float32] | None
    lesions: tuple[Lesion, ...]
    notices: tuple[str, ...]
    model: str
    weights_sha256: str
    preprocessing: PreprocessingConfig
    postprocessing: PostprocessingConfig
    clahe: Clahe
    target: Target
    device: str
    about: dict[str, Any]

    @property
    def nbytes(self) -> int:
        """Memory it takes."""
        apart = 0 if self.disagreement is None else self.disagreement.nbytes
        sent = self.decoded.study.voxels.nbytes + sum(map(len, self.decoded.headers))
        return sent + self.mask.nbytes + self.probabilities.nbytes + apart


def result_of(decoded: Decoded, segmentation: Segmentation, model: str, notices: list[str]) -> Result:
    """Measure a segmentation."""
    return Result(
        decoded,
        segmentation.mask,
        segmentation.probabilities,
        segmentation.disagreement,
        segmentation.measured,
        (*decoded.notices, *notices),
        model,
        segmentation.weights_sha256,
        segmentation.preprocessing,
        segmentation.postprocessing,
        segmentation.clahe,
        segmentation.target,
        segmentation.device,
        segmentation.provenance,
    )
