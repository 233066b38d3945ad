"""A run through the widget: a real viewer, a real thread, a real network."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from app_model.types import KeyBinding
from qtpy.QtCore import QTimer

from metseg.lesions import label_lesions, mask_from_probabilities
from metseg.napari_plugin import dialogs
from metseg.napari_plugin.layers import study_layers
from metseg.napari_plugin.outlines import outline_of
from metseg.napari_plugin.state import Activity
from metseg.preprocessing import Clahe
from metseg.study import Study

Wait = Callable[..., None]
Make = Callable[..., Study]
AtSlice = Callable[..., None]

#: Generous: other work may share the machine. What is measured is printed.
LONGEST_STALL = 0.5


def add(viewer: Any, study: Study) -> None:
    """Show a study as the reader does, without its mask."""
    for data, keywords, kind in study_layers(study):
        if kind == "image":
            viewer.add_image(data, **keywords)


@pytest.fixture
def ready(viewer: Any, open_widget: Callable[[], Any], study: Study) -> Any:
    add(viewer, study)
    return open_widget()


def run(widget: Any, patiently: Wait) -> None:
    assert widget.run.run.isEnabled(), widget.run.run.toolTip()
    widget.run.run.click()
    assert widget.state.activity is Activity.RUNNING
    patiently(lambda: not widget.controller.busy)


def open_file(widget: Any, path: Path, patiently: Wait) -> None:
    """Press … and choose ``path``: the window does not wait for the file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dialogs.QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
        widget.input.open_model.click()
    assert widget.input.summary.text() == f"Opening {path.name} …"
    assert "Still opening" in widget.run.run.toolTip()
    patiently(lambda: not widget.controller.busy)
    assert widget.state.opening == ""


def outlines(viewer: Any) -> list[Any]:
    return [layer for layer in viewer.layers if layer.name.startswith("lesions")]


def test_a_run_adds_an_editable_outline_on_the_image(viewer: Any, ready: Any, study: Study, patiently: Wait) -> None:
    run(ready, patiently)
    (layer,) = outlines(viewer)
    segmentation = outline_of(layer).segmentation
    np.testing.assert_array_equal(layer.data, segmentation.mask)
    assert segmentation.probabilities.shape == study.shape
    assert segmentation.model == "tiny"
    assert layer.name == "lesions (FLAIR abnormality) · head"
    assert layer.editable
    flair = viewer.layers["FLAIR · head"]
    assert tuple(layer.scale) == tuple(flair.scale)
    assert layer.units == flair.units
    assert tuple(layer.axis_labels) == ("z", "y", "x")
    assert viewer.layers.selection.active == layer
    assert "ml" in ready.state.summary or ready.state.summary == "no lesion"
    assert ready.state.activity is Activity.IDLE
    layer.paint((1, 3, 3), 1)
    assert layer.data[1, 3, 3] == 1


def test_a_new_run_replaces_an_unedited_outline_as_one_undoable_step(viewer: Any, ready: Any, patiently: Wait) -> None:
    run(ready, patiently)
    (layer,) = outlines(viewer)
    before = layer.data.copy()
    ready.state.clahe = Clahe.OFF
    ready.state.threshold = 0.7
    patiently(lambda: not ready.controller.busy)
    derived = layer.data.copy()
    run(ready, patiently)
    assert outlines(viewer) == [layer]
    after = layer.data.copy()
    assert not np.array_equal(after, derived)
    layer.undo()
    np.testing.assert_array_equal(layer.data, derived)
    layer.undo()
    np.testing.assert_array_equal(layer.data, before)
    layer.redo()
    layer.redo()
    np.testing.assert_array_equal(layer.data, after)


def test_an_edited_outline_is_left_alone_by_the_next_run_and_stays_chosen(
    viewer: Any, ready: Any, patiently: Wait
) -> None:
    run(ready, patiently)
    (first,) = outlines(viewer)
    first.paint((2, 20, 20), 2)
    first.mode = "paint"
    edited = first.data.copy()
    patiently(lambda: ready.state.edited)
    step = viewer.dims.current_step
    ready.state.threshold = 0.3
    run(ready, patiently)
    np.testing.assert_array_equal(first.data, edited)
    assert len(outlines(viewer)) == 2
    second = outlines(viewer)[-1]
    assert ready.state.outline == first
    assert viewer.layers.selection.active == first
    assert first.mode == "paint"
    assert viewer.dims.current_step == step
    assert ready.state.origin == "tiny, threshold 0.5, edited by hand in 1 slice"
    assert f"The result is in the layer {second.name}" in ready.result.notices.text()
    ready.state.outline = second  # who wants the new one can have it
    patiently(lambda: not ready.controller.busy)
    assert ready.state.origin == "tiny, threshold 0.3"
    assert not ready.state.edited


