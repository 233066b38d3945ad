"""The mask that comes back is the one that ``metseg predict`` writes, whatever its form."""

from __future__ import annotations

import gzip
import io
import json
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import nibabel
import numpy as np
import numpy.typing as npt
import pytest
from starlette.testclient import TestClient

from metseg.study import Study, read_tiff, write_tiff


@pytest.fixture
def predict(weights: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the command ``metseg predict``."""
    from metseg.cli import main

    def run(source: Path, output: Path, *more: str) -> None:
        path = str(weights / "small" / "model.safetensors")
        arguments = ["metseg", "predict", "--input", str(source), "--output", str(output), "--model", path, *more]
        monkeypatch.setattr(sys, "argv", arguments)
        with pytest.raises(SystemExit) as leaving:
            main()
        assert leaving.value.code in (0, None)

    return run


def ask(client: TestClient, content: bytes, accept: str = "application/json", **query: object) -> Any:
    answer = client.post("/predict", files={"file": ("any", content)}, headers={"accept": accept}, params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == accept
    return answer


def unpacked(document: dict[str, Any]) -> npt.NDArray[np.uint8]:
    mask = np.zeros(document["image"]["shape"], np.uint8)
    for run in document["mask"]["runs"].split():
        start, length = map(int, run.split("+"))
        mask.reshape(-1)[start : start + length] = 1
    return mask


def test_a_slice_gets_the_bytes_that_the_command_writes(
    client: TestClient, slice_tiff: Any, predict: Any, tmp_path: Path
) -> None:
    path = slice_tiff(tmp_path)
    predict(path, tmp_path / "out")
    written = (tmp_path / "out/x_mask.tif").read_bytes()
    assert ask(client, path.read_bytes(), "image/tiff").content == written
    assert 0 < read_tiff(tmp_path / "out/x_mask.tif").mean() < 255


def test_threshold_and_smallest_are_heeded_as_by_the_command(
    client: TestClient, slice_tiff: Any, predict: Any, tmp_path: Path
) -> None:
    path = slice_tiff(tmp_path)
    predict(path, tmp_path / "out", "--threshold", "0.4", "--smallest", "40")
    answer = ask(client, path.read_bytes(), "image/tiff", threshold=0.4, smallest=40)
    assert answer.content == (tmp_path / "out/x_mask.tif").read_bytes()


def test_a_stack_gets_the_bytes_that_the_command_writes_and_keeps_its_spacing(
    client: TestClient, predict: Any, head: Study, tmp_path: Path
) -> None:
    import tifffile

    path = tmp_path / "stack.tif"
    details = {"spacing": 5.0, "unit": "mm", "axes": "ZYX"}
    tifffile.imwrite(path, head.voxels[1], imagej=True, resolution=(2.0, 2.0), metadata=details)
    predict(path, tmp_path / "out")
    answer = ask(client, path.read_bytes(), "image/tiff")
    assert answer.content == (tmp_path / "out/stack_mask.tif").read_bytes()
    assert [float(step) for step in answer.headers["x-voxel-spacing"].split()] == [5.0, 0.5, 0.5]
    assert json.loads((tmp_path / "out/stack_mask.json").read_text())["spacing"] == [5.0, 0.5, 0.5]


def test_a_zip_of_slices_gets_the_files_that_the_command_writes(
    client: TestClient, zipped: Any, slice_tiff: Any, predict: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "in" / "patient"
    folder.mkdir(parents=True)
    for z in range(10):
        slice_tiff(folder, z, f"patient_{z + 1}.tif")
        write_tiff(folder / f"patient_{z + 1}_mask.tif", np.zeros((64, 64), np.uint8))
    (folder / "notes.txt").write_text("no image")
    predict(tmp_path / "in", tmp_path / "out")
    answer = ask(client, zipped(folder), "application/zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    written = {path.relative_to(tmp_path / "out").as_posix(): path for path in (tmp_path / "out").rglob("*_mask.*")}
    assert contents == {name: path.read_bytes() for name, path in written.items()}
    assert len(contents) == 20


def test_all_forms_hold_the_same_mask(client: TestClient, head: Study, tmp_path: Path) -> None:
    path = tmp_path / "stack.tif"
    write_tiff(path, head.voxels.transpose(1, 2, 3, 0))
    content = path.read_bytes()
    document = ask(client, content).json()
    mask = unpacked(document)
    assert document["mask"]["voxels"] == mask.sum() > 0
    assert sum(lesion["voxels"] for lesion in document["lesions"]) == mask.sum()
    (tmp_path / "mask.tif").write_bytes(ask(client, content, "image/tiff").content)
    assert np.array_equal(read_tiff(tmp_path / "mask.tif")[:, 0], mask * 255)
    png = cv2.imdecode(np.frombuffer(ask(client, content, "image/png", slice=5).content, np.uint8), -1)
    assert np.array_equal(png, mask[5] * 255)
    plain = ask(client, content, "application/x-nifti").content
    assert gzip.decompress(ask(client, content, "application/gzip").content) == plain
    volume = nibabel.Nifti1Image.from_bytes(plain)
    assert np.array_equal(np.asanyarray(volume.dataobj).transpose(2, 1, 0), mask)


def test_who_answered_is_said(client: TestClient, slice_tiff: Any, weights: Path, tmp_path: Path) -> None:
    import hashlib

    content = slice_tiff(tmp_path).read_bytes()
    for name in ("small", "other"):
        answer = ask(client, content, model=name)
        digest = hashlib.sha256((weights / name / "model.safetensors").read_bytes()).hexdigest()
        assert answer.headers["x-model-name"] == name
        assert answer.headers["x-model-sha256"] == digest
        model = answer.json()["model"]
        assert (model["name"], model["weights_sha256"], model["target"]) == (name, digest, "FLAIR abnormality")
        assert (model["device"], model["ensemble"]) == ("cpu", False)
        assert model["backend"].startswith("torch ")
        assert answer.headers["x-request-id"] == answer.json()["request_id"]


def test_requests_at_the_same_time_get_what_they_get_alone(client: TestClient, slice_tiff: Any, tmp_path: Path) -> None:
    slices = [slice_tiff(tmp_path, z, f"x_{z}.tif").read_bytes() for z in range(10)]
    alone = [ask(client, content, "image/tiff").content for content in slices]
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(lambda n: ask(client, slices[n % 10], "image/tiff").content, range(48)))
    assert together == [alone[n % 10] for n in range(48)]
    assert len(set(alone)) > 5


@pytest.mark.parametrize(("ending", "channels"), [(".png", 3), (".png", 1), (".jpg", 3), (".jpg", 1)])
def test_pictures_are_read_like_tiffs(
    client: TestClient, head: Study, tmp_path: Path, ending: str, channels: int
) -> None:
    pixels = np.ascontiguousarray(head.voxels[:, 5].transpose(1, 2, 0) if channels == 3 else head.voxels[1, 5])
    if pixels.dtype == np.uint16 and ending == ".jpg":
        pixels = (pixels >> 8).astype(np.uint8)
    _, content = cv2.imencode(ending, pixels[..., ::-1] if channels == 3 else pixels)
    decoded = cv2.imdecode(content, cv2.IMREAD_UNCHANGED)
    write_tiff(tmp_path / "same.tif", np.ascontiguousarray(decoded[..., ::-1]) if channels == 3 else decoded)
    same = ask(client, (tmp_path / "same.tif").read_bytes()).json()
    found = ask(client, content.tobytes()).json()
    assert found["image"]["sequences"] == same["image"]["sequences"]
    assert found["mask"] == same["mask"]
    assert bool(found["notices"]) == (channels == 1)


@pytest.mark.parametrize("axes", ["LPS", "RAS", "ASL", "PIR"])
def test_a_volume_gets_its_mask_where_its_voxels_are(client: TestClient, head: Study, axes: str) -> None:
    """Equal physical points, not equal arrays: the same head stored in four ways."""
    turned = nibabel.affines.from_matvec(tilt() @ np.diag([-0.9, -1.1, 4.0]), [80, 90, -30])
    stored = nibabel.Nifti1Image(head.voxels[1].transpose(2, 1, 0), turned)
    wanted = nibabel.orientations.ornt_transform(
        nibabel.orientations.io_orientation(turned), nibabel.orientations.axcodes2ornt(axes)
    )
    source = stored.as_reoriented(wanted)
    source.set_qform(source.affine, 1)
    source.set_sform(source.affine, 2)
    answer = ask(client, gzip.compress(source.to_bytes()), "application/gzip")
    volume = nibabel.Nifti1Image.from_bytes(gzip.decompress(answer.content))
    assert volume.shape == source.shape
    assert np.array_equal(volume.affine, nibabel.Nifti1Image.from_bytes(source.to_bytes()).affine)
    assert (int(volume.header["qform_code"]), int(volume.header["sform_code"])) == (1, 2)
    back = nibabel.orientations.apply_orientation(
        np.asanyarray(volume.dataobj),
        nibabel.orientations.ornt_transform(
            nibabel.orientations.axcodes2ornt(axes), nibabel.orientations.axcodes2ornt("LPS")
        ),
    )
    document = ask(client, source.to_bytes()).json()
    assert np.allclose(document["image"]["spacing"], [4.0, 1.1, 0.9], rtol=1e-5)
    assert np.array_equal(back.transpose(2, 1, 0), unpacked(document))
    reference = ask(client, stored.to_bytes()).json()
    assert document["mask"] == reference["mask"]
    assert reference["mask"]["voxels"] > 0


def tilt() -> npt.NDArray[np.float64]:
    """A rotation by a few degrees about x."""
    angle = np.deg2rad(7)
    return np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])


def test_real_valued_volumes_get_the_mask_of_their_stored_values(client: TestClient, head: Study) -> None:
    values = head.voxels[1].transpose(2, 1, 0)
    whole = nibabel.Nifti1Image(values.astype(np.uint16), None)
    real = nibabel.Nifti1Image((values.astype(np.float32) - 17.5) * 0.37, None)
    answers = [ask(client, image.to_bytes()).json() for image in (whole, real)]
    assert answers[0]["mask"]["voxels"] > 0
    masks = [unpacked(answer) for answer in answers]
    assert (masks[0] != masks[1]).mean() < 0.002
    assert answers[0]["notices"] == answers[1]["notices"]
    assert answers[0]["image"]["spacing"] is None


def test_views_show_what_they_say(client: TestClient, head: Study, tmp_path: Path) -> None:
    path = tmp_path / "stack.tif"
    write_tiff(path, head.voxels.transpose(1, 2, 3, 0))
    content = path.read_bytes()
    (tmp_path / "image.tif").write_bytes(ask(client, content, "image/tiff", view="image").content)
    assert np.array_equal(read_tiff(tmp_path / "image.tif"), head.voxels.swapaxes(0, 1))
    (tmp_path / "chance.tif").write_bytes(ask(client, content, "image/tiff", view="probability").content)
    document = ask(client, content).json()
    probabilities = read_tiff(tmp_path / "chance.tif")[:, 0] / 255
    volume = ask(client, content, "application/x-nifti", view="probability").content
    numbers = np.asarray(nibabel.Nifti1Image.from_bytes(volume).dataobj).transpose(2, 1, 0)
    assert numbers.dtype == np.float32
    assert np.array_equal(np.rint(numbers * 255), np.rint(probabilities * 255))
    asked: Any = {"params": {"view": "disagreement"}, "headers": {"accept": "image/tiff"}}
    refused = client.post("/predict", files={"file": content}, **asked)
    assert refused.status_code == 404
    assert "is no ensemble" in refused.json()["detail"]
    inside = unpacked(document).astype(bool)
    assert probabilities[inside].min() >= document["postprocessing"]["threshold"] - 1 / 255
    overlay = cv2.imdecode(
        np.frombuffer(ask(client, content, "image/png", view="overlay", slice=5).content, np.uint8), -1
    )
    coloured = overlay[..., 0] != overlay[..., 2]
    assert coloured[~inside[5]].sum() == 0
    assert coloured[inside[5]].mean() > 0.9
    enhanced = ask(client, content, "image/png", view="enhanced", slice=5).content
    assert cv2.imdecode(np.frombuffer(enhanced, np.uint8), -1).shape == (64, 64, 3)
