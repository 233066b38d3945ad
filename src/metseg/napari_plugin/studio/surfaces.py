"""Lesions as surfaces in 3D, which follow every edit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QT_TRANSLATE_NOOP
from scipy import ndimage

from metseg.napari_plugin.background import WorkerMixin
from metseg.napari_plugin.layers import KEY
from metseg.napari_plugin.studio.shortcuts import Shortcut

if TYPE_CHECKING:
    from napari.layers import Layer, Surface

    from metseg.napari_plugin.studio.case_labels import CaseLabels
    from metseg.napari_plugin.studio.open_case import OpenCase
    from metseg.napari_plugin.studio.studio import Studio

_NAME = "lesions in 3D"
_MARK = "surfaces"
#: Voxels of a margin round a lesion, so that its surface is closed, and how much of its steps is smoothed.
_MARGIN, _SMOOTH = 1, 0.7

#: Vertices (n, 3) in voxels, faces (m, 3), and of each vertex the lesion's number (n).
Mesh = tuple[npt.NDArray[np.float32], npt.NDArray[np.int32], npt.NDArray[np.uint16]]


class Surfaces(WorkerMixin):
    """Switches to 3D and back; in 3D, lesions are a surface layer in their colours instead of labels, and alone.

    Images are hidden meanwhile: what napari renders of them in 3D would pierce the surfaces.
    """

    def __init__(self, studio: Studio) -> None:
        super().__init__()
        self._studio = studio
        self._viewer = studio.viewer
        self._layer: Surface | None = None
        self._labels: CaseLabels | None = None
        self._hidden: tuple[Layer, ...] = ()
        self._meshes = self.worker(self._on_mesh, studio.report_error)
        studio.add_shortcut(Shortcut("Shift-D", QT_TRANSLATE_NOOP("studio", "lesions in 3D, and back"), self.toggle))
        studio.add_closing(self.close)
        self.follow(studio.state.events, ("case",), self._on_case)
        self.follow(studio.state.events, ("edits",), self._make)
        self.follow(self._viewer.dims.events, ("ndisplay",), self._on_display)

    def toggle(self) -> None:
        """Show the open case's lesions in 3D, or its slices again."""
        if self._viewer.dims.ndisplay == 3:
            self._viewer.dims.ndisplay = 2
        elif self._studio.state.case is not None:
            self._labels = self._studio.state.case.labels
            self._viewer.dims.ndisplay = 3
            self._make()

    def _make(self) -> None:
        case = self._studio.state.case
        if case is not None and self._labels is case.labels:
            self._meshes.submit(_mesh_of, case, case.labels.data)

    def _on_mesh(self, found: tuple[OpenCase, Mesh]) -> None:
        from napari.layers import Surface

        case, (vertices, faces, lesions) = found
        if self._studio.state.case is None or self._labels is not case.labels:
            return
        if not len(faces):
            self._remove()
            return
        numbers, values = np.unique(lesions, return_inverse=True)
        data = vertices, faces, values.astype(np.float32)
        if self._layer is None or self._layer not in self._viewer.layers:
            place: dict[str, Any] = {
                name: getattr(case.labels, name) for name in ("scale", "translate", "units", "axis_labels")
            }
            self._layer = Surface(data, name=_NAME, shading="smooth", metadata={KEY: _MARK}, **place)
            self._viewer.add_layer(self._layer)
            self._viewer.layers.selection.active = case.labels
        else:
            self._layer.data = data
        self._layer.colormap = _steps([case.labels.colormap.map(int(number)) for number in numbers])
        self._layer.contrast_limits = (-0.5, len(numbers) - 0.5)
        if not self._hidden:
            self._hidden = (*case.images, case.labels)
            for hidden in self._hidden:
                self._studio.own_layers.hide(hidden)

    def _on_display(self) -> None:
        if self._viewer.dims.ndisplay == 2:
            self._remove()

    def _on_case(self) -> None:
        case = self._studio.state.case
        if self._labels is not None and (case is None or case.labels is not self._labels):
            self._remove()
        elif case is not None:
            self._make()

    def _remove(self) -> None:
        self._labels = None
        hidden, self._hidden = self._hidden, ()
        layer, self._layer = self._layer, None
        self._meshes.forget()
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)
        for one in hidden:
            self._studio.own_layers.unhide(one)


def _steps(colours: list[Any]) -> Any:
    """A colormap of so many even steps."""
    from napari.utils.colormaps import Colormap

    colours = colours * 2 if len(colours) == 1 else colours  # vispy wants two at least
    return Colormap(colours, controls=np.linspace(0, 1, len(colours) + 1), interpolation="zero", name="lesions")


def _mesh_of(case: OpenCase, labels: npt.NDArray[np.uint16]) -> tuple[OpenCase, Mesh]:
    """The surfaces of labels that may be drawn on meanwhile; run this in a thread."""
    return case, lesion_mesh(labels.copy())


def lesion_mesh(labels: npt.NDArray[np.uint16]) -> Mesh:
    """The surfaces of all lesions, a little smoothed, as one mesh.

    Parameters
    ----------
    labels : ndarray of uint16, shape (z, y, x)
        0 outside, else the lesion's number.
    """
    from skimage.measure import marching_cubes

    vertices, faces, numbers = [np.zeros((0, 3), np.float32)], [np.zeros((0, 3), np.int32)], [np.zeros(0, np.uint16)]
    count = 0
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None:
            continue
        solid = np.pad((labels[box] == number).astype(np.float32), _MARGIN + 1)
        smooth = ndimage.gaussian_filter(solid, (0, _SMOOTH, _SMOOTH))
        level = min(0.5, float(smooth.max()) / 2)
        corners, triangles, *_ = marching_cubes(smooth, level)  # type: ignore[no-untyped-call]  # skimage has no types
        origin = np.array([side.start - _MARGIN - 1 for side in box], np.float32)
        vertices.append(corners.astype(np.float32) + origin)
        faces.append(triangles.astype(np.int32) + count)
        numbers.append(np.full(len(corners), number, np.uint16))
        count += len(corners)
    return np.concatenate(vertices), np.concatenate(faces), np.concatenate(numbers)