def test_results_are_never_drawn_in_one_colour(viewer: Any, ready: Any, study: Study, patiently: Wait) -> None:
    for data, keywords, kind in study_layers(study):
        if kind == "labels":
            viewer.add_labels(data, **keywords)
    run(ready, patiently)
    for number in range(5):
        outlines(viewer)[-1].paint((2, 10 + number, 10), 2)
        ready.controller.run()
        patiently(lambda: not ready.controller.busy)
    layers = [layer for layer in viewer.layers if layer.name.startswith(("lesions", "mask"))]
    assert len(layers) == 7
    colours = np.array([layer.get_color(1)[:3] for layer in layers])
    apart = np.abs(colours[:, None] - colours[None]).max(axis=2)
    assert apart[~np.eye(7, dtype=bool)].min() > 0.15


def test_before_a_run_the_mask_of_the_files_is_called_a_reference_mask(
    viewer: Any, open_widget: Callable[[], Any], study: Study, patiently: Wait
) -> None:
    for data, keywords, kind in study_layers(study):
        (viewer.add_image if kind == "image" else viewer.add_labels)(data, **keywords)
    mask = viewer.layers["mask · head"]
    widget = open_widget()
    patiently(lambda: not widget.controller.busy)
    assert widget.state.outline is None
    assert widget.run.summary.text() == "Reference mask; no result yet"
    assert not widget.run.summary.font().bold()
    assert not widget.result.export.isEnabled()
    assert "no result yet" in widget.result.export.toolTip()
    assert widget.result.outline.itemText(0) == "mask · head (reference mask)"
    widget.result.outline.setCurrentIndex(0)  # it is exported by whoever asks for it
    patiently(lambda: not widget.controller.busy)
    assert widget.state.outline == mask
    assert widget.run.summary.text().startswith("Reference mask: 1 lesion")
    assert not widget.run.summary.font().bold()
    assert widget.result.export.isEnabled()
    assert widget.state.origin == "reference mask"
    run(widget, patiently)
    assert widget.state.outline == outlines(viewer)[0]
    assert widget.run.summary.font().weight() > widget.run.cancel.font().weight()


def test_a_reference_mask_that_is_edited_becomes_the_chosen_layer(
    viewer: Any, open_widget: Callable[[], Any], study: Study, patiently: Wait
) -> None:
    for data, keywords, kind in study_layers(study):
        (viewer.add_image if kind == "image" else viewer.add_labels)(data, **keywords)
    widget = open_widget()
    mask = viewer.layers["mask · head"]
    mask.paint((1, 8, 8), 1)
    patiently(lambda: widget.state.edited)
    assert widget.state.outline == mask
    assert widget.state.origin == "reference mask, edited by hand in 1 slice"
    run(widget, patiently)
    assert widget.state.outline == mask


def test_a_run_goes_to_the_largest_lesion_and_keeps_the_zoom(viewer: Any, ready: Any, patiently: Wait) -> None:
    viewer.scene.camera.zoom = zoom = viewer.scene.camera.zoom * 0.9
    viewer.dims.set_current_step(0, 0)
    centre = viewer.scene.camera.center
    run(ready, patiently)
    (layer,) = outlines(viewer)
    labels = label_lesions(layer.data)
    largest = labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])
    assert viewer.dims.current_step[0] == np.argmax(largest.sum(axis=(1, 2)))
    assert viewer.scene.camera.zoom == zoom
    assert viewer.scene.camera.center == centre  # all of the head is on the canvas: nothing to move


def test_outlines_are_contours_and_keys_fill_and_hide_them(
    viewer: Any, open_widget: Callable[[], Any], study: Study, patiently: Wait
) -> None:
    for data, keywords, kind in study_layers(study):
        (viewer.add_image if kind == "image" else viewer.add_labels)(data, **keywords)
    drawn = viewer.add_labels(np.zeros(study.shape, np.uint8), name="another's")
    widget = open_widget()
    run(widget, patiently)
    mask, result = viewer.layers["mask · head"], outlines(viewer)[0]
    assert (mask.contour, result.contour, drawn.contour) == (1, 1, 0)
    contour = result.opacity
    for selected in (result, viewer.layers["FLAIR · head"]):
        viewer.layers.selection.active = selected
        press(selected, "Shift+F")
        assert (mask.contour, result.contour, drawn.contour) == (0, 0, 0)
        assert result.opacity < contour
        press(selected, "Shift+F")
        assert (mask.contour, result.contour) == (1, 1)
        assert result.opacity == contour
    mask.visible = False
    held = selected.keymap[KeyBinding.from_str("Q")](selected)
    next(held)
    assert not result.visible
    next(held, None)
    assert (mask.visible, result.visible) == (False, True)
    viewer.window.remove_dock_widget(widget)
    assert not {KeyBinding.from_str("Q"), KeyBinding.from_str("Shift+F")} & set(result.keymap)


