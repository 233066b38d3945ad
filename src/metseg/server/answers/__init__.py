"""The forms an answer can take."""

from metseg.server.answers.documents import (
    JobDocument,
    JobState,
    MaskDocument,
    ModelDocument,
    ModelList,
    as_document,
    describe_model,
)
from metseg.server.answers.forms import GZIP, JSON, NIFTI, PNG, TIFF, ZIP, View, offers
from metseg.server.answers.rendering import Rendered, check_slice, render
from metseg.server.answers.result import Result, result_of

__all__ = [
    "GZIP",
    "JSON",
    "NIFTI",
    "PNG",
    "TIFF",
    "ZIP",
    "JobDocument",
    "JobState",
    "MaskDocument",
    "ModelDocument",
    "ModelList",
    "Rendered",
    "Result",
    "View",
    "as_document",
    "check_slice",
    "describe_model",
    "offers",
    "render",
    "result_of",
]
