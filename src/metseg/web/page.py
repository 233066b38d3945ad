"""The page. ``metseg ui`` runs it; ``streamlit run page.py`` does as well."""

from __future__ import annotations

import streamlit as st

from metseg.client import Client
from metseg.web.server import server_address
from metseg.web.session import current
from metseg.web.views.error_views import show_problem, show_welcome
from metseg.web.views.frame import show_frame
from metseg.web.views.login import logged_in
from metseg.web.views.sidebar import show_sidebar
from metseg.web.views.viewer import show_results
from metseg.web.views.waiting import outline_missing, wait_for_server


def main() -> None:
    """Make the page once; Streamlit calls this again whenever the user touches something."""
    show_frame()
    if not logged_in():
        return
    session = current()
    with Client(server_address()) as client:
        if not wait_for_server(client):
            return
        show_sidebar()
        if session.missing:
            outline_missing(client)
            st.rerun()
    if session.problem is not None:
        show_problem(session.problem, "" if session.upload is None else session.upload.name)
    if session.shown:
        show_results(session.shown)
    else:
        show_welcome()


if __name__ == "__main__":
    main()
