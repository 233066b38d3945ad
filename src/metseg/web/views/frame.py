"""What surrounds the page: its title, its style, and what must always be said."""

from __future__ import annotations

from importlib.resources import files

import streamlit as st

BANNER = "For research. Not a medical device; every outline must be checked by a person."


def asset(name: str) -> str:
    """A text file that travels with the page."""
    return (files("metseg.web") / "assets" / name).read_text(encoding="utf-8")


def show_frame() -> None:
    """Set the page up."""
    st.set_page_config(page_title="metseg", page_icon=asset("icon.svg"), layout="wide")
    st.html(f"<style>{asset('page.css')}</style>")
    st.html(f'<div class="metseg-banner" role="note">{BANNER}</div>')
