"""Ways to lay out the slices of one result."""

from __future__ import annotations

from html import escape

import streamlit as st

from metseg.web.pictures import FIRST, SECOND, Frame, Lesions, Picture, draw, draw_cross, draw_mask
from metseg.web.planes import Plane
from metseg.web.result import NetworkResult
from metseg.web.session import current
from metseg.web.views.controls import Look
from metseg.web.views.slice_view import show_slice, show_slider, slices_with

CSS_FIRST, CSS_SECOND = (f"rgb{colour}" for colour in (FIRST, SECOND))

#: Longest sides of pictures in pixels, and how tall they may be on the page, so that sliders stay in sight.
_SIDE, _SMALL_SIDE = 720, 520
_TALL, _HALF = "calc(100vh - 20rem)", "calc(50vh - 11.9rem)"


def show_single(result: NetworkResult, look: Look) -> None:
    """One large slice of the plane that the user chooses."""
    plane = _choose_plane(result)
    with st.container(gap="xsmall"):
        several = result.shape[0] > 1
        caption(f"{plane} {place_of(result, plane)}" if several else "Slice", look.sequence)
        picture = overlay(result, look, plane, [lesions_of(result)])
        show_slice(picture, plane, result, f"{plane} slice with outlined lesions", "single", _TALL)
        show_slider(plane, result.shape, [(slices_with(result.mask, plane), CSS_FIRST)])


def show_four(result: NetworkResult, look: Look) -> None:
    """The original, CLAHE, the mask and the overlay of one slice."""
    plane = _choose_plane(result)
    index, lesions = current().at[plane.axis], lesions_of(result)
    channel = look.channel if len(result.enhanced) == len(result.voxels) else 0
    frame = Frame(plane, result.region, result.steps, _SMALL_SIDE)
    pictures = {
        "Original": draw(frame, look.window.apply(plane.cut(result.voxels[look.channel], index)), index),
        "CLAHE": draw(frame, plane.cut(result.enhanced[channel], index), index),
        "Mask": draw_mask(frame, lesions, index),
        "Overlay": overlay(result, look, plane, [lesions], _SMALL_SIDE),
    }
    names = list(pictures)
    for row in (names[:2], names[2:]):
        for name, column in zip(row, st.columns(2, gap="small"), strict=True):
            with column, st.container(gap="xsmall"):
                caption(name, place_of(result, plane) if name == "Original" else "")
                show_slice(pictures[name], plane, result, f"{plane} slice, {name}", name, _HALF)
    show_slider(plane, result.shape, [(slices_with(result.mask, plane), CSS_FIRST)])


def show_planes(result: NetworkResult, look: Look) -> None:
    """All three planes through one voxel, with lines where they cut each other."""
    if result.geometry.spacing is None:
        st.caption(
            "The distance of slices is not known: coronal and sagittal pictures are stretched to look like a head. "
            "Nothing is measured on them."
        )
    left, right = st.columns([1.35, 1], gap="small")
    for plane in Plane:
        axial = plane is Plane.AXIAL
        with left if axial else right, st.container(gap="xsmall"):
            caption(f"{plane} {place_of(result, plane)}", look.sequence if axial else "")
            picture = overlay(result, look, plane, [lesions_of(result)], _SIDE if axial else _SMALL_SIDE)
            draw_cross(picture, *result.region.place(plane, current().at))
            show_slice(
                picture, plane, result, f"{plane} slice with outlined lesions", "three", _TALL if axial else _HALF
            )
            show_slider(plane, result.shape, [(slices_with(result.mask, plane), CSS_FIRST)])


def overlay(result: NetworkResult, look: Look, plane: Plane, marked: list[Lesions], side: int = _SIDE) -> Picture:
    """The slice that is looked at, with lesions."""
    index = current().at[plane.axis]
    gray = look.window.apply(plane.cut(result.voxels[look.channel], index))
    return draw(Frame(plane, result.region, result.steps, side), gray, index, marked, look.marking)


def lesions_of(result: NetworkResult, second: bool = False) -> Lesions:
    """The lesions of a result in its colour; the chosen one of the first stands out."""
    return Lesions(result.labels, SECOND if second else FIRST, 0 if second else current().lesion)


def place_of(result: NetworkResult, plane: Plane) -> str:
    """Which slice of a plane is looked at, counted from 1."""
    return f"{current().at[plane.axis] + 1} / {result.shape[plane.axis]}"


def caption(left: str, right: str = "", colour: str = "") -> None:
    """A line above a picture."""
    key = f'<i class="metseg-key" style="background:{colour}"></i>' if colour else ""
    st.html(f'<p class="metseg-label"><span>{key}<b>{escape(left)}</b></span><span>{escape(right)}</span></p>')


def _choose_plane(result: NetworkResult) -> Plane:
    if result.shape[0] == 1:
        return Plane.AXIAL
    names = [str(plane) for plane in Plane]
    chosen = st.segmented_control(
        "Plane",
        names,
        default=names[0],
        required=True,
        key="plane",
        label_visibility="collapsed",
        persist_state="session",
    )
    return Plane(chosen or names[0])
