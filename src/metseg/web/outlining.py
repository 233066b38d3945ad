"""Have a study outlined, and fetch all that the page shows of it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from http import HTTPStatus

import tifffile
from pydantic import ValidationError

from metseg.client import JSON, NIFTI_GZ, TIFF, ZIP, Client, JobRequest, RefusedError, outlining
from metseg.errors import ServerDownError
from metseg.events import Event
from metseg.http_documents import MaskDocument
from metseg.web.result import Downloads, NetworkResult, read_pages
from metseg.web.uploads import Upload


def outline(client: Client, upload: Upload, model: str, clahe: str = "") -> Generator[Event[NetworkResult], None, None]:
    """Send ``upload``, wait until ``model`` has outlined it, and fetch all that is shown.

    A server that is gone is not waited for: the page says so, and can be used on.

    Parameters
    ----------
    clahe : str
        Which slices it is shown: on, off or average; what its card says if empty.

    Yields
    ------
    Event
        As :func:`metseg.client.outlining` does; Finished with the result.

    Raises
    ------
    ServerDownError, RefusedError, OutliningError
        As :func:`metseg.client.outlining` does.
    """
    request = JobRequest(upload.content, upload.file_name, upload.sequences, model, clahe)
    return outlining(client, request, lambda client, job: _fetch(client, job, upload), lost_seconds=0)


def _fetch(client: Client, job: str, upload: Upload) -> NetworkResult:
    try:
        document = client.result(job, JSON)
        answer = MaskDocument.model_validate_json(document)
        mask = client.result(job, TIFF)
        shape = answer.image.shape
        return NetworkResult(
            name=upload.name,
            answer=answer,
            voxels=read_pages(client.result(job, TIFF, "image"), shape),
            enhanced=read_pages(client.result(job, TIFF, "enhanced"), shape),
            mask=(read_pages(mask, shape)[0] > 0).view("u1"),
            files=Downloads(mask, document, _nifti(client, job), _masks(client, job, answer)),
        )
    except (ValidationError, ValueError, tifffile.TiffFileError) as error:
        raise ServerDownError(f"the server's answer cannot be understood: {error}") from None


def _nifti(client: Client, job: str) -> bytes | None:
    """The mask as NIfTI; ``None`` from a server that cannot write it."""
    try:
        return client.result(job, NIFTI_GZ)
    except RefusedError as error:
        if error.status == HTTPStatus.NOT_ACCEPTABLE:
            return None
        raise


def _masks(client: Client, job: str, answer: MaskDocument) -> bytes | None:
    """A mask for each file of a zip."""
    with suppress(RefusedError):
        return client.result(job, ZIP) if answer.image.format == "zip" else None
    return None
