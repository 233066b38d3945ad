"""A metseg server from the client's side: where it is, what it can be asked, and studies on their way through it."""

from metseg.client.address import Address, remember_token, server_at
from metseg.client.http import (
    JSON,
    NIFTI,
    NIFTI_GZ,
    TIFF,
    ZIP,
    BusyError,
    Client,
    JobRequest,
    RefusedError,
    UnreachableError,
)
from metseg.client.jobs import JobProgress, OutliningError, Waiting, outlining
from metseg.client.volumes import packed, unpacked

__all__ = [
    "JSON",
    "NIFTI",
    "NIFTI_GZ",
    "TIFF",
    "ZIP",
    "Address",
    "BusyError",
    "Client",
    "JobProgress",
    "JobRequest",
    "OutliningError",
    "RefusedError",
    "UnreachableError",
    "Waiting",
    "outlining",
    "packed",
    "remember_token",
    "server_at",
    "unpacked",
]
