"""The patient's sides (R, L, A, P, S, I) at the edges of the canvas, where the orientation is known."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from metseg.napari_plugin.layers import AFFINE_KEY, is_auxiliary
from metseg.napari_plugin.state import ConnectionMixin
from metseg.study import Geometry

if TYPE_CHECKING:
    from napari.components import ViewerModel

Sides = tuple[str, str, str]

#: Where napari draws what is at the top, at the bottom, on the left and on the right.
_PLACES = ("top_center", "bottom_center", "middle_left", "middle_right")
_OPPOSITE = dict(zip("LRAPSI", "RLPAIS", strict=True))
_POINTS = 14


def sides_of(layers: Iterable[Any]) -> Sides | None:
    """Sides of the patient that the viewer's last three axes run to, such as ``("S", "P", "L")``.

    ``None`` if it is not known of an image, or images disagree.
    """
    images = [layer for layer in layers if hasattr(layer, "rgb") and layer.ndim > 2 and not is_auxiliary(layer)]
    found = {_sides_of(image) for image in images}
    return found.pop() if len(found) == 1 else None


def _sides_of(image: Any) -> Sides | None:
    affine = image.metadata.get(AFFINE_KEY)
    if affine is None or image.ndim != 3:
        return None
    origin = np.array(image.world_to_data((0, 0, 0)))
    steps = np.array([image.world_to_data(step) - origin for step in np.eye(3)])  # in voxels, for each axis of the view
    world = np.eye(4)
    world[:3, :3] = (steps[::-1, ::-1] @ affine[:3, :3].T).T
    orientation = str(Geometry.placed(world).orientation)
    return orientation[2], orientation[1], orientation[0]


class PatientSides(ConnectionMixin):
    """Writes the sides that ``layers``, by default the viewer's, tell at the edges of the canvas, and keeps them right.

    A viewer in which somebody else writes them is left to that one.
    """

    def __init__(self, viewer: ViewerModel, layers: Any = None) -> None:
        super().__init__()
        self._viewer = viewer
        self._layers = viewer.layers if layers is None else layers
        self._written: dict[str, Any] = {}
        self.follow(self._layers.events, ("inserted", "removed"), self.show)
        self.follow(viewer.dims.events, ("order", "ndisplay", "ndim"), self.show)
        self.follow(viewer.scene.camera.events, ("orientation",), self.show)
        self.show()

    @property
    def letters(self) -> tuple[str, ...]:
        """What stands at the top, at the bottom, on the left and on the right; nothing if that is not known."""
        sides, dims = sides_of(self._layers), self._viewer.dims
        if sides is None or dims.ndisplay != 2:
            return ()
        pairs = []
        for axis, towards in zip(dims.displayed, self._viewer.scene.camera.orientation2d, strict=True):
            if axis < dims.ndim - 3:
                return ()
            side = sides[axis - dims.ndim + 3]
            ends = (_OPPOSITE[side], side)
            pairs.append(ends if towards in ("down", "right") else ends[::-1])
        return (*pairs[0], *pairs[1])

    def show(self) -> None:
        """Write what holds now."""
        from napari.components.overlays import TextOverlay

        overlays = self._viewer.canvas.overlays
        if not self._written:
            if _key(_PLACES[0]) in overlays:
                return
            for place in _PLACES:
                self._written[place] = overlays[_key(place)] = TextOverlay(position=place, font_size=_POINTS)
        for place, letter in zip(_PLACES, self.letters or [""] * len(_PLACES), strict=True):
            self._written[place].text = letter
            self._written[place].visible = bool(letter)

    def close(self) -> None:
        """Take the letters away."""
        self.unfollow()
        for place in self._written:
            self._viewer.canvas.overlays.pop(_key(place), None)
        self._written.clear()


def _key(place: str) -> str:
    return f"metseg_side_{place}"
