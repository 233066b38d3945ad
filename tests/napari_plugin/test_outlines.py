"""What becomes of outlines: edited, confirmed, reference masks, thresholds after a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from app_model.types import KeyBinding

from metseg.lesions import mask_from_probabilities
from metseg.napari_plugin.layers import study_layers
from metseg.napari_plugin.outlines import outline_of
from metseg.preprocessing import Clahe
from metseg.study import Study

Wait = Callable[..., None]
Make = Callable[..., Study]
AtSlice = Callable[..., None]


def press(layer: Any, key: str) -> None:
    layer.keymap[KeyBinding.from_str(key)](layer)


def test_a_new_run_replaces_an_unedited_outline_as_one_undoable_step(
    viewer: Any, ready: Any, patiently: Wait, run: Any, outlines: Any
) -> None:
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
    viewer: Any, ready: Any, patiently: Wait, run: Any, outlines: Any
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


@pytest.mark.slow
def test_results_are_never_drawn_in_one_colour(
    viewer: Any, ready: Any, study: Study, patiently: Wait, run: Any, outlines: Any
) -> None:
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
    viewer: Any, open_widget: Callable[[], Any], study: Study, patiently: Wait, run: Any, outlines: Any
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


@pytest.mark.slow
def test_a_reference_mask_that_is_edited_becomes_the_chosen_layer(
    viewer: Any, open_widget: Callable[[], Any], study: Study, patiently: Wait, run: Any
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


@pytest.mark.slow
def test_outlines_are_contours_and_keys_fill_and_hide_them(
    viewer: Any, open_widget: Callable[[], Any], study: Study, patiently: Wait, run: Any, outlines: Any
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


def test_confirmed_slices_are_kept_by_the_next_run(
    viewer: Any, ready: Any, patiently: Wait, run: Any, outlines: Any
) -> None:
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


def test_what_a_person_drew_is_left_alone(
    viewer: Any, ready: Any, study: Study, patiently: Wait, run: Any, outlines: Any
) -> None:
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


def test_edits_made_during_a_run_survive_it(viewer: Any, ready: Any, patiently: Wait, run: Any, outlines: Any) -> None:
    run(ready, patiently)
    (first,) = outlines(viewer)
    ready.run.run.click()
    first.paint((2, 20, 20), 2)
    edited = first.data.copy()
    patiently(lambda: not ready.controller.busy)
    np.testing.assert_array_equal(first.data, edited)
    assert len(outlines(viewer)) == 2


def test_threshold_and_smallest_act_on_the_last_run_at_once(
    viewer: Any, ready: Any, patiently: Wait, run: Any, outlines: Any
) -> None:
    run(ready, patiently)
    (layer,) = outlines(viewer)
    probabilities = outline_of(layer).segmentation.probabilities
    ready.outline.threshold.setValue(0.8)
    ready.outline.smallest.setValue(30)
    patiently(lambda: not ready.controller.busy)
    segmentation = outline_of(layer).segmentation
    assert segmentation.postprocessing.threshold == ready.state.threshold
    assert segmentation.postprocessing.min_lesion_voxels == 30
    expected = mask_from_probabilities(probabilities, segmentation.postprocessing)
    assert 0 < expected.mean() < 1
    np.testing.assert_array_equal(layer.data, expected)
    assert segmentation.probabilities is probabilities


@pytest.mark.slow
def test_threshold_never_touches_an_edited_outline_but_offers_a_new_one(
    viewer: Any, ready: Any, patiently: Wait, run: Any, outlines: Any
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


@pytest.mark.slow
def test_a_second_run_on_a_plain_image_replaces_its_outline(
    viewer: Any, open_widget: Callable[[], Any], patiently: Wait, run: Any, outlines: Any
) -> None:
    viewer.add_image(np.random.default_rng(0).integers(0, 255, (3, 40, 50)).astype(np.uint8), name="plain")
    widget = open_widget()
    run(widget, patiently)
    widget.state.clahe = Clahe.OFF
    run(widget, patiently)
    assert [layer.name for layer in outlines(viewer)] == ["lesions (FLAIR abnormality) · plain"]


@pytest.mark.slow
def test_a_newly_opened_study_is_chosen_and_keeps_its_own_outline(
    make_head: Make, viewer: Any, ready: Any, patiently: Wait, add: Any, run: Any, outlines: Any
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
