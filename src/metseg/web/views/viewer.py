"""What came of a study: pictures at the left, lesion table and controls at the right."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import streamlit as st

from metseg.web.formatting import as_markdown, describe_image, sentence
from metseg.web.result import NetworkResult
from metseg.web.session import current
from metseg.web.views.comparison import show_comparison
from metseg.web.views.controls import Look, show_controls
from metseg.web.views.downloads import show_downloads
from metseg.web.views.layouts import CSS_FIRST, CSS_SECOND, show_four, show_planes, show_single
from metseg.web.views.lesion_table import show_lesion_table
from metseg.web.views.volume import show_volume

Results = tuple[NetworkResult, ...]

_SINGLE, _FOUR, _PLANES, _COMPARE, _VOLUME = "Slice", "Four views", "Three planes", "Compare", "3-D"


@st.fragment
def show_results(results: Results) -> None:
    """One network's result, or two beside each other."""
    first = results[0]
    _show_head(results)
    views: dict[str, Callable[[NetworkResult, Look], None]] = {_SINGLE: show_single, _FOUR: show_four}
    if first.shape[0] > 1:
        views |= {_PLANES: show_planes, _VOLUME: show_volume}
    names = [*([_COMPARE] if len(results) > 1 else []), *views]
    view = st.segmented_control(
        "View",
        names,
        default=names[0],
        required=True,
        key=f"view {'+'.join(result.model for result in results)} {len(names)}",
        label_visibility="collapsed",
    )
    with st.container(key="metseg-result"):
        pictures, side = st.columns([1.75, 1], gap="medium")
    with side:
        for result, colour, place in zip(results, (CSS_FIRST, CSS_SECOND), ("", "second"), strict=False):
            show_lesion_table(result, colour, place)
        look = show_controls(first)
        if first.shape[0] > 1:
            st.caption("A row of the table goes to its lesion. The wheel turns slices; a click moves the other planes.")
    with pictures:
        if view == _COMPARE:
            show_comparison(results, look)
        else:
            views.get(view or _SINGLE, show_single)(first, look)


def _show_head(results: Results) -> None:
    first = results[0]
    with st.container(horizontal=True, vertical_alignment="center", wrap=False):
        models = " and ".join(f"<b>{escape(result.model)}</b>" for result in results)
        st.html(
            f'<p class="metseg-study">{escape(first.name)}</p>'
            f'<p class="metseg-facts">{escape(describe_image(first.answer))} · outlined by {models} · '
            f"CLAHE {escape(first.answer.clahe)}</p>"
        )
        show_downloads(results)
    upload = current().upload
    remarks = [] if upload is None else [*upload.remarks]
    for result in results:
        remarks += [notice for notice in result.answer.notices if notice not in remarks]
    if remarks:
        st.info("  \n".join(as_markdown(sentence(remark)) for remark in remarks), icon=":material/info:")
