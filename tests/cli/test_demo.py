"""``metseg demo`` without a display: what it writes and what it says."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from metseg.cli.montage import choose_slices
from metseg.lesions import Target
from metseg.study import read_tiff, write_tiff

pytestmark = pytest.mark.slow


@pytest.fixture
def no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("METSEG_DATA", raising=False)


@pytest.mark.usefixtures("no_data")
def test_pictures_masks_and_table_of_the_synthetic_head(metseg: Any, model: Path, tmp_path: Path) -> None:
    done = metseg("demo", "--headless", "--model", model, "--output", tmp_path)
    assert done.status == 0, done.err
    folder = tmp_path / "synthetic-head-0"
    assert "synthetic head" in done.out
    assert str(folder / "montage.png") in done.out
    assert re.search(r"Dice [01]\.\d{3} against the known mask", done.out)
    masks = sorted(folder.glob("*_mask.tif"))
    assert len(masks) == 32
    assert {read_tiff(mask).shape for mask in masks} == {(1, 1, 256, 256)}
    with (folder / "lesion_table.csv").open(newline="", encoding="utf-8") as table:
        assert len(next(csv.reader(table))) > 3
    with Image.open(folder / "montage.png") as picture:
        picture.load()
        assert picture.width > 1000
        assert np.asarray(picture.convert("L")).std() > 20


@pytest.mark.usefixtures("no_data")
def test_without_files_nothing_can_be_said_of_them(metseg: Any, model: Path, tmp_path: Path) -> None:
    refused = metseg("demo", "--headless", "--model", model, "--output", tmp_path, "--labels", "1")
    assert (refused.status, "METSEG_DATA" in refused.err) == (2, True)


def test_the_mask_of_a_post_contrast_image_is_that_of_the_enhancing_lesion(
    metseg: Any, write_untrained: Any, head: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_untrained(tmp_path / "best")
    model = write_untrained(tmp_path / "m", sequences=("post-contrast",), target=Target.ENHANCING_LESION)
    (tmp_path / "data").mkdir()
    write_tiff(tmp_path / "data/a.tif", head.voxels[2, :3], channels=False)
    write_tiff(tmp_path / "data/a_mask.tif", head.mask[:3] * 3, channels=False)
    monkeypatch.setenv("METSEG_DATA", str(tmp_path / "data"))
    said = ("demo", "--headless", "--output", tmp_path / "out", "--sequences", "post-contrast")
    done = metseg(*said, "--model", model, "--labels", "3")
    assert "against the known mask" in done.out, done.err
    other = metseg(*said, "--model", tmp_path / "best")
    assert "against the known mask" not in other.out


@pytest.mark.usefixtures("no_data")
def test_both_targets_are_shown_where_a_network_for_each_is_installed(
    metseg: Any, write_untrained: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_untrained(tmp_path / "weights/best")
    write_untrained(tmp_path / "weights/metastases", seed=1, target=Target.ENHANCING_LESION)
    monkeypatch.setenv("METSEG_WEIGHTS", str(tmp_path / "weights"))
    done = metseg("demo", "--headless", "--output", tmp_path / "out")
    assert done.status == 0, done.err
    folder = tmp_path / "out/synthetic-head-0"
    for target, inside in zip(Target, (folder, folder / "enhancing_lesion"), strict=True):
        assert re.search(rf"{target}: found .*Dice [01]\.\d{{3}} against the known mask", done.out)
        assert len(list(inside.glob("*_mask.tif"))) == 32
        assert (inside / "lesion_table.csv").is_file()
    with Image.open(folder / "montage.png") as picture:
        assert picture.height > 1000
        margin = np.asarray(picture.convert("L"))[:, -20:]
    assert margin.max() == margin.min(), "words are cut at the right edge"
    alone = metseg("demo", "--headless", "--output", tmp_path / "one", "--model", tmp_path / "weights/metastases")
    assert "found" in alone.out
    assert not (tmp_path / "one/synthetic-head-0/enhancing_lesion").exists()


def test_without_a_display_pictures_are_written_unasked(
    metseg: Any, model: Path, write_patient: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_patient(tmp_path / "data" / "a", slices=3)
    monkeypatch.setenv("METSEG_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    monkeypatch.chdir(tmp_path)
    assert metseg("demo", "--model", model).status == 0
    assert (tmp_path / "demo-output/a/montage.png").is_file()


def test_a_real_patient_is_taken_and_named(
    metseg: Any, model: Path, metseg_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METSEG_DATA", str(metseg_data))
    done = metseg("demo", "--headless", "--model", model, "--output", tmp_path)
    assert done.status == 0, done.err
    (folder,) = tmp_path.iterdir()
    assert (metseg_data / "lgg" / folder.name).is_dir()
    assert f"{folder.name}: a real patient" in done.out


def test_an_empty_data_folder_is_said(
    metseg: Any, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METSEG_DATA", str(tmp_path))
    done = metseg("demo", "--headless", "--model", model, "--output", tmp_path / "out")
    assert done.status == 2
    assert str(tmp_path) in done.err


def test_the_slice_with_most_lesion_is_shown_large() -> None:
    mask = np.zeros((20, 8, 8), np.uint8)
    mask[5, :2] = mask[6, :4] = mask[7, :1] = 1
    hero, others = choose_slices(mask, None, 12)
    assert hero == 6
    assert len(others) == 12
    assert {5, 7} <= set(others)
    assert others == sorted(set(others) - {6})


@pytest.mark.parametrize("slices", [1, 2, 5, 13, 40])
def test_any_number_of_slices_can_be_laid_out(slices: int) -> None:
    hero, others = choose_slices(np.zeros((slices, 4, 4), np.uint8), None, 12)
    assert len({hero, *others}) == min(slices, 13)
    assert all(0 <= z < slices for z in (hero, *others))
