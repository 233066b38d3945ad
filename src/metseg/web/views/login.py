"""A page that other computers can reach asks for the token first."""

from __future__ import annotations

import os
import secrets
import time

import streamlit as st

from metseg.loopback import is_loopback

_PENALTY_SECONDS = 1.0


def logged_in() -> bool:
    """Whether this user may see the page; asks for METSEG_TOKEN if it is not on this computer's own address."""
    if is_loopback(str(st.get_option("server.address") or "0.0.0.0")):  # noqa: S104 (what an empty address means)
        return True
    token = os.environ.get("METSEG_TOKEN", "")
    if not token:
        st.error(
            "This page can be reached from other computers and has no token. Start it with METSEG_TOKEN set, "
            "or on 127.0.0.1.",
            icon=":material/lock:",
        )
        return False
    if st.session_state.get("logged_in"):
        return True
    with st.form("login", width=420, border=False):
        given = st.text_input("Token", type="password", help="Whoever started this page knows it: METSEG_TOKEN.")
        if not st.form_submit_button("Open", type="primary"):
            return False
    if secrets.compare_digest(given.encode(), token.encode()):
        st.session_state["logged_in"] = True
        st.rerun()
    time.sleep(_PENALTY_SECONDS)
    st.error("That is not the token.", icon=":material/lock:")
    return False
