"""Media types, and what each can show."""

from __future__ import annotations

from enum import StrEnum

JSON = "application/json"
PNG = "image/png"
TIFF = "image/tiff"
GZIP = "application/gzip"
NIFTI = "application/x-nifti"
ZIP = "application/zip"
DICOM = "application/dicom"


class View(StrEnum):
    """What an image shows.

    ``mask``: 0 and 255. ``overlay``: the outline on FLAIR. ``image``: what was sent. ``enhanced``: after the model's
    window and CLAHE (a usual CLAHE where the model has none). ``probability``, and of an ensemble ``disagreement``:
    0 to 255 for 0 to 1, as NIfTI the number itself. ``contours``: an RTSTRUCT. ``report``: a SEG, and a Structured
    Report that refers to it.
    """

    MASK = "mask"
    OVERLAY = "overlay"
    IMAGE = "image"
    ENHANCED = "enhanced"
    PROBABILITY = "probability"
    DISAGREEMENT = "disagreement"
    CONTOURS = "contours"
    REPORT = "report"


def offers(view: View) -> tuple[str, ...]:
    """Media types that can show ``view``, the usual one first."""
    match view:
        case View.MASK:
            return JSON, TIFF, PNG, GZIP, NIFTI, ZIP, DICOM
        case View.OVERLAY:
            return (PNG,)
        case View.PROBABILITY:
            return PNG, TIFF, GZIP, NIFTI, DICOM
        case View.DISAGREEMENT:
            return PNG, TIFF, GZIP, NIFTI
        case View.CONTOURS:
            return (DICOM,)
        case View.REPORT:
            return (ZIP,)
        case _:
            return PNG, TIFF
