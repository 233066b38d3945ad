"""The preview shows the slice on screen as the network would see it, and leaves no trace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from metseg.napari_plugin.layers import study_layers
from metseg.preprocessing import ClaheConfig, PreprocessingConfig, Preprocessor
from metseg.study import Study

pytestmark = pytest.mark.slow


Wait = Callable[..., None]
NAME = "enhanced slice (preview)"


@pytest.fixture
def ready(viewer: Any, open_widget: Callable[[], Any], study: Study) -> Any:
    for data, keywords, kind in study_layers(study):
        getattr(viewer, f"add_{kind}")(data, **keywords)
    return open_widget()


def switch_on(widget: Any, viewer: Any, patiently: Wait) -> Any:
    widget.enhance.preview.click()
    patiently(lambda: NAME in viewer.layers)
    return viewer.layers[NAME]


def flair(study: Study, z: int, clip_limit: float | None = 2.0) -> np.ndarray:
    clahe = None if clip_limit is None else ClaheConfig(clip_limit=clip_limit)
    return Preprocessor(PreprocessingConfig(size=64, clahe=clahe), study.voxels).enhanced(z)[1]


def test_it_follows_the_slice(viewer: Any, ready: Any, study: Study, patiently: Wait) -> None:
    viewer.dims.set_current_step(0, 1)
    layer = switch_on(ready, viewer, patiently)
    np.testing.assert_array_equal(layer.data, flair(study, 1))
    for z in (4, 0, 5):
        viewer.dims.set_current_step(0, z)
        np.testing.assert_array_equal(layer.data, flair(study, z))


def test_it_follows_contrast_and_clip_limit(viewer: Any, ready: Any, study: Study, patiently: Wait) -> None:
    viewer.dims.set_current_step(0, 2)
    layer = switch_on(ready, viewer, patiently)
    ready.enhance.clip_limit.setValue(8.0)
    patiently(lambda: not ready.preview.busy)
    assert not np.array_equal(flair(study, 2, 8.0), flair(study, 2))
    np.testing.assert_array_equal(layer.data, flair(study, 2, 8.0))
    ready.enhance.clahe.click()
    patiently(lambda: not ready.preview.busy)
    np.testing.assert_array_equal(layer.data, flair(study, 2, None))


def test_it_lies_on_the_image_below_the_mask_and_takes_no_selection(viewer: Any, ready: Any, patiently: Wait) -> None:
    mask = viewer.layers["mask · head"]
    viewer.layers.selection.active = mask
    layer = switch_on(ready, viewer, patiently)
    names = [entry.name for entry in viewer.layers]
    assert names.index("FLAIR · head") + 1 == names.index(NAME) == names.index("mask · head") - 1
    assert viewer.layers.selection.active == mask
    assert tuple(layer.scale) == tuple(viewer.layers["FLAIR · head"].scale)[1:]
    assert [choice.title for choice in ready.state.images] == ["head"]


def test_it_goes_when_switched_off_and_with_its_image(viewer: Any, ready: Any, patiently: Wait) -> None:
    switch_on(ready, viewer, patiently)
    ready.enhance.preview.click()
    assert NAME not in viewer.layers
    switch_on(ready, viewer, patiently)
    for layer in [layer for layer in viewer.layers if "·" in layer.name]:
        viewer.layers.remove(layer)
    assert NAME not in viewer.layers


def test_deleting_it_switches_it_off(viewer: Any, ready: Any, patiently: Wait) -> None:
    viewer.layers.remove(switch_on(ready, viewer, patiently))
    assert not ready.state.preview
    assert not ready.enhance.preview.isChecked()
    viewer.dims.set_current_step(0, 3)
    assert NAME not in viewer.layers


def test_it_hides_where_no_axial_slice_is_on_screen(viewer: Any, ready: Any, patiently: Wait) -> None:
    switch_on(ready, viewer, patiently)
    viewer.dims.ndisplay = 3
    assert NAME not in viewer.layers
    viewer.dims.ndisplay = 2
    assert NAME in viewer.layers
    viewer.dims.order = (1, 0, 2)
    assert NAME not in viewer.layers


def test_it_finds_the_slice_beside_layers_in_other_units(
    viewer: Any, ready: Any, study: Study, patiently: Wait
) -> None:
    viewer.add_labels(np.zeros((30, 8, 8), np.uint8), scale=(1000, 7000, 7000), units=("um",) * 3, name="fine")
    layer = switch_on(ready, viewer, patiently)
    image = viewer.layers["FLAIR · head"]
    for z in (1, 4):
        viewer.dims.set_point(0, z * 5000.0)
        assert int(round(image.extent.world[0][0])) == 0
        np.testing.assert_array_equal(layer.data, flair(study, z))


def test_a_colour_layer_is_previewed_in_colour(
    viewer: Any, open_widget: Callable[[], Any], study: Study, patiently: Wait
) -> None:
    viewer.add_image(np.moveaxis(study.voxels, 0, -1), rgb=True, name="colour")
    widget = open_widget()
    layer = switch_on(widget, viewer, patiently)
    assert layer.rgb
    assert layer.data.shape == (*study.shape[1:], 3)
