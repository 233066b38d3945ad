"""How a case is looked at: the wheel, the window of intensities, contours or fill, what is hidden for a moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from qtpy.QtCore import QT_TRANSLATE_NOOP

from metseg.napari_plugin.outline_display import draw
from metseg.napari_plugin.state import ConnectionMixin
from metseg.napari_plugin.studio.settings import settings
from metseg.napari_plugin.studio.shortcuts import Shortcut
from metseg.preprocessing import display_window

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from metseg.napari_plugin.studio.case_labels import CaseLabels
    from metseg.napari_plugin.studio.studio import Studio

Window = tuple[float, float]

_WHEEL = "wheel_turns_slices"
#: napari's tools to which the right button means something.
_TAKEN = ("paint", "polygon")
_RIGHT = 2
#: Of what the wheel zooms by one notch, and a brush grows by.
_ZOOM, _THICKER = 1.15, 1.15
_LARGEST_BRUSH = 200
#: Pixels of the mouse's way by which the window doubles, or moves by its width.
_WAY = 250.0
#: Part of the usual window that the narrow preset keeps: brain is dark grey there, and what is brighter differs more.
_NARROW = (0.25, 0.85)


class Viewing(ConnectionMixin):
    """Gives mouse and keys their meaning for looking at the open case; napari has its own back without one."""

    def __init__(self, studio: Studio) -> None:
        super().__init__()
        self._studio = studio
        self._viewer = studio.viewer
        self._hidden: CaseLabels | None = None
        self._preset = 0
        self._turned = 0.0
        self._given: list[Any] = []
        self._wheel: Callable[..., Any] = self._on_wheel
        self._drag: Callable[..., Any] = self._on_drag
        studio.state.wheel_turns_slices = settings().value(_WHEEL, True, type=bool)
        for shortcut in (
            Shortcut("Q", QT_TRANSLATE_NOOP("studio", "hide the lesions while held"), self.hide, self.unhide),
            Shortcut("Shift-F", QT_TRANSLATE_NOOP("studio", "lesions as contours, or filled"), self.toggle_fill),
            Shortcut(
                "Shift-C", QT_TRANSLATE_NOOP("studio", "brightness: usual, narrow, whole range"), self.next_preset
            ),
            Shortcut(".", QT_TRANSLATE_NOOP("studio", "thicker brush"), lambda: self.resize_brush(1)),
            Shortcut(",", QT_TRANSLATE_NOOP("studio", "thinner brush"), lambda: self.resize_brush(-1)),
        ):
            studio.add_shortcut(shortcut)
        studio.add_closing(self.close)
        self.follow(studio.state.events, ("case",), self._on_case)
        self.follow(studio.state.events, ("wheel_turns_slices",), self._keep)
        self._on_case()

    def close(self) -> None:
        """Give mouse and wheel back."""
        self.unfollow()
        self._release()

    # What is drawn over the image

    def hide(self) -> None:
        """Hide the lesions until :meth:`unhide`."""
        case = self._studio.state.case
        if case is not None and case.labels.visible:
            self._hidden = case.labels
            case.labels.visible = False

    def unhide(self) -> None:
        """Show again what :meth:`hide` has hidden."""
        hidden, self._hidden = self._hidden, None
        if hidden is not None:
            hidden.visible = True

    def toggle_fill(self) -> None:
        """Fill lesions that are drawn as contours, or the other way round."""
        case = self._studio.state.case
        if case is not None:
            draw(case.labels, contours=not case.labels.contour)

    # The window of intensities

    def next_preset(self) -> None:
        """Show the images with the next of three windows: the usual one, its upper half, all there is."""
        self._preset = (self._preset + 1) % 3
        for image in self._images():
            low, high = display_window(image.data)
            if self._preset == 1:
                low, high = (low + (high - low) * part for part in _NARROW)
            elif self._preset == 2:
                low, high = float(image.data.min()), float(image.data.max())
            set_window(image, (low, max(high, low + 1)))

    def _images(self) -> list[Image]:
        case = self._studio.state.case
        return [] if case is None else [image for image in case.images if image in self._viewer.layers]

    def _on_drag(self, viewer: ViewerModel, event: Any) -> Iterator[None]:
        """Move the window of what is seen: up is darker, right is less contrast, as in other viewers."""
        case = self._studio.state.case
        flat = viewer.dims.ndisplay == 2
        if event.button != _RIGHT or event.modifiers or not flat or case is None or case.labels.mode in _TAKEN:
            return
        shown = [image for image in self._images() if image.visible]
        begun, start = [tuple(image.contrast_limits) for image in shown], np.array(event.pos, float)
        event.handled = True
        yield
        while event.type == "mouse_move":
            right, down = np.array(event.pos, float) - start
            for image, window in zip(shown, begun, strict=True):
                set_window(image, moved_window(window, right / _WAY, -down / _WAY))
            event.handled = True
            yield
        event.handled = True

    # The wheel

    def _on_wheel(self, viewer: ViewerModel, event: Any) -> None:
        notches = float(np.clip(np.sum(event.delta), -1, 1))
        held = {str(getattr(modifier, "name", modifier)) for modifier in event.modifiers}
        if held == {"Shift"}:
            self.resize_brush(notches)
        elif held <= {"Control"} and viewer.dims.ndisplay == 2:
            if (held == set()) is self._studio.state.wheel_turns_slices:
                self._turn(-notches)
            else:
                self._zoom(notches, event.position)
        else:
            return
        event.handled = True

    def _turn(self, notches: float) -> None:
        """Go through slices; half notches of a touchpad add up."""
        self._turned += notches
        steps = int(self._turned)
        case, shown = self._studio.state.case, self._studio.shown_slice
        if steps and case is not None and shown is not None:
            self._studio.go_to(min(max(shown + steps, 0), case.shape[0] - 1))
        self._turned -= steps

    def _zoom(self, notches: float, position: Any) -> None:
        """Zoom, and leave what is under the mouse where it is."""
        viewer, factor = self._viewer, _ZOOM**notches
        camera = viewer.scene.camera
        camera.zoom *= factor
        if viewer.dims.ndisplay == 2:
            mouse = np.array([position[axis] for axis in viewer.dims.displayed], float)
            centre = np.array(camera.center[-2:], float)
            camera.center = (*tuple(camera.center)[:-2], *(mouse + (centre - mouse) / factor))

    def resize_brush(self, notches: float) -> None:
        """Make the brush thicker, or thinner."""
        case = self._studio.state.case
        if case is not None:
            size = round(case.labels.brush_size)
            wanted = round(size * _THICKER**notches)
            if wanted == size:
                wanted += 1 if notches > 0 else -1
            case.labels.brush_size = min(max(wanted, 1), _LARGEST_BRUSH)

    # When it holds

    def _on_case(self) -> None:
        self.unhide()
        self._preset = 0
        callbacks = self._viewer.mouse_wheel_callbacks
        if self._studio.state.case is None:
            self._release()
        elif self._wheel not in callbacks:
            # napari's own turns slices with Ctrl held, which is what zooms now
            self._given = [one for one in callbacks if getattr(one, "__name__", "") == "dims_scroll"]
            for one in self._given:
                callbacks.remove(one)
            callbacks.append(self._wheel)
            self._viewer.mouse_drag_callbacks.append(self._drag)

    def _release(self) -> None:
        callbacks = self._viewer.mouse_wheel_callbacks
        if self._wheel in callbacks:
            callbacks.remove(self._wheel)
            callbacks[:0] = self._given
            self._viewer.mouse_drag_callbacks.remove(self._drag)
        self._given = []

    def _keep(self) -> None:
        settings().setValue(_WHEEL, self._studio.state.wheel_turns_slices)


class SliceNumber(ConnectionMixin):
    """Writes the number by which people call the slice on the canvas, for napari's slider counts from 0.

    A text that the user or another plugin has put there stays.
    """

    def __init__(self, studio: Studio) -> None:
        super().__init__()
        self._studio = studio
        self._text = ""
        self.follow(studio.state.events, ("case",), self._show)
        self.follow(studio.viewer.dims.events, ("current_step", "ndisplay", "order"), self._show)

    def _show(self) -> None:
        overlay = self._studio.viewer.canvas.overlays.text
        if overlay.text not in ("", self._text):
            return
        case, z = self._studio.state.case, self._studio.shown_slice
        self._text = "" if case is None or z is None else f"slice {case.numbers[z]}"
        overlay.text = self._text
        overlay.visible = bool(self._text)


def moved_window(window: Window, wider: float, higher: float) -> Window:
    """A window of intensities that is 2 ** ``wider`` times as wide, and higher by that part of its width."""
    low, high = window
    middle, width = (low + high) / 2, max(high - low, 1e-6)
    middle, width = middle + higher * width, width * 2.0**wider
    return middle - width / 2, middle + width / 2


def set_window(image: Image, window: Window) -> None:
    """Show an image in a window of intensities, of which its slider shows the whole."""
    low, high = image.contrast_limits_range
    if window[0] < low or window[1] > high:
        image.contrast_limits_range = (min(low, window[0]), max(high, window[1]))
    image.contrast_limits = window
