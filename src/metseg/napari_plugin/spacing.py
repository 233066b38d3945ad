"""A spacing that the user states where the files do not: it then holds for all layers of the study."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QAbstractSpinBox, QDoubleSpinBox, QHBoxLayout, QWidget

from metseg.napari_plugin import outlines
from metseg.napari_plugin.arrays import grid_of
from metseg.napari_plugin.layers import KEY, Channel, LabelsMetadata, Spacing, companions_of, spacing_in_mm
from metseg.study import Geometry, Study
from metseg.study.geometry import MAX_MM

if TYPE_CHECKING:
    from napari.components import ViewerModel

#: Says in the metadata of an image layer that its spacing was stated here.
_STATED_KEY = "metseg-stated-spacing"
_DECIMALS = 3


def spacing_of(image: Any) -> tuple[Spacing | None, bool]:
    """Voxel size (z, y, x) of an image layer in mm, if it is known, and whether a user may state it.

    It may be stated of layers whose last axes are z, y and x, where their files did not say it.
    """
    entry = image.metadata.get(KEY)
    drawn = spacing_in_mm(image.scale, image.units)
    known = entry.study.geometry.spacing if isinstance(entry, Channel) else drawn
    grid = grid_of(image.data[0].shape if image.multiscale else image.data.shape, rgb=image.rgb)
    plain = grid is not None and len(image.scale) == len(grid) == 3
    return known, plain and (known is None or _STATED_KEY in image.metadata)


def state_spacing(viewer: ViewerModel, image: Any, spacing: Spacing) -> None:
    """Give an image layer, the other sequences of its study and the labels on them a spacing (z, y, x) in mm."""
    labels = list(outlines.outlines_on(viewer, image))
    for layer in (*_images_of(viewer, image), *labels):
        layer.scale = spacing
        layer.units = ("mm",) * 3
    entry = image.metadata.get(KEY)
    study = _respaced(entry.study, spacing) if isinstance(entry, Channel) else None
    for layer in _images_of(viewer, image):
        layer.metadata[_STATED_KEY] = True
        if study is not None and isinstance(entry := layer.metadata.get(KEY), Channel):
            layer.metadata[KEY] = Channel(study, entry.index)
    for layer in labels:
        if (outline := outlines.outline_of(layer)) is not None:
            _respace(outline, spacing)
    viewer.reset_view()


def _images_of(viewer: ViewerModel, image: Any) -> list[Any]:
    """The layers that show the study of an image layer."""
    entry = image.metadata.get(KEY)
    if not isinstance(entry, Channel):
        return [image, *(other for other, _ in companions_of(image))]
    channels = [(layer, layer.metadata.get(KEY)) for layer in viewer.layers]
    return [layer for layer, one in channels if isinstance(one, Channel) and one.study is entry.study]


def _respaced(study: Study, spacing: Spacing) -> Study:
    geometry = Geometry.spaced(spacing)
    stored = None if study.stored is None else replace(study.stored, geometry=geometry)
    return replace(study, geometry=geometry, stored=stored)


def _respace(outline: LabelsMetadata, spacing: Spacing) -> None:
    outline.study = _respaced(outline.study, spacing)
    if outline.segmentation is not None:
        outline.segmentation = replace(outline.segmentation, study=outline.study)


class SpacingField(QWidget):
    """A number of mm for each of z, y and x; ``stated`` is called with them when all three are given."""

    def __init__(self, stated: Callable[[Spacing], object]) -> None:
        super().__init__()
        self._stated = stated
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        self.steps = tuple(_step(axis) for axis in "zyx")
        for step in self.steps:
            step.valueChanged.connect(self._on_value)
            row.addWidget(step, 1)
        self.setToolTip("The files do not say how far voxels are apart. Without it, volumes are counted in voxels.")

    def show_spacing(self, spacing: Spacing | None) -> None:
        """Show a spacing; without one, what is typed already stays."""
        for step, value in zip(self.steps, spacing or (), strict=False):
            with QSignalBlocker(step):
                step.setValue(value)

    def clear(self) -> None:
        """Forget what was typed."""
        self.show_spacing((0.0, 0.0, 0.0))

    def _on_value(self) -> None:
        z, y, x = (step.value() for step in self.steps)
        if z and y and x:
            self._stated((z, y, x))


def _step(axis: str) -> QDoubleSpinBox:
    step = QDoubleSpinBox()
    step.setRange(0.0, MAX_MM)
    step.setDecimals(_DECIMALS)
    step.setPrefix(f"{axis} ")
    step.setSpecialValueText(f"{axis} ?")
    step.setButtonSymbols(QAbstractSpinBox.ButtonSymbols.NoButtons)
    step.setKeyboardTracking(False)
    step.setAlignment(Qt.AlignmentFlag.AlignCenter)
    return step
