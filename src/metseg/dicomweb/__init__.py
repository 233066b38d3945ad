"""Studies from a PACS and results back to it, over DICOMweb (DICOM PS3.18) by dicomweb-client."""

from metseg.dicomweb.client import Pacs
from metseg.dicomweb.credentials import AUTHORIZATION, CERTIFICATE, KEY, Credentials, known_credentials, remember
from metseg.dicomweb.records import PacsSeries, PacsStudy, StudyQuery, suggested_series

__all__ = [
    "AUTHORIZATION",
    "CERTIFICATE",
    "KEY",
    "Credentials",
    "Pacs",
    "PacsSeries",
    "PacsStudy",
    "StudyQuery",
    "known_credentials",
    "remember",
    "suggested_series",
]
