"""One head, however it is stored, gets the same mask at the same place from the server as from the command line."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK as sitk
from starlette.testclient import TestClient

from metseg.study.formats import header_of, read_voxels

KINDS = [
    "NIfTI RAS",
    "NIfTI PIR",
    "NIfTI float32",
    "NIfTI-2",
    "NRRD",
    "MetaImage",
    "DICOM",
    "TIFF stack",
    "TIFF slices",
]
GZIP = {"accept": "application/gzip"}


@pytest.fixture(scope="module")
def reference(flair: npt.NDArray[np.uint16], weights: Path) -> npt.NDArray[np.uint8]:
    """The mask of the same voxels that were never a file."""
    from metseg.checkpoints import load_checkpoint
    from metseg.inference import Segmenter
    from metseg.study import Sequence, Study

    with Segmenter(load_checkpoint(weights / "small")) as segmenter:
        return segmenter.segment(Study("head", flair[None], (Sequence.UNKNOWN,))).mask


def ask(client: TestClient, source: Path, zipped: Callable[[Path], bytes], accept: str) -> bytes:
    content = zipped(source) if source.is_dir() else source.read_bytes()
    answer = client.post("/predict", files={"file": ("any", content)}, headers={"accept": accept})
    assert answer.status_code == 200, answer.text
    return answer.content


@pytest.mark.parametrize("kind", KINDS)
def test_masks_are_equal_voxel_for_voxel_and_lie_on_their_source(
    client: TestClient,
    one_head: dict[str, Path],
    zipped: Callable[[Path], bytes],
    reference: npt.NDArray[np.uint8],
    tmp_path: Path,
    kind: str,
) -> None:
    source, answer = one_head[kind], tmp_path / "mask.nii.gz"
    answer.write_bytes(ask(client, source, zipped, "application/gzip"))
    assert np.array_equal(read_voxels(header_of(answer))[0], reference)
    if kind.startswith("TIFF") or kind == "NIfTI-2":  # without place, and not read by SimpleITK
        return
    mask = sitk.ReadImage(str(answer))
    if source.is_dir():
        series = sitk.ImageSeriesReader()
        series.SetFileNames(series.GetGDCMSeriesFileNames(str(source)))
        image = series.Execute()
    else:
        image = sitk.ReadImage(str(source))
    assert mask.GetSize() == image.GetSize()
    for corner in ((0, 0, 0), tuple(size - 1 for size in image.GetSize())):
        here, there = (one.TransformIndexToPhysicalPoint(corner) for one in (image, mask))
        assert np.allclose(here, there, atol=1e-3)


@pytest.mark.parametrize(("kind", "masks"), [("DICOM", 1), ("NIfTI PIR", 1), ("TIFF slices", 10)])
def test_a_zip_is_answered_in_the_format_of_its_files(
    client: TestClient,
    one_head: dict[str, Path],
    zipped: Callable[[Path], bytes],
    reference: npt.NDArray[np.uint8],
    tmp_path: Path,
    kind: str,
    masks: int,
) -> None:
    source = one_head[kind] if one_head[kind].is_dir() else one_head[kind].parent
    with zipfile.ZipFile(io.BytesIO(ask(client, source, zipped, "application/zip"))) as archive:
        archive.extractall(tmp_path)
    written = sorted(
        (path for path in tmp_path.rglob("*_mask.*") if path.suffix != ".json"), key=lambda path: path.name
    )
    assert len(written) == masks
    if kind == "TIFF slices":
        assert {path.name for path in written} == {f"head_{z}_mask.tif" for z in range(1, 11)}
        return
    assert written[0].name.endswith("_mask.nii.gz")
    assert np.array_equal(read_voxels(header_of(written[0]))[0], reference)
