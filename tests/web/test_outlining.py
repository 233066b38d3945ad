"""The page gets from the server what anybody gets, waits its turn, and leaves nothing there."""

from __future__ import annotations

import gzip
import io
import re
from collections.abc import Callable

import cv2
import nibabel
import numpy as np
import pytest
import tifffile

from metseg.client import JSON, NIFTI_GZ, TIFF, Address, Client, JobProgress, RefusedError, Waiting
from metseg.errors import MetsegError, ServerDownError
from metseg.events import Finished, drain
from metseg.http_documents import JobState, MaskDocument
from metseg.study import Study
from metseg.web.outlining import outline
from metseg.web.report import as_report
from metseg.web.uploads import Upload, pack_study
from metseg.web.views.volume import isotropic
from metseg.web.views.waiting import progress_in_words

pytestmark = pytest.mark.slow


def test_a_result_is_what_the_api_answers_and_what_was_sent(
    client: Client, ask: Callable[[bytes, str, str], bytes], head: Study
) -> None:
    upload = pack_study(head)
    result = drain(outline(client, upload, "small"))
    assert result.files.mask == ask(upload.content, "small", TIFF)
    assert result.files.nifti == ask(upload.content, "small", NIFTI_GZ)
    other = MaskDocument.model_validate_json(ask(upload.content, "small", JSON))
    assert (result.answer.lesions, result.answer.image) == (other.lesions, other.image)
    np.testing.assert_array_equal(result.voxels, head.voxels)
    assert result.answer.image.spacing == pytest.approx(head.geometry.spacing)
    assert result.enhanced.shape == head.voxels.shape
    assert {lesion.lesion for lesion in result.answer.lesions} == set(np.unique(result.labels)) - {0}
    for lesion in result.answer.lesions:
        assert lesion.voxels == (result.labels == lesion.lesion).sum()

    report = as_report((result,)).decode()
    assert result.answer.model.weights_sha256 in report
    areas = [(result.labels == number).sum(axis=(1, 2)) for number in range(1, len(result.answer.lesions) + 1)]
    assert report.count("<img") == min(len({int(area.argmax()) for area in areas}), 12)
    assert report.count("<tr>") == 1 + len(result.answer.lesions)
    assert "://" not in report
    assert all(source.startswith("data:") for source in re.findall(r'\b(?:src|href)="([^"]*)', report))


def test_a_busy_server_is_asked_again_and_a_closed_stream_gives_up(client: Client) -> None:
    long = Upload("long", _stack(300), "long.tif")
    first = outline(client, long, "small")
    next(event for event in first if isinstance(event, JobProgress))
    second = outline(client, Upload("short", _stack(2), "short.tif"), "small")
    waiting = next(event for event in second if isinstance(event, Waiting))
    assert waiting.what.startswith("the server is busy; asking again in ")
    first.close()
    events = list(second)
    assert isinstance(events[-1], Finished)
    assert events[-1].result.shape == (2, 64, 64)


def test_the_server_forgets_a_study_that_was_fetched(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = []
    start = Client.start
    monkeypatch.setattr(Client, "start", lambda *given: jobs.append(start(*given)) or jobs[-1])
    drain(outline(client, Upload("a", _stack(1), "a.tif"), "small"))
    with pytest.raises(RefusedError) as refused:
        client.job(jobs[0].id)
    assert refused.value.status in (404, 410)


@pytest.mark.parametrize(("content", "status"), [(b"II*\0 and then nothing", 422), (b"plain text", 415)])
def test_what_cannot_be_read_is_said_in_the_servers_words(client: Client, content: bytes, status: int) -> None:
    with pytest.raises(RefusedError) as refused:
        drain(outline(client, Upload("x", content, "x.tif"), "small"))
    assert refused.value.status == status
    assert len(str(refused.value)) > 10


def test_a_server_that_is_not_there_is_told_from_one_that_refuses(page: object, client: Client) -> None:
    with Client(Address("http://127.0.0.1:9")) as nobody, pytest.raises(ServerDownError, match="does not answer"):
        nobody.models()
    address = Address(page.server.url, "wrong")  # type: ignore[attr-defined]
    with Client(address) as stranger, pytest.raises(RefusedError) as refused:
        stranger.models()
    assert refused.value.status == 401
    assert isinstance(refused.value, MetsegError)


def test_3d_keeps_the_size_of_the_head() -> None:
    filled, steps = isotropic(np.full((10, 20, 30), 7, np.uint8), (5.0, 1.0, 1.0))
    assert filled.shape == (50, 20, 30)
    assert steps == (1.0, 1.0, 1.0)
    assert (filled == 7).all()


@pytest.mark.parametrize("kind", ["png", "jpg", "nii.gz"])
def test_every_format_comes_back_as_slices(client: Client, head: Study, kind: str) -> None:
    flat = np.ascontiguousarray(head.voxels[1, 5])
    if kind == "nii.gz":
        affine = np.diag([-0.9, -0.9, 5.0, 1.0])
        volume = nibabel.Nifti1Image(np.ascontiguousarray(head.voxels[1].transpose(2, 1, 0)), affine)
        content, expected = gzip.compress(volume.to_bytes()), head.voxels[1]
    else:
        content, expected = cv2.imencode(f".{kind}", flat)[1].tobytes(), flat[None]
    result = drain(outline(client, Upload("x", content, f"x.{kind}"), "small"))
    assert result.shape == result.mask.shape == expected.shape
    if kind != "jpg":
        np.testing.assert_array_equal(result.voxels[0], expected)
    assert (result.answer.image.spacing is None) == (kind != "nii.gz")
    assert b"<img" in as_report((result,))


def _stack(depth: int) -> bytes:
    pages = np.random.default_rng(0).integers(0, 255, (depth, 64, 64), np.uint8)
    content = io.BytesIO()
    tifffile.imwrite(content, pages, photometric="minisblack")
    return content.getvalue()


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (JobProgress(0, 36, JobState.QUEUED), "Waiting for the network: other studies are before this one"),
        (JobProgress(8, 36, JobState.RUNNING), "small: 8 of 36 slices"),
        (JobProgress(8, 36, JobState.RUNNING, 21.0), "small: 8 of 36 slices, about 20 s left"),
        (JobProgress(36, 36, JobState.FINISHED), "Fetching the outlines"),
    ],
)
def test_the_page_says_how_long_the_rest_takes(progress: JobProgress, text: str) -> None:
    assert progress_in_words(progress, "small") == text
