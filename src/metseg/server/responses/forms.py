"""Media types, and what each can show."""

from __future__ import annotations

from enum import StrEnum

JSON = "application/json"
PNG = "image/png"
TIFF = "image/tiff"
GZIP = "application/gzip"
NIFTI = "application/x-nifti"
ZIP = "application/zip"


class View(StrEnum):
    """What an image shows.

    ``mask``: 0 and 255. ``overlay``: the outline on FLAIR. ``image``: what was sent. ``enhanced``: after the model's
    window and CLAHE (a usual CLAHE where the model has none). ``probability``, and of an ensemble ``disagreement``:
    0 to 255 for 0 to 1, as NIfTI the number itself.
    """

    MASK = "mask"
    OVERLAY = "overlay"
    IMAGE = "image"
    ENHANCED = "enhanced"
    PROBABILITY = "probability"
    DISAGREEMENT = "disagreement"


def offers(view: View) -> tuple[str, ...]:
    """Media types that can show ``view``, the usual one first."""
    if view is View.MASK:
        return JSON, TIFF, PNG, GZIP, NIFTI, ZIP
    if view is View.OVERLAY:
        return (PNG,)
    if view in (View.PROBABILITY, View.DISAGREEMENT):
        return PNG, TIFF, GZIP, NIFTI
    return PNG, TIFF
