"""A hand on the mouse for the scripts beside this one: strokes on a layer, through napari's own mouse callbacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from napari.utils.interactions import mouse_move_callbacks, mouse_press_callbacks, mouse_release_callbacks
from wrapt import ObjectProxy

Place = Sequence[float]


def drag(
    layer: Any,
    places: Sequence[Place],
    *,
    between: Callable[[], object] = lambda: None,
    before_release: Callable[[], object] = lambda: None,
) -> None:
    """Press on ``layer`` at the first place (z, y, x in voxels), move through the others, let go.

    ``between`` is called after each move, ``before_release`` once when all moves are done.
    """
    mouse_press_callbacks(layer, _event(layer, "mouse_press", places[0]))
    for place in places[1:]:
        mouse_move_callbacks(layer, _event(layer, "mouse_move", place))
        between()
    before_release()
    mouse_release_callbacks(layer, _event(layer, "mouse_release", places[-1]))


def scribble(rng: np.random.Generator, shape: tuple[int, int, int], points: int = 12) -> list[Place]:
    """A wandering path within one slice of a volume."""
    z = int(rng.integers(shape[0]))
    place = rng.uniform(0.2, 0.8, 2) * shape[1:]
    path = []
    for _ in range(points):
        place = np.clip(place + rng.normal(0, 4, 2), 1, np.array(shape[1:]) - 2)
        path.append((z, *place))
    return path


def _event(layer: Any, kind: str, place: Place) -> Any:
    """An event as napari's canvas makes it, in a proxy: napari puts each next event into the first one's."""
    return ObjectProxy(
        SimpleNamespace(
            type=kind,
            position=tuple(layer.data_to_world(place)),
            pos=(0, 0),
            view_direction=None,
            up_direction=None,
            dims_displayed=[1, 2],
            dims_point=[0, 0, 0],
            camera_zoom=1.0,
            button=1,
            modifiers=(),
            is_dragging=kind == "mouse_move",
            handled=False,
        )
    )
