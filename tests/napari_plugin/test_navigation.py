"""The view goes to a lesion at the zoom it has, and the head stays on the canvas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from metseg.napari_plugin.navigation import go_to, moved_centre, shown_slice

pytestmark = pytest.mark.slow


SIZE = 200


@pytest.fixture
def layer(viewer: Any) -> Any:
    """A stack with slices 5 mm apart, in pixels of half a millimetre, all of it on the canvas."""
    labels = viewer.add_labels(np.zeros((9, SIZE, SIZE), np.uint8), scale=(5, 0.5, 0.5), units=("mm",) * 3)
    viewer.window.resize(900, 700)
    viewer.reset_view()
    return labels


def seen(viewer: Any) -> np.ndarray:
    """Lowest and highest y and x that are on the canvas, in voxels: shape (2, 2)."""
    camera = viewer.scene.camera
    half = np.array(viewer.canvas.size) / camera.zoom / 2
    middle = np.array(camera.center[-2:])
    return np.stack([middle - half, middle + half]) / 0.5


def test_with_the_whole_head_on_the_canvas_only_the_slice_changes(viewer: Any, layer: Any) -> None:
    camera = viewer.scene.camera
    centre, zoom = camera.center, camera.zoom
    go_to(viewer, layer, (7, 20, 180))
    assert viewer.dims.current_step[0] == 7
    assert shown_slice(viewer, layer, layer.data.shape) == 7
    assert (camera.center, camera.zoom) == (centre, zoom)


@pytest.mark.parametrize("place", [(3, 195), (100, 100), (198, 2), (60, 150)])
def test_a_view_that_is_zoomed_in_shows_the_lesion_and_nothing_beyond_the_head(
    viewer: Any, layer: Any, place: tuple[float, float]
) -> None:
    camera = viewer.scene.camera
    camera.zoom = zoom = camera.zoom * 6
    camera.center = (0, 20, 80)
    go_to(viewer, layer, (3, *place))
    low, high = seen(viewer)
    assert camera.zoom == zoom
    assert (low <= place).all()
    assert (place <= high).all()
    assert (low >= -1).all()
    assert (high <= SIZE).all()


def test_a_lesion_that_is_well_on_the_canvas_does_not_move_it(viewer: Any, layer: Any) -> None:
    camera = viewer.scene.camera
    camera.zoom *= 4
    camera.center = centre = (0.0, 40.0, 60.0)
    go_to(viewer, layer, (2, 85, 117))
    assert camera.center == centre


def test_a_head_that_was_off_the_canvas_comes_back(viewer: Any, layer: Any) -> None:
    viewer.scene.camera.center = (0, 500, -700)
    go_to(viewer, layer, (2, 85, 117))
    low, high = seen(viewer)
    assert (low <= 0).all()
    assert (high >= SIZE - 1).all()


def test_in_three_dimensions_nothing_moves(viewer: Any, layer: Any) -> None:
    viewer.dims.ndisplay = 3
    before = viewer.scene.camera.center, viewer.dims.point
    go_to(viewer, layer, (2, 85, 117))
    assert (viewer.scene.camera.center, viewer.dims.point) == before
    assert shown_slice(viewer, layer, layer.data.shape) is None


def test_the_centre_stays_within_the_image() -> None:
    extent = [(0.0, 100.0), (0.0, 100.0)]
    assert moved_centre((50, 50), [50.0, 50.0], [10.0, 10.0], extent) == (50, 50)
    assert moved_centre((50, 50), [2.0, 99.0], [20.0, 20.0], extent) == (10.0, 90.0)
    assert moved_centre((900, 50), [2.0, 99.0], [300.0, 20.0], extent) == (50.0, 90.0)
