"""What is outlined on which sequences, said by every command."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from metseg.study import Study, find_studies, read_spacing, read_tiff, write_tiff

POST, FLAIR = 2, 1


@pytest.fixture
def both(two_targets: Path) -> Path:
    return two_targets


@pytest.fixture
def masks_of(metseg: Any, tmp_path: Path) -> Callable[..., Any]:
    def run(patient: Path, *options: str | Path) -> Any:
        return metseg("predict", "--input", patient, "--output", tmp_path / "out", *options)

    return run


def about(mask: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(mask.with_suffix(".json").read_text())
    return content


@pytest.mark.usefixtures("both")
def test_auto_outlines_flair_abnormality_where_flair_is_there(
    masks_of: Any, write_patient: Any, tmp_path: Path
) -> None:
    done = masks_of(write_patient(tmp_path / "a", slices=2))
    assert done.status == 0, done.err
    said = about(tmp_path / "out/a_1_mask.tif")
    assert (said["target"], said["model"]) == ("FLAIR abnormality", "best")
    assert not (tmp_path / "out/enhancing_lesion").exists()


@pytest.mark.usefixtures("both")
def test_a_channel_that_is_named_post_contrast_is_given_to_metastases(
    masks_of: Any, write_patient: Any, tmp_path: Path
) -> None:
    patient = write_patient(tmp_path / "a", slices=2, channel=POST)
    done = masks_of(patient, "--sequences", "post-contrast")
    assert done.status == 0, done.err
    assert "in place" not in done.err
    assert about(tmp_path / "out/a_2_mask.tif")["target"] == "enhancing lesion"


@pytest.mark.usefixtures("both")
def test_a_channel_of_unknown_sequence_is_post_contrast_for_metastases_and_flair_for_auto(
    masks_of: Any, write_patient: Any, tmp_path: Path
) -> None:
    patient = write_patient(tmp_path / "a", slices=1, channel=POST)
    named = masks_of(patient, "--model", "metastases")
    assert named.status == 0, named.err
    assert "in place" not in named.err
    assert "WARNING" not in named.err
    assert about(tmp_path / "out/a_1_mask.tif")["model"] == "metastases"
    assert masks_of(patient, "--overwrite").status == 0
    assert about(tmp_path / "out/a_1_mask.tif")["model"] == "best"


@pytest.mark.usefixtures("both")
def test_both_targets_are_outlined_in_one_run(masks_of: Any, write_patient: Any, tmp_path: Path) -> None:
    patient = write_patient(tmp_path / "in/a", slices=2, masks=False)
    done = masks_of(tmp_path / "in", "--target", "both")
    assert done.status == 0, done.err
    assert "4 masks" in done.out
    first, second = tmp_path / "out/a/a_1_mask.tif", tmp_path / "out/enhancing_lesion/a/a_1_mask.tif"
    assert about(first)["target"] == "FLAIR abnormality"
    assert about(second)["target"] == "enhancing lesion"
    assert not np.array_equal(read_tiff(first), read_tiff(second))
    assert read_spacing(first) is None
    again = masks_of(patient, "--target", "both")  # what lies there is no image
    assert again.status == 0, again.err


@pytest.mark.usefixtures("both")
def test_masks_of_what_enhances_beside_the_images_are_no_images(
    metseg: Any, write_patient: Any, tmp_path: Path
) -> None:
    patient = write_patient(tmp_path / "a", slices=2, masks=False)
    assert metseg("predict", "--input", patient, "--output", patient, "--target", "both").status == 0
    (files,) = find_studies(patient)
    assert [entry.mask and entry.mask.parent for entry in files.slices] == [patient, patient]


@pytest.mark.usefixtures("both")
def test_of_both_targets_what_the_sequences_show_is_outlined_and_the_rest_is_said(
    masks_of: Any, write_patient: Any, tmp_path: Path
) -> None:
    patient = write_patient(tmp_path / "a", slices=1, channel=FLAIR)
    done = masks_of(patient, "--target", "both", "--sequences", "flair")
    assert done.status == 0, done.err
    assert "a has flair: only the FLAIR abnormality is outlined" in done.err
    refused = masks_of(patient, "--target", "enhancing-lesion", "--sequences", "flair", "--overwrite")
    assert refused.status == 1
    assert "enhancing lesion is outlined on post-contrast, which is not there" in refused.err


@pytest.mark.usefixtures("both")
def test_a_post_contrast_network_on_flair_warns(masks_of: Any, write_patient: Any, tmp_path: Path) -> None:
    patient = write_patient(tmp_path / "a", slices=1, channel=FLAIR)
    done = masks_of(patient, "--model", "metastases", "--sequences", "flair")
    assert done.status == 0, done.err
    assert "WARNING: a: metastases needs post-contrast; there is flair" in done.err


def test_a_missing_network_is_said_once_and_plainly(
    masks_of: Any, write_patient: Any, tmp_path: Path, write_untrained: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_untrained(tmp_path / "weights/best")
    monkeypatch.setattr("metseg.checkpoints.store._weight_folders", lambda: iter((tmp_path / "weights",)))
    patient = write_patient(tmp_path / "a", slices=2, channel=POST)
    done = masks_of(patient, "--sequences", "post-contrast")
    assert done.status == 2
    assert done.err.count("no network for the enhancing lesion is installed: `metastases` is missing") == 1


@pytest.mark.usefixtures("both")
def test_names_must_be_sequences_and_as_many_as_channels(
    masks_of: Any, metseg: Any, write_patient: Any, tmp_path: Path
) -> None:
    patient = write_patient(tmp_path / "a", slices=1)
    wrong = masks_of(patient, "--sequences", "t9")
    assert wrong.status == 2
    assert "'t9' is no sequence" in wrong.err
    fewer = masks_of(patient, "--sequences", "post-contrast,flair")
    assert fewer.status == 1
    assert "has 3 channels, and 2 are named (post-contrast, flair)" in fewer.err
    inspected = metseg("inspect", patient, "--sequences", "flair,pre-contrast,post-contrast")
    assert "flair, pre-contrast, post-contrast" in inspected.out


@pytest.mark.usefixtures("both")
def test_files_of_two_channels_are_read_where_they_are_named(
    metseg: Any, masks_of: Any, head: Study, tmp_path: Path
) -> None:
    for z in range(2):
        pixels = np.ascontiguousarray(head.voxels[[POST, FLAIR], z])
        tifffile.imwrite(tmp_path / f"in_{z + 1}.tif", pixels, metadata={"axes": "CYX"}, photometric="minisblack")
    assert "2 C" in masks_of(tmp_path / "in_1.tif").err
    done = masks_of(tmp_path / "in_1.tif", "--sequences", "post-contrast,flair", "--target", "both")
    assert done.status == 0, done.err
    expected = tmp_path / "three_1.tif"
    write_tiff(expected, np.ascontiguousarray(head.voxels[[POST, FLAIR, POST], 0].transpose(1, 2, 0)))
    assert masks_of(expected, "--sequences", "other,flair,post-contrast", "--target", "enhancing-lesion").status == 0
    mask = tmp_path / "out/enhancing_lesion/in_1_mask.tif"
    assert np.array_equal(read_tiff(mask), read_tiff(tmp_path / "out/three_1_mask.tif"))


@pytest.mark.usefixtures("both")
def test_models_are_listed_with_what_they_outline_and_whether_they_fit(metseg: Any) -> None:
    listed = metseg("models")
    assert "enhancing lesion" in listed.out
    assert "pre-contrast, flair, post-contrast" in listed.out
    fitting = metseg("models", "--sequences", "flair")
    assert "metastases needs post-contrast; there is flair" in fitting.out
    assert "--model auto: best" in fitting.out
    assert "--model auto: metastases" in metseg("models", "--sequences", "post-contrast").out


@pytest.mark.usefixtures("both")
def test_the_list_of_models_keeps_names_and_paths_whole_in_80_columns(
    metseg: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from metseg.checkpoints import list_models

    monkeypatch.setenv("COLUMNS", "80")
    lines = metseg("models", "--sequences", "post-contrast").out.splitlines()
    for info in list_models():
        assert f"{info.name}: {info.path}" in lines
        assert any(line.startswith(f"{info.name} ") for line in lines)


@pytest.mark.usefixtures("both")
def test_evaluation_takes_the_network_of_the_target(metseg: Any, write_patient: Any, tmp_path: Path) -> None:
    write_patient(tmp_path / "data/a", slices=3)
    usual = metseg("evaluate", "--data", tmp_path / "data")
    assert "best: FLAIR abnormality" in usual.out
    assert "--model auto: best, by the sequences of a (pre-contrast, flair, post-contrast)" in usual.err
    enhancing = metseg("evaluate", "--data", tmp_path / "data", "--target", "enhancing-lesion")
    assert "metastases: enhancing lesion" in enhancing.out
    assert "FLAIR alone" not in enhancing.out
    assert metseg("evaluate", "--data", tmp_path / "data", "--target", "both").status == 2


@pytest.mark.usefixtures("both")
def test_a_project_keeps_the_names_of_channels_and_says_what_was_predicted(
    metseg: Any, write_patient: Any, tmp_path: Path
) -> None:
    from metseg.curation import Project

    write_patient(tmp_path / "data/a", slices=2, channel=POST)
    created = metseg("project", "create", tmp_path / "p", "--data", tmp_path / "data", "--sequences", "post-contrast")
    assert created.status == 0, created.err
    assert metseg("project", "predict", tmp_path / "p").status == 0
    prediction = Project.open(tmp_path / "p").read_case("a").prediction()
    assert prediction is not None
    assert (prediction.provenance.model, prediction.provenance.target) == ("metastases", "enhancing lesion")
    again = metseg("project", "predict", tmp_path / "p")
    assert "predicted by this network already" in again.out


@pytest.mark.slow
@pytest.mark.usefixtures("both")
def test_the_demo_shows_both_targets(metseg: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("METSEG_DATA", raising=False)
    done = metseg("demo", "--headless", "--output", tmp_path)
    assert done.status == 0, done.err
    folder = tmp_path / "synthetic-head-0"
    assert "FLAIR abnormality: found" in done.out
    assert "enhancing lesion: found" in done.out
    for table, target in (("", "FLAIR abnormality"), ("enhancing_lesion", "enhancing lesion")):
        with (folder / table / "lesion_table.csv").open(newline="") as file:
            assert {row["target"] for row in csv.DictReader(file)} == {target}
    assert (folder / "montage.png").is_file()


def test_training_on_named_channels_looks_at_them_and_outlines_what_enhances() -> None:
    from metseg.cli.recipe import training_config
    from metseg.lesions import Target
    from metseg.study import parse_sequences

    config = training_config(file=None, architecture="attention_unet", sequences=parse_sequences("post-contrast"))
    assert config.preprocessing.sequences == ("post-contrast",)
    assert config.sequences == ("post-contrast",)
    assert config.target is Target.ENHANCING_LESION
