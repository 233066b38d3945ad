"""A run through the widget: a real viewer, a real thread, a real network."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QTimer

from metseg.lesions import label_lesions, mask_from_probabilities
from metseg.napari_plugin import dialogs
from metseg.napari_plugin.outlines import outline_of
from metseg.napari_plugin.state import Activity
from metseg.study import Study

Wait = Callable[..., None]
Make = Callable[..., Study]
AtSlice = Callable[..., None]

#: Generous: other work may share the machine. What is measured is printed.
LONGEST_STALL = 0.5


def open_file(widget: Any, path: Path, patiently: Wait) -> None:
    """Press … and choose ``path``: the window does not wait for the file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dialogs.QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
        widget.input.open_model.click()
    assert widget.input.summary.text() == f"Opening {path.name} …"
    assert "Still opening" in widget.run.run.toolTip()
    patiently(lambda: not widget.controller.busy)
    assert widget.state.opening == ""


def test_a_run_adds_an_editable_outline_on_the_image(
    viewer: Any, ready: Any, study: Study, patiently: Wait, run: Any, outlines: Any
) -> None:
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


def test_a_run_goes_to_the_largest_lesion_and_keeps_the_zoom(
    viewer: Any, ready: Any, patiently: Wait, run: Any, outlines: Any
) -> None:
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


@pytest.mark.slow
def test_a_run_with_another_threshold_uses_the_probabilities_of_the_run_before(
    viewer: Any, ready: Any, patiently: Wait, run: Any, outlines: Any
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
    make_head: Make, viewer: Any, open_widget: Callable[[], Any], patiently: Wait, at_slice: AtSlice, add: Any
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
    add: Any,
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
    make_head: Make, viewer: Any, open_widget: Callable[[], Any], patiently: Wait, at_slice: AtSlice, add: Any
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
    viewer: Any,
    ready: Any,
    weights: Path,
    tmp_path: Path,
    patiently: Wait,
    notifications: list[str],
    run: Any,
    outlines: Any,
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


def test_run_says_why_it_cannot(viewer: Any, open_widget: Callable[[], Any], study: Study, add: Any) -> None:
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
    viewer: Any,
    open_widget: Callable[[], Any],
    patiently: Wait,
    shape: Any,
    keywords: Any,
    expected: Any,
    said: str,
    run: Any,
    outlines: Any,
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


def test_float_images_are_segmented_as_they_are(
    make_head: Make, viewer: Any, open_widget: Callable[[], Any], patiently: Wait, run: Any, outlines: Any
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


def test_a_view_across_the_slices_is_told_along_which_axis_it_runs(
    viewer: Any, ready: Any, study: Study, patiently: Wait, run: Any, outlines: Any, notifications: list[str]
) -> None:
    viewer.dims.order = (2, 0, 1)
    run(ready, patiently)
    assert [text for text in notifications if "own slice axis, not as they are shown" in text]
    (layer,) = outlines(viewer)
    across = layer.data.copy()
    viewer.dims.order = (0, 1, 2)
    notifications.clear()
    run(ready, patiently)
    assert not [text for text in notifications if "slice axis" in text]
    (layer,) = outlines(viewer)
    np.testing.assert_array_equal(layer.data, across)
