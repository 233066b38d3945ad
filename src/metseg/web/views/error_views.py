"""What the page says when there is nothing to look at, or something went wrong."""

from __future__ import annotations

from http import HTTPStatus

import streamlit as st

from metseg.client import BusyError, RefusedError
from metseg.errors import MetsegError, ServerDownError
from metseg.web.formatting import as_markdown, sentence

_TITLES: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "The server wants another token",
    HTTPStatus.FORBIDDEN: "The server does not take requests from here",
    HTTPStatus.REQUEST_TIMEOUT: "The upload took too long",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "This study is too large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "This is not a format that is taken",
    HTTPStatus.UNPROCESSABLE_ENTITY: "This study cannot be read",
}
_ADVICE: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "Start the page with METSEG_TOKEN set to the server's token.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Send fewer slices, or crop them.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "TIFF, NIfTI, DICOM, NRRD, MetaImage, PNG, JPEG, or a zip of them can be sent.",
}


def show_problem(problem: MetsegError, study: str = "") -> None:
    """Say what went wrong with ``study``, in the server's words, and what can be done."""
    title, advice = "This study could not be outlined", ""
    if isinstance(problem, ServerDownError):
        title, advice = "The server is gone", "Nothing was lost here; try again when it is back."
    elif isinstance(problem, BusyError):
        title, advice = "The server is still busy", "It was asked several times; try again in a few minutes."
    elif isinstance(problem, RefusedError):
        title, advice = _TITLES.get(problem.status, title), _ADVICE.get(problem.status, "")
    whose = f"{as_markdown(study)}: {title[:1].lower()}{title[1:]}" if study else title
    lines = [f"**{whose}**", as_markdown(sentence(str(problem))), advice]
    with st.container(width=860):
        st.error("  \n".join(filter(None, lines)), icon=":material/error:")


def show_down(reason: str) -> None:
    """There is no server: the page can do nothing without one."""
    with st.container(horizontal_alignment="center"), st.container(width=560):
        st.html(
            '<div class="metseg-state"><h2>There is no server</h2>'
            "<p>This page only shows what a metseg server computes, and it cannot reach one.</p></div>"
        )
        st.error(as_markdown(sentence(reason)), icon=":material/cloud_off:")
        st.caption(
            "Is it running? `metseg serve` starts one; `metseg ui` without `--server` brings its own. "
            "What it last said is in its terminal."
        )
        st.button("Try again", type="primary", icon=":material/refresh:")


def show_welcome() -> None:
    """What can be done here."""
    st.html(
        '<div class="metseg-state" style="max-width:54rem"><h2>Outline lesions in brain MRI</h2>'
        "<p>Choose a study at the left, or look at the sample: a synthetic head with lesions, drawn now. "
        "A network marks what it takes for lesion; you judge it, slice by slice, in three planes and in 3-D.</p>"
        '<div class="metseg-steps">'
        "<div><b>One image</b>TIFF, PNG or JPEG. Red, green and blue are read as pre-contrast, FLAIR and "
        "post-contrast; grey as one sequence.</div>"
        "<div><b>A study</b>A multi-page TIFF, NIfTI, NRRD or MetaImage, several slices or DICOM files, or a zip "
        "of them.</div>"
        "<div><b>Where it goes</b>To the server and back. It is kept in the memory of this visit only, and the "
        "server is told to forget it.</div>"
        "</div></div>"
    )
