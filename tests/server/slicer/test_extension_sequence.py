"""The requests of Slicer's MONAI Label extension, one after the other.

From its source, plugins/slicer/MONAILabel/MONAILabel.py and MONAILabelLib/client.py of MONAI Label 0.8.5: methods,
paths, order, headers and the bytes of multipart bodies are those of the extension; the client here is httpx.
"""

from __future__ import annotations

import email.parser
import email.policy
import hashlib
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import nibabel
import numpy as np
import pytest
from starlette.testclient import TestClient

from metseg.curation import EditKind, Project, Status

pytestmark = pytest.mark.slow


BOUNDARY = "----------lImIt_of_THE_fIle_eW_$"
WHO = "user-xyz"

Serve = Callable[..., AbstractContextManager[TestClient]]
VolumeIn = Callable[[bytes], nibabel.Nifti1Image]
AsUpload = Callable[[np.ndarray, np.ndarray | None], bytes]


def body_of(fields: dict[str, str], files: dict[str, tuple[str, bytes]]) -> tuple[bytes, dict[str, str]]:
    """As MONAILabelUtils.encode_multipart_formdata: the file's whole path as its name, an empty line at the end."""
    lines: list[bytes] = []
    for key, value in fields.items():
        lines += [
            f"--{BOUNDARY}".encode(),
            f'Content-Disposition: form-data; name="{key}"'.encode(),
            b"",
            value.encode(),
        ]
    for key, (name, content) in files.items():
        disposition = f'Content-Disposition: form-data; name="{key}"; filename="{name}"'
        lines += [f"--{BOUNDARY}".encode(), disposition.encode(), b"Content-Type: application/gzip", b"", content]
    lines += [f"--{BOUNDARY}--".encode(), b""]
    body = b"".join(line + b"\r\n" for line in lines)
    return body, {"content-type": f"multipart/form-data; boundary={BOUNDARY}", "content-length": str(len(body))}


def parts_of(content_type: str, content: bytes) -> dict[str, tuple[str | None, bytes]]:
    """The parts of an answer: name of the field, name of the file, content."""
    head = f"Content-Type: {content_type}\r\nMIME-Version: 1.0\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + content)
    return {
        str(part.get_param("name", header="content-disposition")): (part.get_filename(), part.get_payload(decode=True))
        for part in message.iter_parts()
    }


def test_next_sample_segment_correct_submit(
    slicer: TestClient, project: Project, volume_in: VolumeIn, as_upload: AsUpload
) -> None:
    # "Fetch server info": every request is preceded by /auth/
    assert slicer.get("/auth/").json()["enabled"] is False
    info = slicer.get("/info/").json()
    assert not info.get("config")
    assert slicer.get("/train/?check_if_running=true").status_code == 404

    # "Next Sample"
    asked = {**info["strategies"]["first"]["config"], "client_id": WHO}
    sample = slicer.post("/activelearning/first", json=asked).json()
    image = slicer.get(f"/datastore/image?image={sample['id']}").content
    assert sample["checksum"] == f"SHA256:{hashlib.sha256(image).hexdigest()}"
    assert slicer.get("/datastore/?output=all").json()["objects"][sample["id"]]["labels"] == {}

    # "Run" of Auto Segmentation
    params = {
        **info["models"]["small"]["config"],
        "result_extension": ".nrrd",
        "result_dtype": "uint8",
        "client_id": WHO,
    }
    body, headers = body_of({"params": json.dumps(params)}, {})
    answer = slicer.post(f"/infer/small?image={sample['id']}", content=body, headers=headers)
    parts = parts_of(answer.headers["content-type"], answer.content)
    assert json.loads(parts["params"][1])["label_names"] == {"FLAIR abnormality": 1}
    assert (parts["image"][0] or "").endswith(".nii.gz")
    mask = volume_in(parts["image"][1])
    assert np.allclose(mask.affine, volume_in(image).affine)

    # "Submit Label"
    drawn = np.asarray(mask.dataobj).copy()
    drawn[10:20, 10:20, 3] ^= 1
    fields = {"params": json.dumps({"label_info": [{"name": info["labels"][0], "idx": 1}], "client_id": WHO})}
    body, headers = body_of(fields, {"label": ("/tmp/slicer/tmp1.nii.gz", as_upload(drawn, mask.affine))})
    answer = slicer.put(f"/datastore/label?image={sample['id']}", content=body, headers=headers)
    assert (answer.status_code, answer.json()["label"]) == (200, sample["id"])
    assert slicer.get("/info/").json()["datastore"]["completed"] == 1

    case = project.read_case(sample["id"])
    assert case.status is Status.CORRECTED
    assert np.array_equal(case.labels.transpose(2, 1, 0) > 0, drawn > 0)
    assert [(one.kind, one.annotator) for one in case.history() if isinstance(one.kind, EditKind)] == [
        (EditKind.MODEL, WHO),
        (EditKind.IMPORT, WHO),
    ]

    # "Next Sample" again: another one
    assert slicer.post("/activelearning/first", json=asked).json()["id"] != sample["id"]


