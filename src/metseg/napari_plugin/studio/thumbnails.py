"""A slice of a case as a small picture: the guide image with lesions outlined in their colours."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from metseg.preprocessing import display_window

if TYPE_CHECKING:
    from metseg.napari_plugin.studio.open_case import OpenCase

_SIZE = 160


def thumbnail(case: OpenCase, z: int, size: int = _SIZE) -> npt.NDArray[np.uint8]:
    """Draws slice ``z``, counted from 0, with its lesions.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        Red, green and blue; the longer side has ``size`` pixels.
    """
    low, high = display_window(case.guide)
    plane = (case.guide[z].astype(np.float32) - low) / max(high - low, 1e-6)
    grey = (np.clip(plane, 0, 1) * 255).astype(np.uint8)
    spacing = case.study.geometry.spacing or (1.0, 1.0, 1.0)
    height, width = grey.shape[0] * spacing[1], grey.shape[1] * spacing[2]
    scale = size / max(height, width)
    shape = max(round(width * scale), 1), max(round(height * scale), 1)
    picture = np.repeat(cv2.resize(grey, shape, interpolation=cv2.INTER_AREA)[..., None], 3, axis=2)
    labels = cv2.resize(case.labels.data[z].astype(np.float32), shape, interpolation=cv2.INTER_NEAREST)
    for lesion in np.unique(labels[labels > 0]):
        edges, _ = cv2.findContours((labels == lesion).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        colour = [int(255 * part) for part in case.labels.colormap.map(int(lesion))[:3]]
        cv2.drawContours(picture, edges, -1, colour, 1)
    return np.asarray(picture, np.uint8)


def as_html(picture: npt.NDArray[np.uint8], caption: str) -> str:
    """A picture and a line of text for a tooltip."""
    done, stored = cv2.imencode(".png", picture[..., ::-1])
    data = base64.b64encode(stored.tobytes()).decode() if done else ""
    return f'<img src="data:image/png;base64,{data}"><br>{caption}'
