"""Labels that are sent land on the voxels they were drawn on, among the lesions that were there; or nowhere."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import httpx
import nibabel
import numpy as np
import pytest
from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform
from starlette.testclient import TestClient

from metseg.curation import EditKind, Origin, Project, Status

AFFINE = np.diag([-1.1, -0.9, 3.0, 1.0])
AsUpload = Callable[[np.ndarray, np.ndarray | None], bytes]
Send = Callable[..., httpx.Response]


@pytest.fixture
def send(slicer: TestClient) -> Send:
    """Submit a label for ``head_1``."""

    def send(content: bytes, image: str = "head_1", **params: Any) -> httpx.Response:
        told = {"params": json.dumps({"client_id": "rater", **params})}
        return slicer.put("/datastore/label", params={"image": image}, data=told, files={"label": ("l", content)})

    return send


@pytest.fixture
def mask() -> np.ndarray:
    """A label (x, y, z) that is not the same in any other orientation."""
    made = np.zeros((64, 64, 8), np.uint8)
    made[10:20, 30:34, 1:4] = 1
    made[40, 50, 6] = 1
    return made


@pytest.mark.parametrize("axes", ["RAS", "LPS", "SPR", "AIL"])
def test_whichever_way_the_axes_run(
    send: Send, project: Project, mask: np.ndarray, as_upload: AsUpload, axes: str
) -> None:
    turn = ornt_transform(io_orientation(AFFINE), axcodes2ornt(axes))
    affine = AFFINE @ inv_ornt_aff(turn, mask.shape)
    answer = send(as_upload(apply_orientation(mask, turn), affine))
    assert (answer.status_code, answer.json()["voxels"], answer.json()["lesions"]) == (200, mask.sum(), 2)
    assert np.array_equal(project.read_case("head_1").labels.transpose(2, 1, 0) > 0, mask > 0)


def test_a_cut_out_lands_where_it_was_cut_out(
    send: Send, project: Project, mask: np.ndarray, as_upload: AsUpload
) -> None:
    affine = AFFINE.copy()
    affine[:3, 3] = AFFINE[:3, :3] @ (8, 20, 1)
    assert send(as_upload(mask[8:44, 20:60, 1:], affine)).status_code == 200
    assert np.array_equal(project.read_case("head_1").labels.transpose(2, 1, 0) > 0, mask > 0)


def test_lesions_keep_their_ids_and_their_origin(
    send: Send, slicer: TestClient, project: Project, as_upload: AsUpload
) -> None:
    with project.open_case("head_1", annotator="first") as case:
        labels = case.labels.copy()
        labels[1:3, 10:20, 10:20], labels[5:7, 40:50, 40:50] = 7, 9
        case.commit(labels, EditKind.STROKE)
    grown = (labels > 0).astype(np.uint8)
    grown[3, 10:20, 10:20], grown[5:7, 40:50, 40:50], grown[6, 2:4, 2:4] = 1, 0, 1
    assert send(as_upload(grown.transpose(2, 1, 0), AFFINE)).status_code == 200
    after = project.read_case("head_1")
    assert set(after.origins()) == {7, 10}
    assert (after.labels[1:4, 10:20, 10:20] == 7).all()
    assert after.origins()[10] is Origin.MANUAL


def test_an_approved_case_stays_approved_if_nothing_changes(
    send: Send, project: Project, mask: np.ndarray, as_upload: AsUpload
) -> None:
    send(as_upload(mask, AFFINE))
    with project.open_case("head_1") as case:
        case.set_status(Status.APPROVED)
    assert send(as_upload(mask, AFFINE)).json()["status"] == "approved"
    assert send(as_upload(mask * 0, AFFINE)).json()["status"] == "corrected"


def test_sent_back_as_predicted_counts_as_corrected(send: Send, project: Project, as_upload: AsUpload) -> None:
    answer = send(as_upload(np.zeros((64, 64, 8), np.uint8), AFFINE)).json()
    assert (answer["status"], answer["changed"]) == ("corrected", 0)
    assert project.read_case("head_1").status is Status.CORRECTED


def test_what_of_a_pseudonym_cannot_be_shown_is_marked_in_the_journal(
    send: Send, project: Project, mask: np.ndarray, as_upload: AsUpload
) -> None:
    assert send(as_upload(mask, AFFINE), client_id="rater\n\u202e7").status_code == 200
    imports = [one for one in project.read_case("head_1").history() if one.kind is EditKind.IMPORT]
    assert [one.annotator for one in imports] == ["rater\ufffd\ufffd7"]


def test_what_a_person_drew_is_not_replaced_by_a_prediction(
    send: Send, slicer: TestClient, project: Project, mask: np.ndarray, as_upload: AsUpload
) -> None:
    send(as_upload(mask, AFFINE))
    answer = slicer.post("/infer/small?image=head_1&output=json", files={"params": (None, "{}")}).json()
    assert not answer["stored"]
    assert "not stored: somebody has edited the case" in answer["notices"]
    assert np.array_equal(project.read_case("head_1").labels.transpose(2, 1, 0) > 0, mask > 0)


def test_a_case_that_is_open_elsewhere_is_left_alone(
    send: Send,
    slicer: TestClient,
    project: Project,
    mask: np.ndarray,
    as_upload: AsUpload,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("metseg.server.slicer.cases._PATIENCE", 0.2)
    with project.open_case("head_1", annotator="rater 2"):
        answer = send(as_upload(mask, AFFINE))
        inferred = slicer.post("/infer/small?image=head_1&output=json", files={"params": (None, "{}")}).json()
    assert answer.status_code == 409
    assert "rater 2" in answer.json()["detail"]
    assert "not stored: somebody else has the case open" in inferred["notices"]
    assert project.read_case("head_1").summary.voxels == 0


def _shifted(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    affine = AFFINE.copy()
    affine[0, 3] = 0.4
    return mask, affine


def _outside(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    affine = AFFINE.copy()
    affine[2, 3] = 6.0
    return mask, affine


@pytest.mark.parametrize(
    ("change", "status", "word"),
    [
        (_shifted, 422, "geometry"),
        (_outside, 422, "outside"),
        (lambda mask: (mask, np.diag([-1.0, -0.9, 3.0, 1.0])), 422, "geometry"),
        (lambda mask: (mask.astype(np.float32), AFFINE), 422, "whole numbers"),
        (lambda mask: (mask.astype(np.int16) - 1, AFFINE), 422, "whole numbers"),
        (lambda mask: (np.stack([mask] * 3, axis=-1), AFFINE), 422, "overlapping"),
        (lambda mask: (np.stack([mask] * 2, axis=-1), AFFINE), 415, "series"),
        (lambda mask: (mask, None), 422, "where it lies"),
    ],
)
def test_a_label_that_does_not_fit_is_refused(
    send: Send, project: Project, mask: np.ndarray, change: Callable[..., Any], status: int, word: str
) -> None:
    voxels, affine = change(mask)
    image = nibabel.Nifti1Image(voxels, affine)
    answer = send(gzip.compress(image.to_bytes()))
    assert (answer.status_code, word in answer.json()["detail"]) == (status, True), answer.text
    assert project.read_case("head_1").status is Status.TODO


@pytest.mark.parametrize("name", ["FLAIR abnormality", "enhancing lesion", "lesion"])
def test_other_segments_than_those_of_targets_are_refused(
    send: Send, project: Project, mask: np.ndarray, as_upload: AsUpload, name: str
) -> None:
    names = [{"name": "background", "idx": 1}, {"name": name, "idx": 2}, {"name": "Segment_1", "idx": 3}]
    assert send(as_upload(mask * 2, AFFINE), label_info=names).status_code == 422
    assert send(as_upload(mask, AFFINE), label_info="lesion").status_code == 422
    assert project.read_case("head_1").status is Status.TODO
    assert send(as_upload(mask, AFFINE), label_info=names).status_code == 200


def test_two_targets_in_one_case_are_refused(
    send: Send, project: Project, mask: np.ndarray, as_upload: AsUpload
) -> None:
    names = [{"name": "FLAIR abnormality", "idx": 1}, {"name": "enhancing lesion", "idx": 2}]
    both = mask.copy()
    both[tuple(np.argwhere(mask)[0])] = 2
    answer = send(as_upload(both, AFFINE), label_info=names)
    assert (answer.status_code, "one target" in answer.json()["detail"]) == (422, True)
    assert project.read_case("head_1").status is Status.TODO
    assert send(as_upload(mask * 2, AFFINE), label_info=names).status_code == 200