def test_a_case_comes_with_what_was_drawn_in_it(slicer: TestClient, project: Project, volume_in: VolumeIn) -> None:
    """Setting "Original Labels": the extension loads the label `original`, and submits it later."""
    with project.open_case("head_1") as case:
        labels = case.labels.copy()
        labels[2, 5:9, 5:9] = 1
        case.commit(labels, EditKind.STROKE)
    listed = slicer.get("/datastore/?output=all").json()["objects"]["head_1"]["labels"]["original"]["info"]
    assert list(listed["params"]["label_names"]) == ["FLAIR abnormality"]
    answer = slicer.get("/datastore/label?label=head_1&tag=original")
    assert 'filename="label.nii.gz"' in answer.headers["content-disposition"]
    assert np.array_equal(np.asarray(volume_in(answer.content).dataobj).transpose(2, 1, 0), labels > 0)


def test_a_volume_that_was_loaded_from_disk(
    slicer: TestClient, project: Project, volume_in: VolumeIn, as_upload: AsUpload
) -> None:
    """File, Add Data: a session to segment it; submitting a label adds the image first."""
    volume = slicer.get("/datastore/image?image=head_1").content
    made = slicer.put("/session/", files={"files": ("tmp.nii.gz", volume)}, data={"client_id": WHO}).json()
    assert slicer.get(f"/session/{made['session_id']}").json()["name"] == made["session_id"]
    body, headers = body_of({"params": json.dumps({"client_id": WHO})}, {})
    answer = slicer.post(f"/infer/small?image=MRHead&session_id={made['session_id']}", content=body, headers=headers)
    mask = volume_in(parts_of(answer.headers["content-type"], answer.content)["image"][1])
    assert np.allclose(mask.affine, volume_in(volume).affine)
    assert {case.name for case in project.cases()} == {"head_1", "head_2", "head_3"}

    body, headers = body_of({"params": json.dumps({"client_id": WHO})}, {"file": ("/tmp/tmp.nii.gz", volume)})
    for _ in range(2):  # the same image again is no error
        added = slicer.put("/datastore/?image=MRHead", content=body, headers=headers)
        assert added.json() == {"image": "MRHead"}
    label = {"label": ("/tmp/l.nii.gz", as_upload(np.asarray(mask.dataobj), mask.affine))}
    body, headers = body_of({"params": json.dumps({"client_id": WHO, "label_info": []})}, label)
    saved = slicer.put("/datastore/label?image=MRHead", content=body, headers=headers).json()
    assert saved["voxels"] == np.count_nonzero(project.read_case("MRHead").labels) == np.asarray(mask.dataobj).sum()
    assert slicer.delete(f"/session/{made['session_id']}").status_code == 200
    assert slicer.get(f"/session/{made['session_id']}").status_code == 404


def test_segments_are_named_after_their_target(serve: Serve, two_targets_folder: Path) -> None:
    """Slicer offers one segment a target, and names what a network outlined, and what was stored, after its own."""
    with serve(weights=two_targets_folder, model="auto") as client:
        info = client.get("/info/").json()
        assert sorted(info["labels"]) == ["FLAIR abnormality", "enhancing lesion"]
        assert info["models"]["metastases"]["labels"] == {"enhancing lesion": 1}
        assert info["models"]["best"]["labels"] == {"FLAIR abnormality": 1}
        assert set(info["models"]["auto"]["labels"]) == set(info["labels"])
        for image, model, target in (
            ("head_1", "metastases", "enhancing lesion"),
            ("head_2", "best", "FLAIR abnormality"),
            ("head_3", "auto", "FLAIR abnormality"),
        ):
            answer = client.post(f"/infer/{model}?image={image}&output=json", files={"params": (None, "{}")})
            assert answer.status_code == 200, answer.text
            assert answer.json()["label_names"] == {target: 1}
            listed = client.get("/datastore/?output=all").json()["objects"][image]["labels"]["original"]["info"]
            assert listed["params"]["label_names"] == {target: 1}
