"""The forms an answer can take."""

from metseg.http_documents import JobDocument, JobState, MaskDocument, ModelDocument, ModelList
from metseg.server.responses.documents import as_document, describe_model
from metseg.server.responses.forms import DICOM, GZIP, JSON, NIFTI, PNG, TIFF, ZIP, View, offers
from metseg.server.responses.rendering import RenderedResponse, check_form, render
from metseg.server.responses.result import Result, result_of

__all__ = [
    "DICOM",
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
    "check_form",
    "describe_model",
    "offers",
    "render",
    "result_of",
]