def press(layer: Any, key: str) -> None:
    layer.keymap[KeyBinding.from_str(key)](layer)


def test_confirmed_slices_are_kept_by_the_next_run(viewer: Any, ready: Any, patiently: Wait) -> None:
    run(ready, patiently)
    (first,) = outlines(viewer)
    before = first.data.copy()
    viewer.dims.set_current_step(0, 4)
    assert ready.result.confirm.isEnabled()
    ready.result.confirm.click()
    viewer.dims.set_current_step(0, 1)
    assert not ready.result.confirm.isChecked()
    patiently(lambda: not ready.controller.busy)
    assert ready.state.origin == "tiny, threshold 0.5, 1 slice confirmed"
    ready.state.threshold = 0.8
    patiently(lambda: not ready.controller.busy)
    np.testing.assert_array_equal(first.data, before)
    viewer.dims.set_current_step(0, 4)
    assert ready.result.confirm.isChecked()
    ready.result.confirm.click()
    patiently(lambda: not ready.controller.busy)
    assert ready.state.origin == "tiny, threshold 0.5"


def test_what_a_person_drew_is_left_alone(viewer: Any, ready: Any, study: Study, patiently: Wait) -> None:
    drawn = viewer.add_labels(
        np.zeros(study.shape, np.uint8), name="lesions drawn", scale=(5, 0.9, 0.9), units=("mm",) * 3
    )
    drawn.paint((2, 10, 10), 1)
    before = drawn.data.copy()
    run(ready, patiently)
    ready.state.threshold = 0.3
    patiently(lambda: not ready.controller.busy)
    np.testing.assert_array_equal(drawn.data, before)
    assert len(outlines(viewer)) == 2


def test_edits_made_during_a_run_survive_it(viewer: Any, ready: Any, patiently: Wait) -> None:
    run(ready, patiently)
    (first,) = outlines(viewer)
    ready.run.run.click()
    first.paint((2, 20, 20), 2)
    edited = first.data.copy()
    patiently(lambda: not ready.controller.busy)
    np.testing.assert_array_equal(first.data, edited)
    assert len(outlines(viewer)) == 2


def test_threshold_and_smallest_act_on_the_last_run_at_once(viewer: Any, ready: Any, patiently: Wait) -> None:
    run(ready, patiently)
    (layer,) = outlines(viewer)
    probabilities = outline_of(layer).segmentation.probabilities
    ready.outline.threshold.setValue(0.8)
    ready.outline.smallest.setValue(30)
    patiently(lambda: not ready.controller.busy)
    segmentation = outline_of(layer).segmentation
    assert segmentation.postprocessing.threshold == ready.state.threshold
    assert segmentation.postprocessing.smallest == 30
    expected = mask_from_probabilities(probabilities, segmentation.postprocessing)
    assert 0 < expected.mean() < 1
    np.testing.assert_array_equal(layer.data, expected)
    assert segmentation.probabilities is probabilities


def test_threshold_never_touches_an_edited_outline_but_offers_a_new_one(
    viewer: Any, ready: Any, patiently: Wait
) -> None:
    run(ready, patiently)
    (layer,) = outlines(viewer)
    layer.paint((2, 20, 20), 2)
    edited = layer.data.copy()
    ready.state.threshold = 0.8
    patiently(lambda: ready.state.outdated)
    np.testing.assert_array_equal(layer.data, edited)
    assert not ready.result.anew.isHidden()
    ready.result.anew.click()
    np.testing.assert_array_equal(layer.data, edited)
    second = outlines(viewer)[-1]
    assert second != layer
    np.testing.assert_array_equal(second.data, outline_of(second).segmentation.mask)
    assert outline_of(second).segmentation.postprocessing.threshold == ready.state.threshold
    patiently(lambda: not ready.controller.busy)
    assert not ready.state.outdated


