"""An export taken back goes on where it stood."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from metseg.curation import EditKind, Origin, Project, Status
from metseg.curation.export import Layout, export_project, import_export, read_manifest
from metseg.errors import DataError


@pytest.mark.parametrize("layout", list(Layout))
def test_a_new_project_gets_the_same_labels_images_and_status(project: Project, tmp_path: Path, layout: Layout) -> None:
    export_project(project, tmp_path / "out", layout=layout)
    other = Project.create(tmp_path / "other")
    done = import_export(other, tmp_path / "out", annotator="rater 3")
    assert done.taken == ("a_1", "a_2", "b", "c")
    for name in done.taken:
        before, after = project.read_case(name), other.read_case(name)
        np.testing.assert_array_equal(after.labels, before.labels)
        np.testing.assert_array_equal(after.study().voxels, before.study().voxels)
        assert after.description.spacing == before.description.spacing
        assert after.status is Status.APPROVED
    (record,) = [record for record in other.read_case("a_1").history() if record.kind is EditKind.IMPORT]
    manifest = read_manifest(tmp_path / "out")
    assert record.detail["manifest_sha256"] == manifest.sha256
    assert record.annotator == "rater 3"
    again = import_export(other, tmp_path / "out")
    assert (again.taken, again.there) == ((), ("a_1", "a_2", "b", "c"))


def test_where_a_lesion_came_from_survives_the_round_trip(project: Project, tmp_path: Path) -> None:
    first = export_project(project, tmp_path / "out").manifest.cases[0]
    other = Project.create(tmp_path / "other")
    import_export(other, tmp_path / "out")
    second = export_project(other, tmp_path / "out2").manifest.cases[0]
    assert second.lesions == first.lesions
    assert second.model == first.model
    assert second.labels_sha256 == first.labels_sha256
    with other.open_case("a_1") as case:
        labels = case.labels.copy()
        labels[1, 6, 8] = 0  # of the lesion that only the network had drawn
        case.commit(labels, EditKind.STROKE)
        case.set_status(Status.APPROVED)
    third = export_project(other, tmp_path / "out2").manifest.cases[0]
    assert {lesion.id: lesion.origin for lesion in third.lesions} == {
        1: Origin.SEMIAUTOMATIC,
        2: Origin.SEMIAUTOMATIC,
        3: Origin.MANUAL,
    }


def test_work_done_since_is_not_replaced(project: Project, tmp_path: Path) -> None:
    export_project(project, tmp_path / "out")
    with project.open_case("b") as case:
        case.commit(np.ones(case.shape, np.uint16), EditKind.FILL)
    done = import_export(project, tmp_path / "out")
    assert done.there == ("a_1", "a_2", "b", "c")
    assert project.read_case("b").labels.all()
    other = Project.create(tmp_path / "other")
    other.add(project.read_case("b").study())
    with other.open_case("b") as case:
        case.commit(np.ones(case.shape, np.uint16), EditKind.FILL)
    done = import_export(other, tmp_path / "out")
    assert done.left_out == ("b",)
    assert other.read_case("b").labels.all()


def test_a_damaged_export_is_not_taken(project: Project, tmp_path: Path) -> None:
    export_project(project, tmp_path / "out")
    (tmp_path / "out" / "b" / "b_1_mask.tif").unlink()
    other = Project.create(tmp_path / "other")
    with pytest.raises(DataError, match="b/b_1_mask.tif"):
        import_export(other, tmp_path / "out")
    assert other.cases() == ()
