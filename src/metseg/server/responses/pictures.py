"""Pictures of a result."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from metseg.preprocessing import Preprocessor, display_window
from metseg.server.responses.result import Result
from metseg.study import Sequence

_OUTLINE = np.array((255, 176, 0), np.float32)
_FILL = 0.22
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


def overlay(result: Result, z: int) -> npt.NDArray[np.uint8]:
    """FLAIR, or what stands for it, with the mask's outline, uint8 (y, x, 3), red first."""
    study = result.decoded.study
    volume = study.voxels[study.channel(Sequence.FLAIR)]
    low, high = display_window(volume)
    gray = ((volume[z].astype(np.float32) - low) / (high - low)).clip(0, 1) * 255
    picture = np.repeat(gray[..., None], 3, axis=-1)
    mask = result.segmentation.mask[z]
    inside = mask.astype(bool)
    edge = inside & (cv2.erode(mask, _CROSS, borderValue=0) == 0)
    picture[inside] = (1 - _FILL) * picture[inside] + _FILL * _OUTLINE
    picture[edge] = _OUTLINE
    return np.asarray(np.rint(picture), np.uint8)


def enhanced(result: Result, part: slice) -> npt.NDArray[np.uint8]:
    """Slices after the model's window and CLAHE, uint8 (c, z, y, x); one channel if one was sent."""
    config = result.segmentation.preprocessing.with_clahe(True)
    study = result.decoded.study
    preprocessor = Preprocessor(config, study.select([Sequence(name) for name in config.sequences]))
    slices = [preprocessor.enhanced(z) for z in range(study.shape[0])[part]]
    shown = np.rint(np.stack(slices, axis=1) * 255).astype(np.uint8)
    return shown if len(study.sequences) == 3 == len(shown) else shown[:1]
