"""How outlines are drawn: as contours, so that the lesion stays visible; filled or hidden by key."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from app_model.types import KeyBinding

from metseg.napari_plugin import outlines
from metseg.napari_plugin.layers import CONTOUR_WIDTH, OPACITY
from metseg.napari_plugin.state import ConnectionMixin, SegmentationState

if TYPE_CHECKING:
    from napari.layers import Labels

#: Toggles between contour and fill; hides outlines while it is held.
FILL_KEY, HIDE_KEY = "Shift+F", "Q"


class OutlineDisplay(ConnectionMixin):
    """Draws results and reference masks of the chosen image as contours, and binds keys on its layers."""

    def __init__(self, state: SegmentationState) -> None:
        super().__init__()
        self._state = state
        self._seen: WeakSet[Labels] = WeakSet()
        self._bound: list[Any] = []
        self._keys: dict[KeyBinding, Callable[[Any], Any]] = {
            KeyBinding.from_str(FILL_KEY): lambda _: self.toggle_fill(),
            KeyBinding.from_str(HIDE_KEY): self._hide_while_held,
        }
        self.follow(state.events, ("outlines", "image"), self._on_layers)
        self._on_layers()

    def close(self) -> None:
        """Stop listening and give the keys back."""
        self.unfollow()
        self._unbind()

    def toggle_fill(self) -> None:
        """Fill what is drawn as contours, or draw contours where all is filled."""
        contours = not any(layer.contour for layer in self._layers())
        for layer in self._layers():
            if bool(layer.contour) != contours:
                draw(layer, contours)

    def _layers(self) -> list[Labels]:
        """Results and reference masks; how other labels layers are drawn is their maker's choice."""
        layers = [choice.layer for choice in self._state.outlines]
        return [layer for layer in layers if outlines.proposal_of(layer) is not None]

    def _on_layers(self) -> None:
        for layer in self._layers():
            if layer not in self._seen:
                self._seen.add(layer)
                if not layer.contour:
                    draw(layer, True)
        self._unbind()
        image = self._state.image
        self._bound = [*(choice.layer for choice in self._state.outlines), *([] if image is None else [image])]
        for layer in self._bound:
            for key, act in self._keys.items():
                if key not in layer.keymap:
                    layer.bind_key(key, act)

    def _hide_while_held(self, _: object) -> Iterator[None]:
        """Hide outlines at the press of a key, and show them again at its release."""
        hidden = [choice.layer for choice in self._state.outlines if choice.layer.visible]
        for layer in hidden:
            layer.visible = False
        yield
        for layer in hidden:
            layer.visible = True

    def _unbind(self) -> None:
        for layer in self._bound:
            for key, act in self._keys.items():
                if layer.keymap.get(key) is act:
                    with contextlib.suppress(KeyError):
                        layer.bind_key(key, None)
        self._bound = []


def draw(layer: Labels, contours: bool) -> None:
    """Draw labels as contours, or filled."""
    layer.opacity = OPACITY[contours]
    layer.contour = CONTOUR_WIDTH if contours else 0
