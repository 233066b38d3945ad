"""``metseg project save``: corrected outlines of a DICOM series go back to where the series came from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pydicom

from metseg.curation import EditKind, Project
from metseg.study import read_study


def test_corrected_outlines_become_a_segmentation_with_who_drew_what(
    metseg: Any, model: Path, one_head: dict[str, Path], tmp_path: Path
) -> None:
    project = tmp_path / "project"
    assert metseg("project", "create", project, "--data", one_head["DICOM"]).status == 0
    done = metseg("project", "predict", project, "--model", model, "--smallest", "200")
    assert done.status == 0, done.err
    with Project.open(project).open_case("head") as session:
        labels = session.labels.copy()
        number = session.next_label
        free = np.argwhere(labels[5] == 0)[0]
        labels[5, free[0], free[1]] = number
        session.commit(labels, EditKind.STROKE)
    done = metseg("project", "save", project, "head", "--out", tmp_path / "head.dcm", "--report")
    assert done.status == 0, done.err
    assert {path.name for path in tmp_path.glob("head*")} >= {"head.dcm", "head.json", "head_report.pdf"}
    data = pydicom.dcmread(tmp_path / "head.dcm")
    drawn = {segment.TrackingID.split()[-1]: segment.SegmentAlgorithmType for segment in data.SegmentSequence}
    assert set(drawn) == {str(label) for label in np.unique(labels[labels > 0])}
    assert drawn[str(number)] == "MANUAL"
    assert set(drawn.values()) >= {"AUTOMATIC", "MANUAL"}
    assert pydicom.dcmread(tmp_path / "head_report.dcm").Modality == "SR"
    assert json.loads((tmp_path / "head.json").read_text(encoding="utf-8"))["status"] == "corrected"
    series = tmp_path / "series"
    series.mkdir()
    for path in [*one_head["DICOM"].iterdir(), tmp_path / "head.dcm"]:
        (series / path.name).write_bytes(path.read_bytes())
    mask = read_study(series).mask
    assert mask is not None
    assert np.array_equal(mask > 0, labels > 0)
    again = metseg("project", "save", project, "head", "--out", tmp_path / "head.dcm")
    assert again.status == 2
    assert "is there already" in again.err
    assert metseg("project", "save", project, "head", "--out", tmp_path / "head.nii.gz").status == 0
