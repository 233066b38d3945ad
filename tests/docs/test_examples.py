"""The scripts of docs/examples, each run as a user runs it, on a synthetic head."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from metseg.cli import main
from metseg.lesions import Target
from metseg.study import Geometry, Sequence, write_volume
from metseg.synthetic import synthetic_study

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def small_network(tmp_path_factory: pytest.TempPathFactory, write_untrained: Callable[..., Path]) -> Iterator[None]:
    """An untrained network under the name that ``auto`` takes for post-contrast T1, so that a script takes seconds."""
    weights = tmp_path_factory.mktemp("weights")
    about = {"sequences": ("post-contrast",), "target": Target.ENHANCING_LESION}
    write_untrained(weights / "metastases", share=0.5, **about)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("METSEG_WEIGHTS", str(weights))
        yield


@pytest.fixture(scope="module")
def patients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one patient: post-contrast T1 and its reference mask, as NIfTI."""
    folder = tmp_path_factory.mktemp("patients")
    head = synthetic_study(seed=4, slices=12, size=96, target=Target.ENHANCING_LESION)
    study = head.only(Sequence.POST).with_geometry(Geometry.spaced((5.0, 2.0, 2.0)))
    assert study.mask is not None
    write_volume(folder / "P1_t1c.nii.gz", study.voxels[0], study)
    write_volume(folder / "P1_t1c_mask.nii.gz", study.mask, study)
    return folder


def run(repository: Path, name: str, *arguments: Path) -> str:
    """What the script prints."""
    script = repository / "docs" / "examples" / name
    command = [sys.executable, str(script), *map(str, arguments)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, env=os.environ)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_one_file_gives_a_mask_in_its_place_and_a_table(repository: Path, patients: Path, tmp_path: Path) -> None:
    printed = run(repository, "segment_file.py", patients / "P1_t1c.nii.gz", tmp_path / "out")
    image, mask = (
        SimpleITK.ReadImage(str(path)) for path in (patients / "P1_t1c.nii.gz", tmp_path / "out" / "mask.nii.gz")
    )
    np.testing.assert_allclose(mask.GetOrigin(), image.GetOrigin(), atol=1e-4)
    np.testing.assert_allclose(mask.GetDirection(), image.GetDirection(), atol=1e-6)
    rows = (tmp_path / "out" / "lesions.csv").read_text().splitlines()
    assert printed.startswith(f"enhancing lesion by metastases: {len(rows) - 1} lesions in ")
    assert len(rows) > 1


def test_an_array_gives_what_its_file_gives(repository: Path, patients: Path, tmp_path: Path) -> None:
    run(repository, "segment_file.py", patients / "P1_t1c.nii.gz", tmp_path)
    count = len((tmp_path / "lesions.csv").read_text().splitlines()) - 1
    assert run(repository, "segment_array.py", patients / "P1_t1c.nii.gz").startswith(f"{count} lesions, ")


def test_many_patients_are_segmented_and_what_is_refused_is_listed(
    repository: Path, patients: Path, tmp_path: Path
) -> None:
    printed = run(repository, "many_patients.py", patients, tmp_path / "out")
    assert (tmp_path / "out" / "P1_mask.nii.gz").exists()
    assert printed.splitlines()[-1] == "0 files refused"


def test_scores_are_given_lesion_by_lesion(repository: Path, patients: Path) -> None:
    printed = run(repository, "score_against_reference.py", patients)
    assert "metastases" in printed.splitlines()[0]
    assert any(line.startswith("lesions found, by patient") for line in printed.splitlines())


def test_slices_are_listed_by_uncertainty(repository: Path, patients: Path) -> None:
    rows = run(repository, "slices_to_review.py", patients / "P1_t1c.nii.gz").splitlines()
    bits = [float(row.split(": ")[1].split(" ")[0]) for row in rows]
    assert len(rows) == 5
    assert bits == sorted(bits, reverse=True)


def test_the_commands_of_the_tutorial_run(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_untrained: Callable[..., Path]
) -> None:
    """On the folder that its first step makes, with an untrained network under the name that ``auto`` takes."""
    head = synthetic_study(seed=0, slices=8, size=64).only(Sequence.FLAIR)
    (tmp_path / "patients" / "P1").mkdir(parents=True)
    write_volume(tmp_path / "patients" / "P1" / "P1_flair.nii.gz", head.voxels[0], head)
    write_untrained(tmp_path / "weights" / "best", share=0.02)
    monkeypatch.setenv("METSEG_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.chdir(tmp_path)
    text = (repository / "docs" / "tutorial.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    commands = [line.split() for block in blocks for line in block.splitlines()]
    assert len(commands) > 1
    for command in commands:
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as left:
            main()
        assert left.value.code == 0, command
    assert len(list((tmp_path / "batch_exported" / "P1").glob("*_mask.tif"))) == 8
