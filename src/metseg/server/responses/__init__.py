"""The forms an answer can take."""

from metseg.http_documents import ModelList
from metseg.server.responses.documents import describe_model
from metseg.server.responses.forms import DICOM, GZIP, JSON, NIFTI, PNG, TIFF, ZIP, View, offers
from metseg.server.responses.rendering import check_form, render
from metseg.server.responses.result import SegmentedUpload, result_of

__all__ = [
    "DICOM",
    "GZIP",
    "JSON",
    "NIFTI",
    "PNG",
    "TIFF",
    "ZIP",
    "SegmentedUpload",
    "ModelList",
    "View",
    "check_form",
    "describe_model",
    "offers",
    "render",
    "result_of",
]