def test_a_run_with_another_threshold_uses_the_probabilities_of_the_run_before(
    viewer: Any, ready: Any, patiently: Wait
) -> None:
    run(ready, patiently)
    [first] = outlines(viewer)
    known = outline_of(first).segmentation
    first.data_setitem((np.array([0]), np.array([0]), np.array([0])), np.array([2]))
    patiently(lambda: ready.state.edited and not ready.controller.busy)
    ready.state.threshold = 0.2
    patiently(lambda: not ready.controller.busy)
    run(ready, patiently)
    [second] = [layer for layer in outlines(viewer) if layer is not first]
    again = outline_of(second).segmentation
    assert again.probabilities is known.probabilities
    assert again.postprocessing.threshold == 0.2
    np.testing.assert_array_equal(second.data, mask_from_probabilities(known.probabilities, again.postprocessing))
    assert any("are used again" in notice for notice in ready.state.notices)


def test_cancel_stops_and_leaves_no_layer(
    make_head: Make, viewer: Any, open_widget: Callable[[], Any], patiently: Wait, at_slice: AtSlice
) -> None:
    add(viewer, make_head(slices=120))
    widget = open_widget()
    before = list(viewer.layers)
    cancelled: list[Activity] = []

    def cancel() -> None:
        widget.run.cancel.click()
        cancelled.append(widget.state.activity)

    at_slice(widget, 4, cancel)
    widget.run.run.click()
    patiently(lambda: not widget.controller.busy)
    assert cancelled == [Activity.CANCELLING]
    assert widget.state.activity is Activity.IDLE
    assert list(viewer.layers) == before
    assert widget.run.run.isEnabled()
    at_slice(widget, 4, cancel)
    widget.run.run.click()  # and it can be started again
    patiently(lambda: not widget.controller.busy)
    assert len(cancelled) == 2
    assert list(viewer.layers) == before


def test_the_window_stays_alive_while_the_network_works(
    make_head: Make,
    viewer: Any,
    open_widget: Callable[[], Any],
    patiently: Wait,
    at_slice: AtSlice,
    capsys: pytest.CaptureFixture[str],
) -> None:
    add(viewer, make_head(slices=24, size=128))
    widget = open_widget()
    beats: list[float] = []
    until_ready: list[float] = []
    timer = QTimer()
    timer.timeout.connect(lambda: beats.append(time.perf_counter()))
    timer.start(5)
    at_slice(widget, 24, lambda: until_ready.extend(beats))
    widget.run.run.click()
    patiently(lambda: not widget.controller.busy)
    timer.stop()
    predicting = np.diff(until_ready)
    longest, altogether = float(predicting.max()), float(np.diff(beats).max())
    with capsys.disabled():
        print(
            f"\nlongest stall of the window: {longest * 1000:.0f} ms while the network works"
            f" ({predicting.sum():.1f} s), {altogether * 1000:.0f} ms until the new layer is drawn"
        )
    assert longest < LONGEST_STALL


def test_closing_the_dock_ends_a_run_and_leaves_nothing(
    make_head: Make, viewer: Any, open_widget: Callable[[], Any], patiently: Wait, at_slice: AtSlice
) -> None:
    add(viewer, make_head(slices=120))
    widget = open_widget()
    widget.state.preview = True
    patiently(lambda: any("preview" in layer.name for layer in viewer.layers))
    closed: list[bool] = []

    def close() -> None:
        viewer.window.remove_dock_widget(widget)
        closed.append(not widget.controller.busy)

    at_slice(widget, 4, close)
    widget.run.run.click()
    patiently(lambda: closed)
    assert closed == [True]
    assert [layer.name.partition(" ")[0] for layer in viewer.layers] == ["pre", "post", "FLAIR"]
    viewer.layers.clear()


def test_a_closed_image_drops_its_run(viewer: Any, ready: Any, patiently: Wait, notifications: list[str]) -> None:
    ready.run.run.click()
    viewer.layers.clear()
    patiently(lambda: not ready.controller.busy)
    assert len(viewer.layers) == 0
    assert any("closed during the run" in said for said in notifications)


