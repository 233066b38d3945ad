"""Which cases an export holds, what it says of them, and what happens when it is run again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from metseg.curation import EditKind, Origin, Project, Status
from metseg.curation.export import (
    FileRole,
    Layout,
    Subset,
    export_project,
    exporting_project,
    labels_from_runs,
    read_manifest,
    verify,
)
from metseg.curation.journal import read_frames
from metseg.errors import DataError, UnreadableFileError
from metseg.events import Finished, Notice
from metseg.study import find_studies, load, read_tiff

Contents = Callable[[Path], dict[str, bytes]]


def test_approved_cases_alone_are_exported_unless_more_is_asked_for(project: Project, tmp_path: Path) -> None:
    export = export_project(project, tmp_path / "out")
    assert [case.name for case in export.manifest.cases] == ["a_1", "a_2", "b", "c"]
    assert (export.written, export.kept, export.left_out) == (4, 0, ())
    export = export_project(project, tmp_path / "all", statuses=(Status.APPROVED, Status.PREDICTED))
    assert "d" in [case.name for case in export.manifest.cases]
    export = export_project(project, tmp_path / "one", cases=["b"])
    assert [case.name for case in export.manifest.cases] == ["b"]
    with pytest.raises(DataError, match="has no case zebra"):
        export_project(project, tmp_path / "none", cases=["zebra"])
    with pytest.raises(DataError, match="no case to export is approved"):
        export_project(project, tmp_path / "none", cases=["e"])
    assert not (tmp_path / "none").exists()


def test_pairs_read_back_as_they_were_and_images_are_the_same_bytes(project: Project, tmp_path: Path) -> None:
    export_project(project, tmp_path / "out")
    studies = {files.name: load(files).studies[0] for files in find_studies(tmp_path / "out")}
    assert set(studies) == {"a_1", "a_2", "b", "c"}
    for name, study in studies.items():
        view = project.read_case(name)
        np.testing.assert_array_equal(study.mask, view.labels > 0)
        np.testing.assert_array_equal(study.voxels, view.study().voxels)
        assert study.geometry == view.study().geometry
    source = tmp_path / "data" / "b" / "b_2.tif"
    assert (tmp_path / "out" / "b" / "b_2.tif").read_bytes() == source.read_bytes()


def test_the_manifest_traces_every_mask_to_where_it_comes_from(project: Project, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export_project(project, out, licence="CC-BY-4.0")
    manifest = read_manifest(out)
    case = manifest.cases[0]
    last = list(read_frames(project.read_case("a_1").folder))[-1]
    assert (case.journal.seq, case.journal.sha256) == (last.record.seq, last.digest)
    assert case.model is not None
    assert case.model.provenance.weights_sha256 == "ab" * 32
    assert case.model.provenance.preprocessing == {"size": 256}
    assert case.model.journal is not None
    assert case.model.journal.seq == 2
    words = {lesion.id: lesion.origin for lesion in case.lesions}
    assert words == {1: Origin.SEMIAUTOMATIC, 2: Origin.AUTOMATIC, 3: Origin.MANUAL}
    labels = project.read_case("a_1").labels
    assert case.labels_sha256 == hashlib.sha256(labels.tobytes()).hexdigest()
    np.testing.assert_array_equal(labels_from_runs(case.lesions, case.shape), labels)
    assert case.statistics.annotators == ("rater 1",)
    assert case.statistics.edits == {EditKind.MODEL: 1, EditKind.STROKE: 1}
    assert case.status_by == "rater 1"
    assert manifest.licence == "CC-BY-4.0"
    for file in manifest.all_files():
        assert hashlib.sha256((out / file.path).read_bytes()).hexdigest() == file.sha256
    sources = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (tmp_path / "data" / "a_1").glob("*.tif")}
    assert set(case.sources) == sources
    masks = [file for file in case.files if file.role is FileRole.MASK]
    assert [int(read_tiff(out / file.path).max()) for file in masks] == [255, 255, 255]
    assert str(tmp_path) not in (out / "manifest.json").read_text()


@pytest.mark.parametrize("layout", list(Layout))
def test_exporting_twice_gives_the_same_bytes(
    project: Project, tmp_path: Path, contents: Contents, layout: Layout
) -> None:
    first = export_project(project, tmp_path / "one", layout=layout)
    export_project(project, tmp_path / "two", layout=layout)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "one").rglob("*") if path.is_file()}
    again = export_project(project, tmp_path / "one", layout=layout)
    assert (again.written, again.kept) == (0, 4)
    assert again.manifest == first.manifest
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    touched = {path.name for path, time in before.items() if path.stat().st_mtime_ns != time}
    assert touched == {"manifest.json"}
    assert verify(tmp_path / "one").sound


def test_an_export_is_brought_up_to_date(project: Project, tmp_path: Path, contents: Contents) -> None:
    out = tmp_path / "out"
    export_project(project, out)
    with project.open_case("b") as case:
        labels = case.labels.copy()
        labels[0] = 0
        case.commit(labels, EditKind.STROKE)
        case.set_status(Status.APPROVED)
    with project.open_case("c") as case:
        case.set_status(Status.REJECTED, "moved")
    again = export_project(project, out)
    assert (again.written, again.kept) == (1, 2)
    assert not (out / "c").exists()
    export_project(project, tmp_path / "fresh")
    assert contents(out) == contents(tmp_path / "fresh")


def test_what_somebody_else_wrote_or_changed_is_never_replaced(project: Project, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match="is not empty"):
        export_project(project, foreign)
    out = tmp_path / "out"
    export_project(project, out)
    with pytest.raises(DataError, match="laid out as pairs"):
        export_project(project, out, layout=Layout.COCO)
    other = Project.create(tmp_path / "other")
    other.add(project.read_case("b").study())
    with other.open_case("b") as case:
        case.set_status(Status.APPROVED)
    with pytest.raises(DataError, match="another project"):
        export_project(other, out)
    mask = out / "a_1" / "a_1_2_mask.tif"
    mask.write_bytes(b"corrected by hand, here")
    with pytest.raises(DataError, match="a_1_2_mask.tif: was not written by this export, or was changed since"):
        export_project(project, out)
    assert mask.read_bytes() == b"corrected by hand, here"
    mask.unlink()
    export_project(project, out)
    assert verify(out).sound


def test_images_that_changed_are_refused_and_an_older_export_stays(project: Project, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export_project(project, out)
    image = tmp_path / "data" / "b" / "b_1.tif"
    image.write_bytes(image.read_bytes() + b"\0")
    with project.open_case("b") as case:
        case.commit(np.zeros(case.shape, np.uint16), EditKind.STROKE)
        case.set_status(Status.APPROVED)
    with pytest.raises(UnreadableFileError, match="b_1.tif: has changed since it was added"):
        export_project(project, out)
    assert verify(out).sound


def test_cases_that_cannot_be_read_are_named(project: Project, tmp_path: Path) -> None:
    (project.path / "cases" / "c" / "case.json").write_text("{")
    *events, last = exporting_project(project, tmp_path / "out")
    assert any(isinstance(event, Notice) and "case.json: damaged" in event.text for event in events)
    assert isinstance(last, Finished)
    assert len(last.result.left_out) == 1
    assert [case.name for case in last.result.manifest.cases] == ["a_1", "a_2", "b"]


def test_no_patient_is_on_both_sides_and_who_is_held_out_stays(project: Project, tmp_path: Path) -> None:
    export = export_project(project, tmp_path / "out", held_out=0.4, patient_pattern="(.+?)(?:_[0-9])?")
    sides: dict[str, set[Subset]] = {}
    for case in export.manifest.cases:
        sides.setdefault(case.patient, set()).add(case.side)
    assert set(sides) == {"a", "b", "c"}
    assert all(len(side) == 1 for side in sides.values())
    split = json.loads((tmp_path / "out" / "split.json").read_text())
    assert sorted(split["train"] + split["held_out"]) == ["a_1", "a_2", "b", "c"]
    assert split["held_out"]
    with pytest.raises(DataError, match="round brackets"):
        export_project(project, tmp_path / "no", patient_pattern=".*")
