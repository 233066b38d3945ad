"""No image is on both sides of a split, and a run that fails leaves nothing that the next one trips over."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from metseg.errors import DataError
from metseg.events import Notice, drain
from metseg.study import Sequence, write_tiff
from metseg.training import Split, TrainingConfig, make_folds, make_split, read_split, train, write_split

pytestmark = pytest.mark.slow


@pytest.fixture
def short(quick: TrainingConfig) -> TrainingConfig:
    return quick.model_copy(update={"epochs": 1, "steps_per_epoch": 1})


def run(config: TrainingConfig, data: Path, out: Path, split: Path | None = None) -> tuple[Split, list[str]]:
    """Train and say who was on which side, and what was said."""
    events: list[object] = []
    drain(train(config, data, out, split=split, score=False), events.append)
    texts = [event.text for event in events if isinstance(event, Notice)]
    return Split.model_validate_json((out / "split.json").read_bytes()), texts


def test_a_folder_that_was_unpacked_twice_holds_each_patient_once(
    heads: Path, short: TrainingConfig, tmp_path: Path
) -> None:
    shutil.copytree(heads, tmp_path / "archive" / "kaggle_3m")
    shutil.copytree(heads, tmp_path / "archive" / "lgg-mri-segmentation" / "kaggle_3m")
    split, _ = run(short, tmp_path / "archive", tmp_path / "run")
    assert sorted((*split.train, *split.held_out)) == ["head0", "head1", "head2"]


def test_copies_under_another_name_stay_on_one_side(heads: Path, short: TrainingConfig, tmp_path: Path) -> None:
    shutil.copytree(heads, tmp_path / "data")
    for seed in range(3):
        for file in (heads / f"head{seed}").iterdir():
            target = tmp_path / "data" / f"copy{seed}" / file.name.replace("head", "copy")
            target.parent.mkdir(exist_ok=True)
            shutil.copy(file, target)
    split, said = run(short, tmp_path / "data", tmp_path / "run")
    assert len(split.train) == 4
    assert {name[-1] for name in split.train}.isdisjoint({name[-1] for name in split.held_out})
    assert "copy0, head0 hold the same images: they stay on one side of the split" in said
    write_split(tmp_path / "leaking.json", Split(train=("head0", "head1"), held_out=("copy0",)))
    with pytest.raises(DataError, match="the same images are on both sides of the split: those of copy0, head0"):
        run(short, tmp_path / "data", tmp_path / "other", tmp_path / "leaking.json")
    assert not (tmp_path / "other").exists()


def test_the_same_pixels_in_another_encoding_are_not_trained_on(
    heads: Path, short: TrainingConfig, tmp_path: Path
) -> None:
    import tifffile

    shutil.copytree(heads, tmp_path / "data")
    (tmp_path / "data" / "again").mkdir()
    for file in (heads / "head0").iterdir():
        target = tmp_path / "data" / "again" / file.name.replace("head0", "again")
        pixels = tifffile.imread(file)
        tifffile.imwrite(target, pixels, photometric="rgb" if pixels.ndim == 3 else "minisblack")
    write_split(tmp_path / "split.json", Split(train=("again", "head1"), held_out=("head0",)))
    _, said = run(short, tmp_path / "data", tmp_path / "run", tmp_path / "split.json")
    assert "again holds the same pixels as head0, which is held out: it is not trained on" in said


def test_a_run_that_fails_before_its_first_step_leaves_nothing(
    heads: Path, short: TrainingConfig, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    for name in ("a", "b", "c"):
        (data / name).mkdir(parents=True)
        pixels = np.random.default_rng(ord(name)).integers(0, 255, (96, 96)).astype(np.uint8)
        write_tiff(data / name / f"{name}_1.tif", pixels)
        write_tiff(data / name / f"{name}_1_mask.tif", np.zeros((96, 96), np.uint8))
    with pytest.raises(DataError, match="no training slice has a lesion"):
        run(short, data, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    shutil.copytree(heads, data / "later")
    split, said = run(short, data, tmp_path / "run")
    assert sorted((*split.train, *split.held_out)) == ["a", "b", "c", "head0", "head1", "head2"]
    assert not any("not named" in text for text in said)


def test_patients_that_a_split_does_not_name_are_remarked_on(
    heads: Path, short: TrainingConfig, tmp_path: Path
) -> None:
    write_split(tmp_path / "run" / "split.json", Split(train=("head0",), held_out=("head2",)))
    _, said = run(short, heads, tmp_path / "run")
    assert [text for text in said if "not named" in text] == [
        f"1 patient is in the data but not named in {tmp_path / 'run' / 'split.json'}, and not used: head1"
    ]


def test_visits_of_one_patient_are_held_out_together(heads: Path, short: TrainingConfig, tmp_path: Path) -> None:
    for seed in range(3):
        for visit in (1, 2):
            folder = tmp_path / "data" / f"p{seed // 2}" / f"visit{visit}{seed}"
            shutil.copytree(heads / f"head{(seed + visit) % 3}", folder)
    for number, file in enumerate(sorted((tmp_path / "data").rglob("*.tif"))):
        if "mask" not in file.name:
            image = np.random.default_rng(number).integers(0, 255, (96, 96, 3)).astype(np.uint8)
            write_tiff(file, image)
    split, _ = run(short, tmp_path / "data", tmp_path / "run")
    assert sorted((*split.train, *split.held_out)) == ["p0", "p1"]


def test_a_study_without_the_wanted_sequence_is_left_out(heads: Path, short: TrainingConfig, tmp_path: Path) -> None:
    import tifffile

    for seed, sequence in enumerate(("t1", "flair", "flair")):
        for file in (heads / f"head{seed}").iterdir():
            pixels = tifffile.imread(file)
            name = file.name if "mask" in file.name else file.name.replace(".tif", f"_{sequence}.tif")
            target = tmp_path / "data" / f"head{seed}" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            write_tiff(target, pixels if pixels.ndim == 2 else np.ascontiguousarray(pixels[..., 1]))
    flair = short.preprocessing.model_copy(update={"sequences": (Sequence.FLAIR,)})
    config = short.model_copy(update={"preprocessing": flair, "held_out": 0.0})
    _, said = run(config, tmp_path / "data", tmp_path / "run")
    assert "head0 left out: it has pre-contrast, and no flair" in said


def test_joined_patients_count_as_one(tmp_path: Path) -> None:
    names = [f"p{number}" for number in range(10)]
    joined = {"p0": "p0", "p1": "p0", "p2": "p0"}
    for seed in range(20):
        for split in (make_split(names, 0.3, seed, joined), *make_folds(names, 4, seed, joined)):
            assert len({name in split.held_out for name in ("p0", "p1", "p2")}) == 1
            assert sorted((*split.train, *split.held_out)) == names
    path = tmp_path / "split.json"
    path.write_text(json.dumps({"train": ["p0", "p1"], "held_out": ["p2"]}))
    with pytest.raises(DataError, match="same images are on both sides"):
        read_split(path, names, joined)
