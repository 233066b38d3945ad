"""Waiting for the server: until it is there, and until it has outlined."""

from __future__ import annotations

import time
from contextlib import closing
from html import escape

import streamlit as st

from metseg.client import BusyError, Client, JobProgress, Waiting
from metseg.errors import MetsegError, ServerDownError
from metseg.events import Finished, Progress, seconds_in_words
from metseg.http_documents import JobState
from metseg.web.formatting import as_markdown, sentence
from metseg.web.outlining import outline
from metseg.web.server import own_server_is_starting
from metseg.web.session import current
from metseg.web.views.error_views import show_down, show_problem

_STARTING_SECONDS = 180
_POLL = 0.5


def wait_for_server(client: Client) -> bool:
    """Ask once per visit which models there are; ``False`` if there is no server, which is then shown."""
    session = current()
    if session.cards:
        return True
    place, since = st.empty(), time.monotonic()
    while True:
        waited = time.monotonic() - since
        try:
            client.check_ready()
            session.cards = tuple(card for card in client.models() if card.usable)
            if not session.cards:
                raise ServerDownError("the server has no usable model")
            place.empty()
            return True
        except BusyError as busy:
            _show_progress(place, f"Server: {busy}", waited)
        except ServerDownError as down:
            reason = _why_not_starting(down, waited)
            if reason:
                place.empty()
                show_down(reason)
                return False
            _show_progress(place, "Starting the server", waited)
        except MetsegError as refused:
            place.empty()
            show_problem(refused)
            return False
        time.sleep(_POLL)


def outline_missing(client: Client) -> None:
    """Have all models asked that are wanted and missing; what goes wrong is kept in the session."""
    session = current()
    upload = session.upload
    if upload is None:
        return
    st.html(f'<p class="metseg-study">{escape(upload.name)}</p>')
    with st.container(width=560):
        bar = st.progress(0.0, "Sending the study")
        st.button("Cancel", icon=":material/close:", on_click=_cancel, key="cancel")
    missing = session.missing
    for number, model in enumerate(missing):
        which = f"{model} ({number + 1} of {len(missing)})" if len(missing) > 1 else model
        try:
            with closing(outline(client, upload, model, session.clahe)) as events:
                for event in events:
                    if isinstance(event, JobProgress):
                        done = event.done / max(event.total, 1)
                        bar.progress((number + done) / len(missing), progress_in_words(event, which))
                    elif isinstance(event, Progress):
                        icon = ":material/hourglass_top: " if isinstance(event, Waiting) else ""
                        bar.progress(number / len(missing), icon + as_markdown(sentence(event.what)))
                    elif isinstance(event, Finished):
                        session.take(event.result, model)
        except MetsegError as problem:
            session.fail(problem)
            return


def _why_not_starting(down: ServerDownError, waited: float) -> str:
    """Why waiting is of no use; empty if our own server is still to come."""
    try:
        return "" if own_server_is_starting() and waited < _STARTING_SECONDS else str(down)
    except ServerDownError as ended:
        return str(ended)


def progress_in_words(event: JobProgress, model: str) -> str:
    """How far a job is, and how long the rest takes if that is known."""
    if event.what == JobState.QUEUED:
        return "Waiting for the network: other studies are before this one"
    if event.what == JobState.FINISHED:
        return "Fetching the outlines"
    left = "" if event.seconds_left is None else f", {seconds_in_words(event.seconds_left)} left"
    return f"{as_markdown(model)}: {event.done} of {event.total} slices{left}"


def _cancel() -> None:
    session = current()
    session.wanted = tuple(model for model in session.wanted if model in session.results)


def _show_progress(place: st.delta_generator.DeltaGenerator, text: str, waited: float) -> None:
    with place.container(horizontal_alignment="center"), st.container(width=420):
        st.html('<div style="height: 18vh"></div>')
        st.progress(min(waited / 60, 0.97), f"{text} ({waited:.0f} s)")
