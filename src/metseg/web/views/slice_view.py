"""One slice on the page, with its slider; the wheel turns slices, a click moves the other planes there."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st
from streamlit.components import v2

from metseg.study.geometry import Shape
from metseg.web.pictures import Picture, as_png
from metseg.web.planes import Plane
from metseg.web.result import NetworkResult
from metseg.web.session import current
from metseg.web.views.frame import asset

_HTML = '<div><img alt="" draggable="false"></div>'
_CSS = """
div { display: flex; justify-content: center; background: #000; border-radius: 4px; overflow: hidden; }
img { display: block; width: 100%; min-width: 0; object-fit: contain; cursor: crosshair; }
"""


def show_slice(picture: Picture, plane: Plane, result: NetworkResult, alt: str, place: str, tallest: str) -> None:
    """A picture of the slice of ``plane`` that is looked at.

    Parameters
    ----------
    picture : ndarray of uint8, shape (height, width, 3)
        What to show.
    plane, result : Plane, NetworkResult
        Its plane, and what it is a slice of.
    alt : str
        What is to be seen, in words.
    place : str
        Tells pictures of the same plane apart.
    tallest : str
        Its greatest height, for CSS.
    """
    key = f"picture {plane} {place}"

    def turned() -> None:
        steps = _trigger(key, "turn")
        if isinstance(steps, int | float):
            move(plane, current().at[plane.axis] + int(steps), result.shape)

    def pointed() -> None:
        match _trigger(key, "point"):
            case [int() | float() as down, int() | float() as across]:
                for axis, index in result.region.locate(plane, (float(down), float(across))).items():
                    current().at[axis] = index

    component = v2.component("metseg_slice", html=_HTML, css=_CSS, js=asset("slice.js"))
    source = "data:image/png;base64," + base64.b64encode(as_png(picture)).decode()
    data = {"src": source, "alt": alt, "tallest": tallest}
    component(key=key, data=data, on_turn_change=turned, on_point_change=pointed)


def show_slider(plane: Plane, shape: Shape, marked: Sequence[tuple[npt.NDArray[np.bool_], str]] = ()) -> None:
    """A slider through the slices of ``plane``; none for a single slice.

    Parameters
    ----------
    plane, shape : Plane, (int, int, int)
        The plane, and the volume's (z, y, x).
    marked : sequence of (ndarray of bool, str)
        Which slices have lesions, and the colour that says so, for a strip above the slider.
    """
    size = shape[plane.axis]
    if size == 1:
        return
    key = f"slice {plane}"
    st.session_state[key] = current().at[plane.axis] + 1

    def moved() -> None:
        move(plane, int(st.session_state[key]) - 1, shape)

    with st.container(gap=None):
        st.slider(f"{plane} slice", 1, size, key=key, on_change=moved, label_visibility="collapsed")
        st.html("".join(_strip(there, colour) for there, colour in marked))


def move(plane: Plane, index: int, shape: Shape) -> None:
    """Look at slice ``index`` of ``plane``, or at the nearest one there is."""
    current().at[plane.axis] = min(max(index, 0), shape[plane.axis] - 1)


def slices_with(labels: npt.NDArray[Any], plane: Plane) -> npt.NDArray[np.bool_]:
    """Which slices of a plane have lesions."""
    others = tuple(axis for axis in range(3) if axis != plane.axis)
    return np.asarray(labels.any(axis=others))


def _strip(there: npt.NDArray[np.bool_], colour: str) -> str:
    """Where lesions are along the slider."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], there, [False]]).astype(np.int8)))
    parts = [
        f'<i style="left:{100 * start / len(there):.2f}%;width:{100 * (end - start) / len(there):.2f}%;'
        f'background:{colour}"></i>'
        for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    ]
    return f'<div class="metseg-strip" title="Slices with lesions">{"".join(parts)}</div>'


def _trigger(key: str, name: str) -> object:
    state = st.session_state.get(key)
    return None if state is None else state.get(name)
