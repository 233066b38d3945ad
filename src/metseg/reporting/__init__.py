"""Measures of lesions for clinicians: a DICOM Structured Report, and a page with pictures."""

from metseg.reporting.outlined import DicomResult, Outlined, write_dicom_results
from metseg.reporting.page import write_page
from metseg.reporting.structured_report import structured_report, write_structured_report

__all__ = [
    "DicomResult",
    "Outlined",
    "structured_report",
    "write_dicom_results",
    "write_page",
    "write_structured_report",
]
