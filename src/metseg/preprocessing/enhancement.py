"""Contrast limited adaptive histogram equalisation of one slice."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from metseg.preprocessing.config import ClaheConfig


def apply_clahe(image: npt.NDArray[np.float32], config: ClaheConfig) -> npt.NDArray[np.float32]:
    """Equalise one slice.

    The slice is quantised to 256 grey levels first: OpenCV's 16-bit CLAHE spreads its clip limit over 65,536
    bins, which at these tile sizes leaves the image all but unchanged.

    Parameters
    ----------
    image : ndarray of float32, shape (c, y, x)
        Intensities in [0, 1].
    config : ClaheConfig
        Clip limit, tiles and mode; ``luminance`` falls back to ``channel`` unless there are three channels.

    Returns
    -------
    ndarray of float32, shape (c, y, x)
        Intensities in [0, 1].
    """
    clahe = cv2.createCLAHE(config.clip_limit, (config.tiles[1], config.tiles[0]))
    levels = np.rint(image * 255.0).astype(np.uint8)
    if config.mode == "luminance" and len(levels) == 3:
        luma = cv2.cvtColor(np.ascontiguousarray(levels.transpose(1, 2, 0)), cv2.COLOR_RGB2YCrCb)
        luma[..., 0] = clahe.apply(np.ascontiguousarray(luma[..., 0]))
        levels = cv2.cvtColor(luma, cv2.COLOR_YCrCb2RGB).transpose(2, 0, 1)
    else:
        levels = np.stack([clahe.apply(channel) for channel in levels])
    return np.asarray(levels / np.float32(255.0), np.float32)
