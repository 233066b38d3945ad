"""The left side: which study, which networks."""

from __future__ import annotations

import itertools
from dataclasses import replace

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from metseg.errors import MetsegError
from metseg.study import TRIPLET
from metseg.synthetic import synthetic_study
from metseg.web.launching import upload_limit
from metseg.web.session import UserSession, current
from metseg.web.uploads import ENDINGS, Upload, pack, pack_study
from metseg.web.views.card import show_card

_NONE = "None"
_CLAHE = {"": "As trained", "on": "On", "off": "Off"}


def show_sidebar() -> None:
    """Choose files and networks, and start; nothing can be changed while a network works."""
    session = current()
    working = bool(session.missing)
    with st.sidebar:
        st.html('<p class="metseg-brand">metseg<small>Lesions in brain MRI</small></p>')
        _heading("Study")
        files = st.file_uploader(
            "Image or study",
            type=list(ENDINGS),
            accept_multiple_files=True,
            key=f"files {session.uploader}",
            help="TIFF, NIfTI, DICOM, NRRD, MetaImage, PNG, JPEG; several files of one patient, or a zip of them.",
            label_visibility="collapsed",
            disabled=working,
        )
        sample = st.button(
            "Try the sample",
            icon=":material/neurology:",
            help="A synthetic head with lesions; no patient.",
            width="stretch",
            disabled=working,
        )
        sequences = _sequences(working)
        _heading("Network")
        models = _models(session, working)
        clahe = _clahe(working)
        start = st.button(
            "Outline lesions",
            type="primary",
            icon=":material/play_arrow:",
            width="stretch",
            disabled=working or not (files or _changed(session, models, sequences, clahe)),
        )
        if session.upload is not None:
            st.button(
                "Forget this study", icon=":material/delete:", width="stretch", on_click=_forget, disabled=working
            )
        if st.button("About the networks", icon=":material/description:", type="tertiary", disabled=working):
            show_card(session.cards, models[0])
    if sample:
        session.uploader += 1
        session.want(_sample(), models, clahe)
        st.rerun()
    if start:
        _send(session, files, models, sequences, clahe)
        st.rerun()


@st.cache_resource(show_spinner="Drawing a synthetic head with lesions", max_entries=1)
def _sample() -> Upload:
    """The synthetic head, drawn once for all users: no patient's data is in it."""
    return pack_study(synthetic_study(seed=2, slices=28))


def _changed(session: UserSession, models: tuple[str, ...], sequences: str, clahe: str) -> bool:
    """Whether the study that is there would be outlined otherwise."""
    upload = session.upload
    if upload is None:
        return False
    return (models, sequences, clahe) != (session.wanted, upload.sequences, session.clahe)


def _sequences(working: bool) -> str:
    """Which sequence each channel is, if the user says so."""
    orders = [",".join(order) for count in (1, 2, 3) for order in itertools.permutations(TRIPLET, count)]
    chosen = st.selectbox(
        "Sequences",
        ["", *orders],
        format_func=lambda text: text.replace(",", ", ") or "As usual",
        key="sequences",
        help="Which sequence each channel is, where the file cannot say it. As usual: three channels are "
        "pre-contrast, FLAIR and post-contrast; a single one is unknown.",
        disabled=working,
    )
    return chosen or ""


def _models(session: UserSession, working: bool) -> tuple[str, ...]:
    names = [card.name for card in session.cards]
    usual = next((index for index, card in enumerate(session.cards) if card.default), 0)
    first = st.selectbox("Network", names, index=usual, key="first", disabled=working, label_visibility="collapsed")
    others = [_NONE, *(name for name in names if name != first)]
    second = st.selectbox("Compare with", others, key="second", disabled=working or len(others) == 1)
    return (first,) if second in (None, _NONE) else (first, second)


def _clahe(working: bool) -> str:
    return (
        st.segmented_control(
            "Equalise (CLAHE)",
            list(_CLAHE),
            default="",
            format_func=_CLAHE.__getitem__,
            required=True,
            key="clahe",
            help="Show the network slices with equalised contrast, or plain ones.",
            width="stretch",
            disabled=working,
        )
        or ""
    )


def _send(session: UserSession, files: list[UploadedFile], models: tuple[str, ...], sequences: str, clahe: str) -> None:
    """Ask for the chosen files, or for the study that is there; the chooser is then empty for the next study."""
    upload = session.upload
    if files:
        try:
            upload = pack([(file.name, file.getvalue()) for file in files], upload_limit())
        except MetsegError as problem:
            session.drop()
            session.fail(problem)
            return
        session.uploader += 1
    if upload is not None:
        session.want(replace(upload, sequences=sequences), models, clahe)


def _forget() -> None:
    session = current()
    session.drop()
    session.uploader += 1


def _heading(text: str) -> None:
    st.html(f'<p class="metseg-section">{text}</p>')