def test_a_damaged_checkpoint_is_named_and_the_widget_goes_on(
    viewer: Any, ready: Any, weights: Path, tmp_path: Path, patiently: Wait, notifications: list[str]
) -> None:
    whole = (weights / "tiny" / "model.safetensors").read_bytes()
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(whole)
    open_file(ready, damaged, patiently)
    assert ready.state.model == str(damaged)
    damaged.write_bytes(whole[: len(whole) // 2])
    ready.run.run.click()
    patiently(lambda: not ready.controller.busy)
    assert any("damaged.safetensors" in said for said in notifications)
    assert "damaged.safetensors" in ready.result.notices.text()
    assert not outlines(viewer)
    ready.state.model = "tiny"
    run(ready, patiently)
    assert outlines(viewer)


def test_a_file_that_is_no_network_is_refused_when_opened(
    ready: Any, tmp_path: Path, patiently: Wait, notifications: list[str]
) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"not weights at all")
    open_file(ready, tmp_path / "model.safetensors", patiently)
    assert any("model.safetensors" in said for said in notifications)
    assert ready.state.model == "tiny"
    assert ready.run.run.isEnabled()


def test_run_says_why_it_cannot(viewer: Any, open_widget: Callable[[], Any], study: Study) -> None:
    widget = open_widget()
    assert not widget.run.run.isEnabled()
    assert "Open an image first" in widget.run.run.toolTip()
    assert "no outline" in widget.result.export.toolTip()
    add(viewer, study)
    assert widget.run.run.isEnabled()
    viewer.layers.clear()
    assert not widget.run.run.isEnabled()


@pytest.mark.parametrize(
    ("shape", "keywords", "expected", "said"),
    [
        ((40, 50), {}, (40, 50), "used in place"),
        ((3, 40, 50), {}, (3, 40, 50), "used in place"),
        ((40, 50, 3), {"rgb": True}, (40, 50), ""),
        ((2, 40, 50, 3), {"rgb": False}, (2, 40, 50, 1), ""),
        ((3, 2, 40, 50), {}, (2, 40, 50), ""),
    ],
)
def test_any_image_layer_can_be_segmented(
    viewer: Any, open_widget: Callable[[], Any], patiently: Wait, shape: Any, keywords: Any, expected: Any, said: str
) -> None:
    data = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    image = viewer.add_image(data, name="plain", **keywords)
    image.scale = np.arange(1, image.ndim + 1)
    widget = open_widget()
    run(widget, patiently)
    (layer,) = outlines(viewer)
    assert layer.data.shape == expected
    assert tuple(layer.scale) == tuple(image.scale)[-layer.ndim :]
    assert said in widget.result.notices.text()


def test_a_second_run_on_a_plain_image_replaces_its_outline(
    viewer: Any, open_widget: Callable[[], Any], patiently: Wait
) -> None:
    viewer.add_image(np.random.default_rng(0).integers(0, 255, (3, 40, 50)).astype(np.uint8), name="plain")
    widget = open_widget()
    run(widget, patiently)
    widget.state.clahe = Clahe.OFF
    run(widget, patiently)
    assert [layer.name for layer in outlines(viewer)] == ["lesions (FLAIR abnormality) · plain"]


def test_float_images_are_segmented_as_they_are(
    make_head: Make, viewer: Any, open_widget: Callable[[], Any], patiently: Wait
) -> None:
    image = make_head().voxels[1] / 37.0 - 2
    image[0, 0, 0] = np.nan
    viewer.add_image(image, name="floats", contrast_limits=(-2, 5))
    widget = open_widget()
    run(widget, patiently)
    assert "not finite" in widget.result.notices.text()
    study = outline_of(outlines(viewer)[0]).study
    assert study.voxels.dtype == image.dtype
    assert study.voxels.max() == image[np.isfinite(image)].max()
    assert study.geometry.spacing is None
    assert "voxels" in widget.state.summary or widget.state.summary == "no lesion"


def test_axes_that_make_no_sense_are_said(
    viewer: Any, open_widget: Callable[[], Any], patiently: Wait, notifications: list[str]
) -> None:
    viewer.add_image(np.zeros((5, 6, 7, 8), np.uint8), name="what")
    widget = open_widget()
    widget.run.run.click()
    patiently(lambda: not widget.controller.busy)
    assert any("what" in said and "(5, 6, 7, 8)" in said for said in notifications)


def test_a_newly_opened_study_is_chosen_and_keeps_its_own_outline(
    make_head: Make, viewer: Any, ready: Any, patiently: Wait
) -> None:
    run(ready, patiently)
    add(viewer, make_head("second", seed=3))
    assert ready.state.image.name == "FLAIR · second"
    assert ready.state.outline is None
    run(ready, patiently)
    assert [layer.name for layer in outlines(viewer)] == [
        "lesions (FLAIR abnormality) · head",
        "lesions (FLAIR abnormality) · second",
    ]
    assert [choice.title for choice in ready.state.images] == ["head", "second"]
