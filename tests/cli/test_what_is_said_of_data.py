"""``--sequences``, ``--rules`` and ``--labels`` are taken wherever a folder of patients with masks is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from metseg.cli.options import data_of
from metseg.errors import DataError
from metseg.retraining import RetrainingConfig
from metseg.study import DataFolder, Sequence, find_studies, load

SAID = ("--sequences", "flair,post-contrast")


@pytest.fixture
def data(write_patient: Any, tmp_path: Path) -> Path:
    write_patient(tmp_path / "data" / "a", slices=4)
    return tmp_path / "data"


@pytest.mark.parametrize(
    "command",
    [
        ("compare", "--data", "DATA", "--out", "OUT", "--model", "MODEL"),
        ("calibrate", "--data", "DATA", "--model", "MODEL"),
        ("simulate", "--data", "DATA", "--out", "OUT"),
        ("retrain", "DATA", "--data", "DATA", "--parent", "MODEL", "--out", "OUT"),
    ],
    ids=lambda command: command[0],
)
def test_names_that_are_no_sequences_are_refused(
    metseg: Any, data: Path, model: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    places = {"DATA": data, "OUT": tmp_path / "out", "MODEL": model}
    refused = metseg(*(places.get(word, word) for word in command), "--sequences", "flair,flair")
    assert (refused.status, "two channels are called flair" in refused.err) == (2, True), refused.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", [("compare", "--all", "--model", "MODEL"), ("simulate",)], ids=lambda one: one[0])
def test_the_files_are_read_as_they_are_named(
    metseg: Any, data: Path, model: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """The files have three channels."""
    first, *rest = (str(model) if word == "MODEL" else word for word in command)
    said = metseg(first, *rest, "--data", data, "--out", tmp_path / "out", *SAID)
    assert "3 channels, and 2 are named" in said.out + said.err


def test_a_folder_says_what_its_files_are(data: Path, tmp_path: Path) -> None:
    named = data_of(data, None, None, "pre-contrast,post-contrast,flair")
    assert load(find_studies(named)[0]).studies[0].sequences == (Sequence.PRE, Sequence.POST, Sequence.FLAIR)
    assert data_of(data, None) is data
    (data / "metseg.toml").write_text("labels = [1]\n")
    there = data_of(data, None, None, "pre-contrast,post-contrast,flair")
    assert not find_masked(there)
    assert find_masked(data_of(data, None, "255"))


def find_masked(data: Path | DataFolder) -> bool:
    """Whether anything is lesion in the masks, whose lesions are 255."""
    (study,) = load(find_studies(data)[0]).studies
    return study.mask is not None and bool(study.mask.any())


def test_a_retraining_reads_what_it_shows_again_as_it_was_told(data: Path, tmp_path: Path) -> None:
    asked = {"project": tmp_path / "project", "parent": "p", "out": tmp_path / "out", "data": (data,)}
    (folder,) = RetrainingConfig(**asked, labels=(1,), sequences=(Sequence.T2, Sequence.FLAIR, Sequence.POST)).folders
    assert load(find_studies(folder)[0]).studies[0].sequences[0] is Sequence.T2
    assert not find_masked(folder)
    (folder,) = RetrainingConfig(**asked).folders
    assert find_masked(folder)
    with pytest.raises(DataError, match=r"nowhere\.toml"):
        _ = RetrainingConfig(**asked, rules=tmp_path / "nowhere.toml").folders


@pytest.mark.parametrize("kind", ["background", "single-slices"])
def test_patients_beside_the_others_have_rules_of_their_own(metseg: Any, data: Path, tmp_path: Path, kind: str) -> None:
    asked = ("train", "--model", "attention_unet", "--data", data, "--out", tmp_path / "run", f"--{kind}", data)
    refused = metseg(*asked, f"--{kind}-rules", tmp_path / "nowhere.toml")
    assert (refused.status, "nowhere.toml" in refused.err) == (2, True), refused.err
