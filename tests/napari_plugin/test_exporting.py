"""From a corrected outline in the viewer to pairs that training reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from metseg.curation import export_pairs
from metseg.napari_plugin import dialogs, export_command
from metseg.napari_plugin.state import Slices
from metseg.study import Study, read_study, read_tiff

Wait = Callable[..., None]


@pytest.fixture
def source(study: Study, tmp_path: Path) -> Path:
    """A patient's folder."""
    return export_pairs(study, study.mask, tmp_path / "source")[0].parent


@pytest.fixture
def ready(viewer: Any, open_widget: Callable[[], Any], source: Path) -> Any:
    viewer.open(str(source), plugin="napari-metseg")
    return open_widget()


@pytest.fixture
def chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the user chooses in the dialog."""
    folder = tmp_path / "out"
    folder.mkdir()
    monkeypatch.setattr(dialogs.QFileDialog, "getExistingDirectory", lambda *_: str(folder))
    return folder


def answer(monkeypatch: pytest.MonkeyPatch, button: Any) -> list[str]:
    """Answer every question with ``button``; returns what was asked."""
    asked: list[str] = []

    def question(_parent: Any, _title: str, text: str, *_: Any) -> Any:
        asked.append(text)
        return button

    monkeypatch.setattr(dialogs.QMessageBox, "question", question)
    return asked


def test_a_corrected_network_outline_reads_back_as_training_data(
    viewer: Any, ready: Any, source: Path, chosen: Path, study: Study, patiently: Wait
) -> None:
    ready.run.run.click()
    patiently(lambda: not ready.controller.busy)
    outline = viewer.layers["lesions (FLAIR abnormality) · head"]
    outline.fill((3, 30, 30), 3)
    outline.paint((3, 8, 8), 1)
    ready.state.slices = Slices.ALL
    ready.result.export.click()
    patiently(lambda: not ready.controller.busy)
    read = read_study(chosen)
    np.testing.assert_array_equal(read.voxels, study.voxels)
    np.testing.assert_array_equal(read.mask, outline.data > 0)
    assert read.sequences == study.sequences
    assert read.geometry == study.geometry
    for image in source.glob("head_?.tif"):
        assert (chosen / "head" / image.name).read_bytes() == image.read_bytes()
    layer = "lesions (FLAIR abnormality) · head (tiny, threshold 0.5, edited by hand in 1 slice)"
    assert f"6 slices of {layer} exported to" in ready.result.notices.text()


def test_only_slices_edited_by_hand(viewer: Any, ready: Any, chosen: Path, patiently: Wait) -> None:
    mask = viewer.layers["mask · head"]
    mask.paint((1, 8, 8), 1)
    mask.paint((4, 8, 8), 1)
    patiently(lambda: ready.state.edited)
    assert ready.state.outline == mask
    assert ready.result.slices.currentText() == "Slices edited or confirmed"
    ready.result.export.click()
    patiently(lambda: not ready.controller.busy)
    assert sorted(path.name for path in (chosen / "head").glob("*.tif")) == [
        "head_2.tif",
        "head_2_mask.tif",
        "head_5.tif",
        "head_5_mask.tif",
    ]


@pytest.mark.slow
def test_an_edited_outline_is_exported_and_named_after_another_run(
    viewer: Any, ready: Any, chosen: Path, study: Study, patiently: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready.run.run.click()
    patiently(lambda: not ready.controller.busy)
    outline = viewer.layers["lesions (FLAIR abnormality) · head"]
    outline.fill((3, 30, 30), 3)
    outline.paint((3, 8, 8), 1)
    ready.state.threshold = 0.8
    ready.run.run.click()
    patiently(lambda: not ready.controller.busy)
    assert len([layer for layer in viewer.layers if layer.name.startswith("lesions")]) == 2
    assert ready.result.export.accessibleName().endswith(f" · {outline.name} · {ready.state.origin}")
    assert "edited by hand in 1 slice" in ready.state.origin
    titles: list[str] = []
    monkeypatch.setattr(
        dialogs.QFileDialog, "getExistingDirectory", lambda _, title, *__: titles.append(title) or str(chosen)
    )
    ready.result.export.click()
    patiently(lambda: not ready.controller.busy)
    assert titles == [f"Export {outline.name} ({ready.state.origin}) to"]
    assert [path.name for path in (chosen / "head").glob("*_mask.tif")] == ["head_4_mask.tif"]
    np.testing.assert_array_equal(read_tiff(chosen / "head/head_4_mask.tif")[0, 0] > 0, outline.data[3] > 0)
    assert f"1 slice of {outline.name} (tiny, threshold 0.5, edited by hand" in ready.result.notices.text()


@pytest.mark.slow
def test_confirmed_slices_are_exported_with_the_edited_ones(
    viewer: Any, ready: Any, chosen: Path, patiently: Wait
) -> None:
    mask = viewer.layers["mask · head"]
    mask.paint((1, 8, 8), 1)
    patiently(lambda: ready.state.edited)
    viewer.dims.set_current_step(0, 3)
    ready.result.confirm.click()
    ready.result.export.click()
    patiently(lambda: not ready.controller.busy)
    written = sorted(path.name for path in (chosen / "head").glob("*_mask.tif"))
    assert written == ["head_2_mask.tif", "head_4_mask.tif"]


@pytest.mark.slow
def test_only_slices_with_a_lesion(viewer: Any, ready: Any, chosen: Path, study: Study, patiently: Wait) -> None:
    ready.state.outline = viewer.layers["mask · head"]
    ready.state.slices = Slices.LESION
    ready.result.export.click()
    patiently(lambda: not ready.controller.busy)
    assert len(list((chosen / "head").glob("*_mask.tif"))) == int(study.mask.any(axis=(1, 2)).sum())


@pytest.mark.slow
def test_no_slice_of_the_wanted_kind_is_said(
    viewer: Any, ready: Any, chosen: Path, patiently: Wait, notifications: list[str]
) -> None:
    ready.state.outline = viewer.layers["mask · head"]
    ready.state.slices = Slices.EDITED
    ready.result.export.click()
    patiently(lambda: not ready.controller.busy)
    assert any("no slices edited or confirmed" in said for said in notifications)
    assert not list(chosen.iterdir())


def test_files_are_replaced_only_after_a_yes(
    viewer: Any, ready: Any, chosen: Path, patiently: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    buttons = dialogs.QMessageBox.StandardButton
    ready.state.outline = viewer.layers["mask · head"]
    ready.state.slices = Slices.ALL
    ready.result.export.click()
    patiently(lambda: not ready.controller.busy)
    before = read_study(chosen).mask
    mask = viewer.layers["mask · head"]
    mask.paint((0, 8, 8), 1)
    asked = answer(monkeypatch, buttons.Cancel)
    ready.result.export.click()
    patiently(lambda: not ready.controller.busy)
    assert len(asked) == 1
    assert "12 of these files exist" in asked[0]
    assert "Replace them by slices of mask · head (reference mask, edited by hand in 1 slice)?" in asked[0]
    np.testing.assert_array_equal(read_study(chosen).mask, before)
    answer(monkeypatch, buttons.Yes)
    ready.result.export.click()
    patiently(lambda: not ready.controller.busy)
    np.testing.assert_array_equal(read_study(chosen).mask, mask.data)


def test_a_layer_drawn_on_a_plain_image_can_be_exported(
    viewer: Any, open_widget: Callable[[], Any], chosen: Path, patiently: Wait
) -> None:
    pixels = np.random.default_rng(0).integers(0, 9000, (3, 30, 40)).astype(np.uint16)
    viewer.add_image(pixels, name="plain")
    drawn = viewer.add_labels(np.zeros(pixels.shape, np.uint8))
    drawn.paint((1, 10, 10), 1)
    widget = open_widget()
    patiently(lambda: not widget.controller.busy)
    assert widget.state.outline == drawn
    assert widget.state.origin == "drawn by hand or opened elsewhere"
    widget.state.slices = Slices.ALL
    widget.result.export.click()
    patiently(lambda: not widget.controller.busy)
    read = read_study(chosen)
    np.testing.assert_array_equal(read.voxels[0], pixels)
    np.testing.assert_array_equal(read.mask, drawn.data)


def test_the_menu_exports_the_selected_layer(
    viewer: Any, source: Path, chosen: Path, study: Study, patiently: Wait, notifications: list[str]
) -> None:
    viewer.open(str(source), plugin="napari-metseg")
    export_command.export_selected_outline(viewer)
    patiently(lambda: any("exported" in said for said in notifications))
    np.testing.assert_array_equal(read_study(chosen).mask, study.mask)
    assert any("6 slices of mask · head (reference mask) exported to" in said for said in notifications)


def test_the_menu_entry_finds_the_viewer_and_says_what_to_select(viewer: Any, notifications: list[str]) -> None:
    from napari._app_model import get_app_model

    get_app_model().commands.execute_command("napari-metseg.export_pairs").result()
    assert any("Select a labels layer" in said for said in notifications)


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_is_said(
    viewer: Any, ready: Any, chosen: Path, patiently: Wait, notifications: list[str]
) -> None:
    ready.state.outline = viewer.layers["mask · head"]
    (chosen / "head").write_text("a file where the folder should be")
    ready.result.export.click()
    patiently(lambda: not ready.controller.busy)
    assert any("head" in said and "ERROR" in said.upper() for said in notifications)
