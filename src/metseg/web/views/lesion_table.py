"""The table of lesions: a click goes to the lesion."""

from __future__ import annotations

from html import escape

import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ButtonColumnResult, ColumnConfig

from metseg.study.geometry import Shape
from metseg.web.formatting import found, slices_of
from metseg.web.result import NetworkResult
from metseg.web.session import current

_ROW = 32


def show_lesion_table(result: NetworkResult, colour: str, place: str = "") -> None:
    """What ``result`` found, largest lesion first.

    Parameters
    ----------
    colour : str
        Its lesions' colour on the pictures, for CSS.
    """
    lesions = result.answer.lesions
    network = escape(", ".join(filter(None, (result.model, result.target))))
    st.html(
        f'<p class="metseg-label"><span><i class="metseg-key" style="background:{colour}"></i>'
        f"<b>{found(lesions)}</b></span><span>{network}</span></p>"
    )
    if not lesions:
        st.caption(f"No voxel reached probability {result.answer.postprocessing.threshold:g} in a lesion large enough.")
        return
    table = lesion_frame(result)
    key = f"lesions {place} {result.answer.request_id[:8]}"

    def choose() -> None:
        rows = st.session_state[key].selection.rows
        current().lesion = int(table.iloc[rows[0]]["Lesion"]) if rows and not place else 0
        if rows:
            _go_to(result, int(table.iloc[rows[0]]["Lesion"]))

    st.dataframe(
        table,
        hide_index=True,
        key=key,
        on_select=choose,
        selection_mode="single-row",
        row_height=_ROW,
        column_config=_columns(table),
        alt=f"Lesions that {result.model} found",
    )
    if result.answer.sum_of_target_diameters_mm:
        st.caption(f"Sum of target diameters: {result.answer.sum_of_target_diameters_mm:.1f} mm. Research use.")


def lesion_frame(result: NetworkResult) -> pd.DataFrame:
    """The lesions as a table, largest first; in ml and mm where spacing is known."""
    known = result.answer.image.spacing is not None
    rows = []
    for lesion in sorted(result.answer.lesions, key=lambda one: -one.voxels):
        row: dict[str, object] = {"Lesion": lesion.lesion, "Slices": slices_of(lesion)}
        if known:
            row |= {"Volume": (lesion.volume_mm3 or 0.0) / 1000, "Diameter": lesion.diameter_mm}
            row |= {"Across": lesion.perpendicular_mm, "Side": lesion.side or ""}
        else:
            row |= {"Voxels": lesion.voxels, "Diameter": lesion.diameter_px}
        row |= {"Probability": lesion.mean_probability, "Edge": lesion.touches_border}
        rows.append(row)
    frame = pd.DataFrame(rows)
    telling = result.shape[0] > 1 and frame["Edge"].any()
    dull = ["Edge"] * (not telling) + ["Side"] * ("Side" in frame and not any(frame["Side"]))
    return frame.drop(columns=dull)


def _columns(table: pd.DataFrame) -> dict[str, ColumnConfig | ButtonColumnResult | str | None]:
    unit = "mm" if "Volume" in table else "px"
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    return {
        "Lesion": number("#", width=44),
        "Slices": text("Slices", width=68),
        "Volume": number("Volume", format="%.2f ml"),
        "Voxels": number("Voxels", format="localized"),
        "Diameter": number("Diameter", format=f"%.{1 if unit == 'mm' else 0}f {unit}", help="Longest, within a slice"),
        "Across": number("Across", format="%.1f mm", help="Longest at right angles to the diameter, in the same slice"),
        "Side": text("Side", help="Of the patient; midline within 10 mm of the head's middle"),
        "Probability": number("Prob.", format="%.2f", help="Mean of the lesion's voxels"),
        "Edge": st.column_config.CheckboxColumn("Edge", help="Reaches the end of the image and may go on beyond it"),
    }


def _go_to(result: NetworkResult, number: int) -> None:
    """Look at the slice where the lesion is largest, and at its middle."""
    shape: Shape = result.shape
    inside = result.labels == number
    areas = inside.sum(axis=(1, 2))
    z = int(areas.argmax())
    if areas[z]:
        y, x = (int(round(float(places.mean()))) for places in inside[z].nonzero())
        current().at = [min(z, shape[0] - 1), y, x]
