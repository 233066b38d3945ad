"""The export's panel: what is written, what differs, what is taken back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from metseg.curation import EditKind, Project, Status
from metseg.curation.export import Layout, read_manifest
from metseg.events import drain
from metseg.napari_plugin.studio.exporting import exporting, exports_in, place

Wait = Callable[..., None]
SHAPE = (6, 48, 40)


def correct(project: Project, case: str, status: Status) -> None:
    labels = np.zeros(SHAPE, np.uint16)
    labels[2, 5:9, 5:9] = 3
    with project.open_case(case, annotator="x1") as session:
        session.commit(labels, EditKind.STROKE)
        session.set_status(status)


@pytest.fixture
def panel(viewer: Any, make_studio: Any, project: Project, patiently: Wait) -> Any:
    """The panel in a real window; ``ada`` is approved and ``bob`` corrected."""
    from metseg.napari_plugin.studio.export_panel import ExportPanel

    correct(project, "ada", Status.APPROVED)
    correct(project, "bob", Status.CORRECTED)
    studio = make_studio(viewer)
    made = ExportPanel(studio)
    viewer.window.add_dock_widget(made, name="export")
    return made


def test_approved_cases_are_written_in_the_chosen_layouts_and_checked(
    panel: Any, project: Project, tmp_path: Path, patiently: Wait
) -> None:
    pytest.importorskip("nibabel")
    out = tmp_path / "out"
    assert [panel.cases.itemText(n) for n in range(2)] == ["Approved only (1)", "Approved and corrected (2)"]
    panel.layouts[Layout.NNUNET].click()
    panel.held_out.setValue(0)
    panel.licence.setText("CC0-1.0")
    panel.export_to(out)
    assert not panel.work.isHidden()
    patiently(lambda: not panel.studio.busy)
    assert panel.work.isHidden()
    assert panel.result.text().splitlines() == [
        "Training pairs: 1 case; 1 patient to train on, 0 held out",
        "nnU-Net: 1 case; 1 patient to train on, 0 held out",
    ]
    manifest = read_manifest(out / "pairs")
    assert [case.name for case in manifest.cases] == ["ada"]
    assert (manifest.licence, manifest.split.held_out) == ("CC0-1.0", 0)
    assert (out / "Dataset501_project" / "dataset.json").exists()

    panel.cases.setCurrentIndex(1)
    panel.export_to(out)
    patiently(lambda: not panel.studio.busy)
    assert panel.result.text().splitlines()[0].startswith("Training pairs: 2 cases (1 there already)")

    panel.verify_folder(out)
    patiently(lambda: not panel.studio.busy)
    assert panel.result.text().count("files as they were written") == 2
    next((out / "pairs" / "ada").glob("*_mask.tif")).write_bytes(b"x")
    (out / "pairs" / "note.txt").write_text("x")
    panel.verify_folder(out)
    patiently(lambda: not panel.studio.busy)
    assert "1 changed (ada/" in panel.result.text()
    assert "1 extra (note.txt)" in panel.result.text()


def test_an_export_becomes_a_project_again_or_goes_into_this_one(
    panel: Any, project: Project, tmp_path: Path, patiently: Wait
) -> None:
    panel.export_to(tmp_path / "out")
    patiently(lambda: not panel.studio.busy)
    panel.take_back(tmp_path / "out", tmp_path / "second")
    patiently(lambda: not panel.studio.busy)
    assert panel.result.text() == "1 case taken over into second."
    second = Project.open(tmp_path / "second").read_case("ada")
    assert second.status is Status.APPROVED
    np.testing.assert_array_equal(second.labels, project.read_case("ada").labels)

    panel.studio.open_case("ada")
    patiently(lambda: panel.state.case is not None and not panel.studio.busy)
    panel.take_back(tmp_path / "out", project.path)
    assert panel.state.case is None
    patiently(lambda: not panel.studio.busy)
    assert panel.result.text() == "0 cases taken over into project; 1 there already."


def test_what_cannot_be_done_says_why(panel: Any, tmp_path: Path, patiently: Wait, notifications: list[str]) -> None:
    assert panel.export.isEnabled()
    panel.layouts[Layout.PAIRS].click()
    assert panel.export.toolTip() == "Choose a layout first."
    panel.layouts[Layout.PAIRS].click()
    (tmp_path / "out" / "pairs").mkdir(parents=True)
    (tmp_path / "out" / "pairs" / "mine.txt").write_text("x")
    panel.export_to(tmp_path / "out")
    patiently(lambda: not panel.studio.busy)
    assert panel.result.text() == "Nothing was exported."
    assert "is not empty" in panel.remarks.text()
    assert (tmp_path / "out" / "pairs" / "mine.txt").read_text() == "x"
    panel.verify_folder(tmp_path)
    patiently(lambda: not panel.studio.busy)
    assert "there is no export in it" in notifications[-1]
    panel.studio.close_project()
    assert not panel.export.isEnabled()
    assert panel.export.toolTip() == "Open a project first."


def test_one_layout_that_fails_does_not_stop_the_others(project: Project, tmp_path: Path) -> None:
    correct(project, "ada", Status.APPROVED)
    out = tmp_path / "out"
    blocked = place(out, Layout.PAIRS, project)
    blocked.mkdir(parents=True)
    (blocked / "mine.txt").write_text("x")
    pytest.importorskip("pycocotools")
    done = drain(exporting(project, out, (Layout.PAIRS, Layout.COCO), {}))
    assert [export.manifest.layout for export in done.exports] == [Layout.COCO]
    assert len(done.problems) == 1
    assert done.problems[0].startswith("Training pairs: ")
    assert exports_in(out) == [out / "coco"]
