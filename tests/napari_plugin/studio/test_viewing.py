"""How the open case is looked at: wheel, window of intensities, contours, 3D, thumbnails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from app_model.types import KeyBinding
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication

from metseg.napari_plugin.studio.viewing import moved_window

pytestmark = pytest.mark.slow


Wait = Callable[..., None]


def test_the_canvas_bears_the_number_of_the_slice(widget: Any, viewer: Any) -> None:
    overlay = viewer.canvas.overlays.text
    viewer.dims.set_current_step(0, 2)
    assert (overlay.text, overlay.visible) == ("slice 3", True)
    viewer.dims.ndisplay = 3
    assert not overlay.visible
    viewer.dims.ndisplay = 2
    assert overlay.visible
    widget.studio.close_case()
    assert (overlay.text, overlay.visible) == ("", False)
    overlay.text = "mine"
    viewer.dims.set_current_step(0, 0)
    assert overlay.text == "mine"
    overlay.text = ""


def test_the_wheel_turns_slices_zooms_and_sizes_the_brush(widget: Any, viewer: Any) -> None:
    canvas = next(w for w in QApplication.allWidgets() if type(w).__name__ == "CanvasBackendDesktop")
    labels, none, modifier = widget.studio.state.case.labels, Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier

    def turn(notches: int, held: Qt.KeyboardModifier = none) -> None:
        place = QPointF(canvas.rect().center())
        event = QWheelEvent(
            place,
            QPointF(canvas.mapToGlobal(place.toPoint())),
            QPoint(0, 0),
            QPoint(0, 120 * notches),
            Qt.MouseButton.NoButton,
            held,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(canvas, event)

    shown, zoom, size = widget.studio.shown_slice, viewer.scene.camera.zoom, labels.brush_size
    turn(-1)
    assert (widget.studio.shown_slice, viewer.scene.camera.zoom) == (shown + 1, zoom)
    turn(1, modifier.ControlModifier)
    assert widget.studio.shown_slice == shown + 1
    assert viewer.scene.camera.zoom > zoom
    turn(1, modifier.ShiftModifier)
    assert labels.brush_size > size
    assert widget.studio.shown_slice == shown + 1
    widget.keys.wheel.click()
    zoom = viewer.scene.camera.zoom
    turn(1, modifier.ControlModifier)
    assert widget.studio.shown_slice == shown
    assert viewer.scene.camera.zoom == zoom
    widget.studio.close_case()
    assert [one.__name__ for one in viewer.mouse_wheel_callbacks if hasattr(one, "__name__")][0] == "dims_scroll"


def test_the_window_of_intensities_widens_and_has_presets(widget: Any) -> None:
    image = widget.studio.state.case.images[0]
    low, high = image.contrast_limits
    assert moved_window((low, high), 1, 0) == pytest.approx(
        ((low + high) / 2 - (high - low), (low + high) / 2 + (high - low))
    )
    press = {shortcut.title: shortcut.action for shortcut in widget.studio.shortcuts}
    windows = [tuple(image.contrast_limits)]
    for _ in range(3):
        press["brightness: usual, narrow, whole range"]()
        windows.append(tuple(image.contrast_limits))
    assert len(set(windows)) == 3
    assert windows[3] == windows[0]


def test_lesions_are_contours_and_hidden_while_a_key_is_held(widget: Any) -> None:
    labels = widget.studio.state.case.labels
    assert labels.contour == 1
    held = labels.keymap[KeyBinding.from_str("Q")](labels)
    next(held)
    assert not labels.visible
    assert next(held, None) is None
    assert labels.visible
    labels.keymap[KeyBinding.from_str("Shift+F")](labels)
    assert labels.contour == 0


def test_lesions_in_3d_are_a_surface_that_follows_edits(widget: Any, viewer: Any, patiently: Wait) -> None:
    from napari.layers import Surface

    labels = widget.studio.state.case.labels
    labels.data[2:4, 10:20, 10:20] = 3
    labels.check()
    widget.surfaces.toggle()
    patiently(lambda: any(isinstance(layer, Surface) for layer in viewer.layers))
    [surface] = (layer for layer in viewer.layers if isinstance(layer, Surface))
    centre = surface.data[0].mean(axis=0)
    np.testing.assert_allclose(centre, (2.5, 14.5, 14.5), atol=0.3)
    assert [layer for layer in viewer.layers if layer.visible] == [surface]
    labels.data[2:4, 10:20, 20:30] = 3
    labels.check()
    patiently(lambda: surface.data[0].mean(axis=0)[2] > 18)
    widget.surfaces.toggle()
    assert viewer.dims.ndisplay == 2
    assert surface not in viewer.layers
    assert labels.visible
    assert widget.studio.state.case.images[-1].visible


def test_a_slice_has_a_thumbnail_in_its_tip(widget: Any) -> None:
    widget.studio.state.case.labels.paint((2, 20, 20), 1)
    tip = widget.queue._slice_tip(2, "worth nothing")
    assert tip.startswith('<img src="data:image/png;base64,')
    assert tip.endswith("worth nothing")
