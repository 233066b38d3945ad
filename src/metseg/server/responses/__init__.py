"""The forms an answer can take."""

from metseg.http_documents import JobDocument, JobState, MaskDocument, ModelDocument, ModelList
from metseg.server.responses.documents import as_document, describe_model
from metseg.server.responses.forms import GZIP, JSON, NIFTI, PNG, TIFF, ZIP, View, offers
from metseg.server.responses.rendering import RenderedResponse, check_slice, render
from metseg.server.responses.result import Result, result_of

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
    "RenderedResponse",
    "Result",
    "View",
    "as_document",
    "check_slice",
    "describe_model",
    "offers",
    "render",
    "result_of",
]
