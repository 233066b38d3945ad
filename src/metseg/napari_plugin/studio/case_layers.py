"""The layers that show cases: one set for a window, filled anew for each case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image, Layer
from napari.utils.colormaps import CyclicLabelColormap

from metseg.napari_plugin.layers import AXES, CASE_KEY, CONTOUR_WIDTH, KEY, OPACITY, LayerData
from metseg.napari_plugin.studio.case_labels import CaseLabels
from metseg.study import Sequence

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from metseg.napari_plugin.studio.open_case import LoadedCase

#: Colours of lesions by id, then again from the first: told apart on grey, next to each other, and by most who do not
#: see all colours (Okabe and Ito 2008, https://jfly.uni-koeln.de/color/, and lighter ones between them).
_COLOURS = (
    "#e69f00",
    "#56b4e9",
    "#cc79a7",
    "#f0e442",
    "#009e73",
    "#d55e00",
    "#9b8cff",
    "#7fe0c3",
    "#ff8fa3",
    "#b4d84b",
)
_NO_CASE = "no case"
#: The status bar as napari begins: it would name what was under the mouse, a case left by now, until that moves.
_READY = "Ready"

#: Which layer shows a channel: its sequence, the how manieth of these it is, and how voxels are stored.
_Channel = tuple[Sequence, int, np.dtype[np.generic]]
Shown = tuple[tuple[Image, ...], CaseLabels]


class OwnLayers:
    """Layers of the open case: the next case fills them anew, for adding one stops napari's window for 0.1 to 0.4 s."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layers: list[Layer] = []
        self._hidden: dict[Layer, bool] = {}

    def __contains__(self, layer: object) -> bool:
        """Whether ``layer`` is one of these, and in the viewer."""
        return any(layer is known for known in self._layers) and layer in self._viewer.layers

    def add(self, layer: Layer, place: int | None = None) -> None:
        """Put a layer into the viewer, at ``place`` from the bottom or on top."""
        layers = self._viewer.layers
        self._layers = [known for known in self._layers if known in layers] + [layer]
        layers.insert(len(layers) if place is None else place, layer)

    def hide(self, layer: Layer) -> None:
        """Hide a layer for a while."""
        self._hidden.setdefault(layer, bool(layer.visible))
        layer.visible = False

    def unhide(self, layer: Layer) -> None:
        """Show a layer again, if it was shown before it was hidden."""
        if self._hidden.pop(layer, False) and not layer.visible:
            layer.visible = True

    def remove(self, *layers: Layer) -> None:
        """Take these layers, or else all, out of the viewer at once: napari collects garbage once then."""
        there = [layer for layer in layers or tuple(self._layers) if layer in self._viewer.layers]
        for layer in there:
            self.unhide(layer)
        if there:
            with self._viewer.layers.batched_update():
                for layer in there:
                    self._viewer.layers.remove(layer)
        self._layers = [layer for layer in self._layers if layer in self._viewer.layers]


