"""Ways to lay out the slices of one result."""

from __future__ import annotations

import streamlit as st

from metseg.web.pictures import FIRST, SECOND, Lesions, Picture, draw, draw_cross, draw_mask
from metseg.web.planes import Plane, steps_of
from metseg.web.result import Result
from metseg.web.session import current
from metseg.web.views.controls import Look
from metseg.web.views.slice_view import show_slice, show_slider, slices_with

CSS_FIRST, CSS_SECOND = (f"rgb{colour}" for colour in (FIRST, SECOND))


def show_single(result: Result, look: Look) -> None:
    """One large slice of the plane that the visitor chooses."""
    plane = _choose_plane(result)
    caption(f"{plane} {place_of(result, plane)}", look.sequence)
    picture = overlay(result, look, plane, [lesions_of(result)])
    show_slice(picture, plane, result.shape, f"{plane} slice with outlined lesions", "single")
    show_slider(plane, result.shape, [(slices_with(result.mask, plane), CSS_FIRST)])


def show_four(result: Result, look: Look) -> None:
    """The original, CLAHE, the mask and the overlay of one slice."""
    plane = _choose_plane(result)
    index, steps = current().at[plane.axis], steps_of(result.answer.image.spacing, result.shape)
    channel = look.channel if len(result.enhanced) == len(result.voxels) else 0
    lesions = lesions_of(result)
    pictures = {
        "Original": draw(
            look.window.apply(plane.cut(result.voxels[look.channel], index)), plane, index, steps, side=520
        ),
        "CLAHE": draw(plane.cut(result.enhanced[channel], index), plane, index, steps, side=520),
        "Mask": draw_mask(lesions, plane, index, steps, side=520),
        "Overlay": overlay(result, look, plane, [lesions], side=520),
    }
    names = list(pictures)
    for row in (names[:2], names[2:]):
        for name, column in zip(row, st.columns(2, gap="small"), strict=True):
            with column:
                caption(name, look.sequence if name in ("Original", "Overlay") else "")
                show_slice(pictures[name], plane, result.shape, f"{plane} slice, {name}", name)
    show_slider(plane, result.shape, [(slices_with(result.mask, plane), CSS_FIRST)])


def show_planes(result: Result, look: Look) -> None:
    """All three planes through one voxel, with lines where they cut each other."""
    if not steps_of(result.answer.image.spacing, result.shape).known:
        st.caption(
            "The distance of slices is not known: coronal and sagittal pictures are stretched to look like a head. "
            "Nothing is measured on them."
        )
    left, right = st.columns([1.35, 1], gap="small")
    for plane in Plane:
        with left if plane is Plane.AXIAL else right:
            caption(f"{plane} {place_of(result, plane)}", look.sequence if plane is Plane.AXIAL else "")
            picture = overlay(result, look, plane, [lesions_of(result)], side=720 if plane is Plane.AXIAL else 520)
            _cross(picture, plane, result)
            show_slice(picture, plane, result.shape, f"{plane} slice with outlined lesions", "three")
            show_slider(plane, result.shape, [(slices_with(result.mask, plane), CSS_FIRST)])


def overlay(result: Result, look: Look, plane: Plane, marked: list[Lesions], side: int = 720) -> Picture:
    """The slice that is looked at, with lesions."""
    index = current().at[plane.axis]
    gray = look.window.apply(plane.cut(result.voxels[look.channel], index))
    steps = steps_of(result.answer.image.spacing, result.shape)
    return draw(gray, plane, index, steps, marked, look.marking, side)


def lesions_of(result: Result, second: bool = False) -> Lesions:
    """The lesions of a result in its colour; the chosen one of the first stands out."""
    return Lesions(result.labels, SECOND if second else FIRST, 0 if second else current().lesion)


def place_of(result: Result, plane: Plane) -> str:
    """Which slice of a plane is looked at, counted from 1."""
    return f"{current().at[plane.axis] + 1} / {result.shape[plane.axis]}"


def caption(left: str, right: str = "", colour: str = "") -> None:
    """A line above a picture."""
    key = f'<i class="metseg-key" style="background:{colour}"></i>' if colour else ""
    st.html(f'<p class="metseg-label"><span>{key}<b>{left}</b></span><span>{right}</span></p>')


def _choose_plane(result: Result) -> Plane:
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


def _cross(picture: Picture, plane: Plane, result: Result) -> None:
    down, across = ((current().at[axis] + 0.5) / result.shape[axis] for axis in range(3) if axis != plane.axis)
    draw_cross(picture, down if plane is Plane.AXIAL else 1 - down, across)
