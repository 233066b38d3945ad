"""``metseg follow``: two examinations in, tables and outlines out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from metseg.study import Study, read_study, write_tiff
from metseg.synthetic import synthetic_study


@pytest.fixture(scope="module")
def visits(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A synthetic head twice; the second time one lesion is not there."""
    folder = tmp_path_factory.mktemp("visits")
    head = synthetic_study(seed=3, slices=16, size=64)
    assert head.mask is not None
    kept = head.mask.copy()
    kept[:, : head.shape[1] // 2] = 0
    for name, mask in (("before", head.mask), ("after", kept)):
        (folder / name).mkdir()
        write_tiff(folder / name / "P.tif", np.moveaxis(head.voxels, 0, -1), spacing=head.geometry.spacing)
        write_tiff(folder / name / "P_mask.tif", mask * np.uint8(255), channels=False)
    return folder / "before", folder / "after"


def test_masks_are_compared_and_results_written(metseg: Any, visits: tuple[Path, Path], tmp_path: Path) -> None:
    done = metseg("follow", *visits, "--out", tmp_path / "out")
    assert done.status == 0, done.err
    assert "gone" in done.out
    assert "RANO-BM, target lesions:" in done.out
    names = {"follow_up.csv", "follow_up.json", "before_lesions.nii.gz", "after_lesions.nii.gz"}
    names |= {"carried_lesions.nii.gz", "carried_lesions.json", "later_to_earlier.tfm", "follow_up.pdf"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
    document = json.loads((tmp_path / "out/follow_up.json").read_text(encoding="utf-8"))
    assert document["outlined_by"] == {"before": "P_mask.tif", "after": "P_mask.tif"}
    before, after, carried = (
        sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / f"out/{name}_lesions.nii.gz")))
        for name in ("before", "after", "carried")
    )
    assert set(np.unique(after)) < set(np.unique(before)) == {0, *(one["lesion"] for one in document["lesions"])}
    assert (carried != before).mean() < 0.002
    sitk.ReadTransform(str(tmp_path / "out/later_to_earlier.tfm"))
    again = metseg("follow", *visits, "--out", tmp_path / "out")
    assert again.status == 2
    assert "is not empty" in again.err


@pytest.mark.slow
def test_three_examinations_are_followed_with_one_number_for_a_lesion(
    metseg: Any, visits: tuple[Path, Path], tmp_path: Path
) -> None:
    before, after = visits
    done = metseg("follow", before, before, after, "--out", tmp_path / "out")
    assert done.status == 0, done.err
    assert "RANO-BM, target lesions, 3:" in done.out
    names = {"follow_up.csv", "follow_up.json", "follow_up.pdf", "2_to_1.tfm", "3_to_2.tfm"}
    names |= {f"{number}_lesions.nii.gz" for number in (1, 2, 3)}
    for number in (2, 3):
        names |= {f"{number}_follow_up.pdf", f"{number}_carried_lesions.nii.gz", f"{number}_carried_lesions.json"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
    lines = (tmp_path / "out/follow_up.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == ",".join(
        ["lesion,side", *(f"volume_mm3_{one},diameter_mm_{one},change_{one}" for one in (1, 2, 3))]
    )
    changes = {tuple(line.split(",")[one] for one in (4, 7, 10)) for line in lines[1:]}
    assert changes <= {("", "unchanged", "unchanged"), ("", "unchanged", "gone")}
    assert ("", "unchanged", "gone") in changes
    one = metseg("follow", before, "--out", tmp_path / "one")
    assert one.status == 2
    assert "two examinations are needed" in one.err


@pytest.mark.slow
def test_a_network_outlines_what_has_no_mask(
    metseg: Any, two_targets: Path, visits: tuple[Path, Path], tmp_path: Path
) -> None:
    done = metseg("follow", *visits, "--out", tmp_path / "out", "--predict", "--model", two_targets / "metastases")
    assert done.status == 0, done.err
    document = json.loads((tmp_path / "out/follow_up.json").read_text(encoding="utf-8"))
    assert document["outlined_by"]["after"]["model"] == "metastases"
    assert {one["change"] for one in document["lesions"]} <= {"unchanged"}


def test_an_unknown_spacing_is_named(metseg: Any, head: Study, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_tiff(tmp_path / f"{name}.tif", head.voxels[0], channels=False)
    done = metseg("follow", tmp_path / "a.tif", tmp_path / "b.tif", "--out", tmp_path / "out")
    assert done.status == 2
    assert "its spacing is not known" in done.err


def test_rules_and_labels_say_which_masks_and_values_are_meant(
    metseg: Any, visits: tuple[Path, Path], tmp_path: Path
) -> None:
    for folder in visits:
        (tmp_path / folder.name).mkdir()
        head = read_study(folder)
        assert head.mask is not None
        numbers = np.where(head.mask == 0, 0, np.where(np.arange(head.shape[0])[:, None, None] < 8, 2, 3))
        write_tiff(tmp_path / folder.name / "scan.tif", np.moveaxis(head.voxels, 0, -1), spacing=head.geometry.spacing)
        write_tiff(tmp_path / folder.name / "drawn.tif", numbers.astype(np.uint8), channels=False)
    (tmp_path / "rules.toml").write_text(
        '[[file]]\npattern = "drawn"\nmask = true\npatient = "P"\n[[file]]\npattern = "scan"\npatient = "P"\n'
    )
    places = tmp_path / "before", tmp_path / "after"
    said = "--rules", tmp_path / "rules.toml", "--labels", "3"
    done = metseg("follow", *places, "--out", tmp_path / "out", *said)
    assert done.status == 0, done.err
    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "out/before_lesions.nii.gz")))
    assert labels.any()
    assert not labels[:8].any()
