"""Have a study outlined, as a stream of events."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus

import tifffile
from pydantic import ValidationError

from metseg.errors import MetsegError
from metseg.events import Event, Finished, Notice, Progress
from metseg.http_documents import JobDocument, JobState, MaskDocument
from metseg.web.client import JSON, NIFTI, TIFF, ZIP, BusyError, Client, RefusedError, ServerDownError
from metseg.web.formatting import sentence
from metseg.web.result import Downloads, Result, read_pages
from metseg.web.uploads import Upload

#: Seconds for which a busy server is asked again and again.
PATIENCE = 180
_POLL = 0.25


class OutliningError(MetsegError):
    """The server took the study, but did not bring it to an end."""


@dataclass(frozen=True, slots=True)
class JobProgress(Progress):
    """Slices that are ready; ``what`` is the job's state, ``seconds_left`` how long it still takes if that is known."""

    seconds_left: float | None = None


def outline(client: Client, upload: Upload, model: str, clahe: str = "") -> Generator[Event[Result], None, None]:
    """Send ``upload``, wait until ``model`` has outlined it, and fetch all that is shown.

    A busy server is asked again when it says, for :data:`PATIENCE` seconds. The server forgets the study at the end,
    also when this generator is closed earlier.

    Parameters
    ----------
    clahe : str
        Which slices it is shown: on, off or average; what its card says if empty.

    Yields
    ------
    Event
        A Notice whenever the page must wait, JobProgress in slices, Finished with the result.

    Raises
    ------
    ServerDownError, RefusedError
        As the client does; BusyError if the server stays busy.
    OutliningError
        If the job failed or somebody else gave it up.
    """
    job = yield from _start(client, upload, model, clahe)
    try:
        while job.state in (JobState.QUEUED, JobState.RUNNING):
            yield JobProgress(job.done, job.total, job.state, job.seconds_left)
            time.sleep(_POLL)
            job = client.job(job)
        if job.state is not JobState.FINISHED:
            raise OutliningError(job.problem or f"the server has given the study up ({job.state})")
        yield JobProgress(job.total, job.total, job.state)
        yield Finished(_fetch(client, job, upload))
    finally:
        client.forget(job)


def _start(client: Client, upload: Upload, model: str, clahe: str) -> Generator[Notice, None, JobDocument]:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return client.start(upload, model, clahe)
        except BusyError as busy:
            if time.monotonic() + busy.wait > until:
                raise
            reason = sentence(str(busy).partition(";")[0])
            for left in range(busy.wait, 0, -1):
                yield Notice(f"{reason} Asking again in {left} s")
                time.sleep(1)


def _fetch(client: Client, job: JobDocument, upload: Upload) -> Result:
    try:
        document = client.result(job, JSON)
        answer = MaskDocument.model_validate_json(document)
        mask = client.result(job, TIFF)
        shape = answer.image.shape
        return Result(
            name=upload.name,
            answer=answer,
            voxels=read_pages(client.result(job, TIFF, "image"), shape),
            enhanced=read_pages(client.result(job, TIFF, "enhanced"), shape),
            mask=(read_pages(mask, shape)[0] > 0).view("u1"),
            files=Downloads(mask, document, _nifti(client, job), _masks(client, job, answer)),
        )
    except (ValidationError, ValueError, tifffile.TiffFileError) as error:
        raise ServerDownError(f"the server's answer cannot be understood: {error}") from None


def _nifti(client: Client, job: JobDocument) -> bytes | None:
    """The mask as NIfTI; ``None`` from a server that cannot write it."""
    try:
        return client.result(job, NIFTI)
    except RefusedError as error:
        if error.status == HTTPStatus.NOT_ACCEPTABLE:
            return None
        raise


def _masks(client: Client, job: JobDocument, answer: MaskDocument) -> bytes | None:
    """A mask for each file of a zip."""
    with suppress(RefusedError):
        return client.result(job, ZIP) if answer.image.format == "zip" else None
    return None
