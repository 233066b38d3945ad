"""How slices are shown: sequence, window, marking."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from metseg.web.formatting import sequence_names
from metseg.web.pictures import Marking, Window
from metseg.web.result import NetworkResult

_OUTLINE, _FILL = "Outline", "Fill"


@dataclass(frozen=True, slots=True)
class Look:
    """Channel, grey values and marking."""

    channel: int
    window: Window
    marking: Marking
    sequence: str


def show_controls(result: NetworkResult) -> Look:
    """Let the user choose how slices of ``result`` look."""
    names = sequence_names(result.answer)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        if len(names) > 1:
            usual = "FLAIR" if "FLAIR" in names else names[0]
            name = st.segmented_control(
                "Sequence", names, default=usual, required=True, key="sequence", persist_state="session"
            )
        else:
            name = names[0]
        marking = st.segmented_control(
            "Lesions", [_OUTLINE, _FILL], default=_OUTLINE, required=True, key="marking", persist_state="session"
        )
    channel = names.index(name) if name in names else 0
    window = _window(result, channel)
    opacity = st.slider("Opacity of lesions", 0, 100, 90, 5, format="%d %%", key="opacity", persist_state="session")
    return Look(channel, window, Marking(opacity / 100, filled=marking == _FILL), names[channel])


def _window(result: NetworkResult, channel: int) -> Window:
    volume = result.voxels[channel]
    usual = result.windows[channel]
    most = max(float(volume.max()), usual.level + usual.width / 2, 1.0)
    study = result.answer.request_id[:8]
    level_key, width_key = f"level {study} {channel}", f"width {study} {channel}"

    def reset() -> None:
        st.session_state[level_key] = round(usual.level)
        st.session_state[width_key] = max(1, round(usual.width))

    if level_key not in st.session_state:
        reset()
    left, right, end = st.columns([5, 5, 1], vertical_alignment="bottom", gap="small")
    with left:
        width = st.slider("Window", 1, max(2, round(1.5 * most)), key=width_key, persist_state="session")
    with right:
        level = st.slider("Level", 0, max(1, round(most)), key=level_key, persist_state="session")
    with end:
        st.button("", icon=":material/restart_alt:", help="Usual window and level", on_click=reset, type="tertiary")
    return Window(level=float(level), width=float(width))