class CaseLayers:
    """An image layer for each sequence and a labels layer."""

    def __init__(self, viewer: ViewerModel, own: OwnLayers) -> None:
        self._viewer = viewer
        self._own = own
        self._images: dict[_Channel, Image] = {}
        self._labels: CaseLabels | None = None

    def show(self, loaded: LoadedCase) -> Generator[None, None, Shown]:
        """Show a case, in steps that are as short as napari lets them be; colours and visibility stay as chosen.

        The labels are hidden until the images are there: they must not be seen on another patient's head. They cannot
        be edited until :meth:`CaseLabels.unlock`.

        Returns
        -------
        tuple
            The image layers, from the lowest to the topmost, and the labels layer.
        """
        if self._labels is not None:
            self._own.hide(self._labels)
        wanted = dict(_channels(loaded))
        if spare := [image for channel, image in self._images.items() if channel not in wanted]:
            self._deactivate(*spare)
        images = []
        for channel, layer in wanted.items():
            images.append(self._show_image(channel, layer, loaded))
            yield
        labels = self._show_labels(images[-1], loaded)
        yield
        self._own.unhide(labels)
        self._viewer.layers.selection.active = labels
        self._viewer.status = _READY
        return tuple(images), labels

    def hide(self) -> None:
        """Show no case: its layers leave the viewer, empty; colours and visibility are kept for the next case."""
        self._viewer.status = _READY
        self._deactivate(*self._images.values(), *([] if self._labels is None else [self._labels]))

    def _deactivate(self, *layers: Layer) -> None:
        if layers:
            self._own.remove(*layers)
        for layer in layers:
            layer.metadata = {KEY: _NO_CASE}
            if layer is self._labels:
                self._labels.refill(np.zeros((1, 1, 1), np.uint16), read_only=True)
            else:
                layer.data = np.zeros((1,) * layer.ndim, layer.data.dtype)

    def _show_image(self, channel: _Channel, layer: LayerData, loaded: LoadedCase) -> Image:
        image, (voxels, look, _) = self._images.get(channel), layer
        labels = self._labels
        below = None if labels is None or labels not in self._own else self._viewer.layers.index(labels)
        if image is None:
            image = self._images[channel] = Layer.create(*layer)
            self._own.add(image, below)
            return image
        resized = image.data.shape != voxels.shape
        image.data = voxels
        limits = look["contrast_limits"]
        if tuple(image.contrast_limits) != limits or tuple(image.contrast_limits_range) != limits:
            image.contrast_limits_range = image.contrast_limits = limits
        image.name, image.metadata = look["name"], look["metadata"]
        _place(image, loaded, resized=resized)
        if image not in self._own:
            self._own.add(image, below)
        return image

    def _show_labels(self, below: Image, loaded: LoadedCase) -> CaseLabels:
        labels, title = self._labels, f"lesions · {loaded.view.name}{' (read only)' * (loaded.session is None)}"
        case = {CASE_KEY: (loaded.view.folder.parents[1], loaded.view.name)}
        if labels is None:
            look = {"opacity": OPACITY[True], "colormap": lesion_colours(), "axis_labels": AXES}
            labels = self._labels = CaseLabels(np.zeros((1, 1, 1), np.uint16), **look)
            labels.contour = CONTOUR_WIDTH
        resized = labels.data.shape != loaded.view.labels.shape
        labels.refill(loaded.view.labels, read_only=loaded.session is None)
        labels.name, labels.metadata = title, case
        _place(labels, loaded, resized=resized)
        if labels not in self._own:
            self._own.add(labels, self._viewer.layers.index(below) + 1)
        labels.selected_label = loaded.view.next_label
        return labels


def lesion_colours() -> CyclicLabelColormap:
    """A colour for each lesion id; none for the background."""
    from napari.utils.color import ColorArray

    return CyclicLabelColormap(colors=ColorArray.validate(["transparent", *_COLOURS]), background_value=0)


def _channels(loaded: LoadedCase) -> Iterator[tuple[_Channel, LayerData]]:
    count: Counter[Sequence] = Counter()
    for layer in loaded.layers:
        channel = layer[1]["metadata"][KEY]
        sequence = channel.study.sequences[channel.index]
        yield (sequence, count[sequence], layer[0].dtype), layer
        count[sequence] += 1


def _place(layer: Layer, loaded: LoadedCase, *, resized: bool) -> None:
    """Put a layer where the case lies; napari forgets the old size of a hidden layer when it is scaled."""
    spacing, translation = loaded.study.geometry.spacing, loaded.study.geometry.translation
    scale, unit = spacing or (1.0,) * layer.ndim, "pixel" if spacing is None else "mm"
    if resized or tuple(layer.scale) != scale:
        layer.scale = scale
    layer.translate = translation or (0.0,) * layer.ndim
    if {str(known) for known in layer.units} != {"millimeter" if unit == "mm" else unit}:
        layer.units = (unit,) * layer.ndim
