"""Model cards, as the server states them."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from metseg.http_documents import ModelDocument
from metseg.web.formatting import as_markdown, score_rows


@st.dialog("Networks of this server", width="large")
def show_card(cards: Sequence[ModelDocument], chosen: str) -> None:
    """What is known of each network; ``chosen`` is shown first."""
    names = [card.name for card in cards]
    name = st.selectbox("Network", names, index=names.index(chosen), label_visibility="collapsed", key="card")
    card = next(card for card in cards if card.name == name)
    st.markdown(f"**{as_markdown(card.architecture)}**")
    facts = {
        "Outlines": card.target,
        "Looks at": ", ".join(card.sequences),
        "Lesion from": "" if card.threshold is None else f"probability {card.threshold:g}",
        "Smallest lesion": "" if card.smallest is None else f"{card.smallest} voxels",
        "CLAHE": card.clahe or "",
        "Made on": card.created,
    }
    st.markdown(" · ".join(f"{title} {as_markdown(fact)}" for title, fact in facts.items() if fact))
    rows = score_rows(card)
    if rows:
        st.markdown(_table(rows))
    st.markdown(as_markdown(card.notes) if card.notes else "The card says nothing more.")
    st.caption("The scores were measured by whoever made the network, on patients named in its card.")


def _table(rows: Sequence[dict[str, str]]) -> str:
    """Rows with the same keys, in Markdown."""
    lines = [list(rows[0]), ["---"] + ["--:"] * (len(rows[0]) - 1)]
    lines += [[as_markdown(cell) for cell in row.values()] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
