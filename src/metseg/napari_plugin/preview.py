"""The enhanced current slice as a temporary layer, so that contrast can be judged before a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from metseg.napari_plugin.arrays import grid_of
from metseg.napari_plugin.background import WorkerMixin
from metseg.napari_plugin.layers import KEY, Channel
from metseg.napari_plugin.messages import tell_error
from metseg.napari_plugin.navigation import shown_slice
from metseg.napari_plugin.pipeline import Enhancer, fit_enhancer, preprocessing_from
from metseg.napari_plugin.state import SegmentationState
from metseg.study import Sequence

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

NAME = "enhanced slice (preview)"


class Preview(WorkerMixin):
    """Keeps one 2-D image layer in step with the shown slice while ``state.preview`` is set."""

    def __init__(self, viewer: ViewerModel, state: SegmentationState) -> None:
        super().__init__()
        self._viewer = viewer
        self._state = state
        self._layer: Image | None = None
        self._enhancer: Enhancer | None = None
        self._fits = self.worker(self._on_fitted, tell_error)
        self.follow(
            state.events, ("preview", "image", "sequences", "model", "automatic", "clahe", "clip_limit"), self._refit
        )
        self.follow(viewer.dims.events, ("current_step", "ndisplay", "order"), self._draw)
        self.follow(viewer.layers.events, ("removed",), self._on_removed)

    def _refit(self) -> None:
        card = self._state.card
        if not self._state.preview or self._state.image is None or card is None:
            self._enhancer = None
            self.remove()
            return
        layer = self._state.image
        entry = layer.metadata.get(KEY)
        shown = entry.study.sequences[entry.index] if isinstance(entry, Channel) else Sequence.FLAIR
        self._fits.submit(fit_enhancer, layer, shown, preprocessing_from(self._state, card))

    def _on_fitted(self, enhancer: Enhancer) -> None:
        if self._state.preview and enhancer.layer is self._state.image:
            self._enhancer = enhancer
            self._draw()

    def _draw(self) -> None:
        z = self._shown_slice()
        if self._enhancer is None or z is None:
            self.remove()
            return
        pixels = self._enhancer.slice(z)
        if self._layer is not None and self._layer.data.shape != pixels.shape:
            self.remove()
        if self._layer is None:
            self._add(pixels)
        else:
            self._layer.data = pixels

    def _shown_slice(self) -> int | None:
        """Index of the slice on screen; ``None`` if the view does not show the image's own slices."""
        image = self._state.image
        return None if image is None else shown_slice(self._viewer, image, grid_of(np.shape(image.data), rgb=image.rgb))

    def _add(self, pixels: np.ndarray) -> None:
        from napari.layers import Image

        image, layers = self._state.image, self._viewer.layers
        active = layers.selection.active
        self._layer = Image(
            pixels,
            name=NAME,
            rgb=pixels.ndim == 3,
            contrast_limits=(0, 1),
            scale=tuple(image.scale)[-2:],
            translate=tuple(image.translate)[-2:],
            units=tuple(image.units)[-2:],
            metadata={KEY: "preview"},
        )
        layers.insert(layers.index(image) + 1, self._layer)
        layers.selection.active = active

    def remove(self) -> None:
        """Take the layer away."""
        layer, self._layer = self._layer, None  # first, so that its removal is not taken for the user's
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)

    def _on_removed(self, event: Any) -> None:
        if event.value is self._layer:
            self._layer = None
            self._enhancer = None
            self._state.preview = False
