"""A model is scored on files: visits of one patient are pooled, and the numbers are those of its masks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from metseg.checkpoints import load_checkpoint
from metseg.events import drain
from metseg.study import write_tiff
from metseg.synthetic import synthetic_study
from metseg.training import evaluate


@pytest.mark.slow
def test_visits_of_a_patient_are_scored_apart_and_pooled(write_untrained: Callable[..., Path], tmp_path: Path) -> None:
    model = write_untrained(tmp_path / "model")
    for patient, visit, seed in (("P", "P-0", 0), ("P", "P-1", 1), ("Q", "Q-0", 2)):
        study = synthetic_study(seed, slices=8, size=64)
        assert study.mask is not None
        (tmp_path / "data" / patient).mkdir(parents=True, exist_ok=True)
        for z in range(8):
            write_tiff(tmp_path / "data" / patient / f"{visit}_{z + 1}.tif", study.voxels[:, z].transpose(1, 2, 0))
            write_tiff(tmp_path / "data" / patient / f"{visit}_{z + 1}_mask.tif", study.mask[z] * 255)
    summary = drain(evaluate(load_checkpoint(model), tmp_path / "data", device="cpu")).summaries["all sequences"]
    assert [row.name for row in summary.scores] == ["P", "Q"]
    assert [scan.name for scan in summary.scores[0].scans] == ["P-0", "P-1"]
    assert (summary.patients, summary.scans) == (2, 3)
    assert all(scan.froc is not None and scan.reliability is not None for scan in summary.scores[0].scans)
    assert summary.froc
    assert summary.brier > 0
