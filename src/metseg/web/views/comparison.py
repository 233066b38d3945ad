"""Two networks beside each other on the same slice."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from metseg.metrics import overlap
from metseg.web.planes import Plane
from metseg.web.result import NetworkResult
from metseg.web.views.controls import Look
from metseg.web.views.layouts import CSS_FIRST, CSS_SECOND, caption, lesions_of, overlay, place_of
from metseg.web.views.slice_view import show_slice, show_slider, slices_with

_TALL = "calc(100vh - 26rem)"
#: Width of the first outline beneath the second, so that both are seen where they agree.
_HALO = 5


def show_comparison(results: tuple[NetworkResult, ...], look: Look) -> None:
    """The same axial slice twice, and how far the networks agree."""
    first, second = results
    plane = Plane.AXIAL
    both = st.toggle("Both outlines on both pictures", key="both", persist_state="session")
    marked = [lesions_of(first), lesions_of(second, second=True)]
    for number, (result, colour, column) in enumerate(
        zip(results, (CSS_FIRST, CSS_SECOND), st.columns(2, gap="small"), strict=True)
    ):
        with column, st.container(gap="xsmall"):
            caption(result.model, place_of(result, plane), colour)
            lesions = [replace(marked[0], width=_HALO), marked[1]] if both else [marked[number]]
            picture = overlay(first, look, plane, lesions)
            show_slice(picture, plane, result, f"Axial slice, lesions of {result.model}", f"compare {number}", _TALL)
    strips = [
        (slices_with(result.mask, plane), colour)
        for result, colour in zip(results, (CSS_FIRST, CSS_SECOND), strict=True)
    ]
    show_slider(plane, first.shape, strips)
    _show_agreement(first, second)


def _show_agreement(first: NetworkResult, second: NetworkResult) -> None:
    shared = overlap(first.mask, second.mask)
    one, two = int(first.mask.sum()), int(second.mask.sum())
    for column, (title, value, help_) in zip(
        st.columns(4),
        (
            (
                "Agreement (Dice)",
                f"{shared.dice:.3f}",
                "Twice the common voxels over the sum of both masks: 1 if they are equal",
            ),
            ("In both", f"{shared.true_positive:,}", "Voxels that both networks mark"),
            (f"Only {first.model}", f"{one - shared.true_positive:,}", "Voxels that only this network marks"),
            (f"Only {second.model}", f"{two - shared.true_positive:,}", "Voxels that only this network marks"),
        ),
        strict=True,
    ):
        column.metric(title, value, help=help_)
