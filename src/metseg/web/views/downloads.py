"""What can be taken home."""

from __future__ import annotations

from functools import partial
from html import escape

import streamlit as st

from metseg.client import JSON, NIFTI_GZ, TIFF, ZIP
from metseg.web.report import as_report
from metseg.web.result import NetworkResult


def show_downloads(results: tuple[NetworkResult, ...]) -> None:
    """A menu with files of each network, and one report of all."""
    with st.popover("Download", icon=":material/download:", width="content"):
        for result in results:
            _show_files(result)
        st.html('<p class="metseg-section">Report</p>')
        st.download_button(
            "Pictures and tables (HTML)",
            partial(as_report, results),
            file_name=f"{results[0].name}_report.html",
            mime="text/html",
            icon=":material/lab_profile:",
            on_click="ignore",
            width="stretch",
            help="One file that any browser opens and prints.",
        )


def _show_files(result: NetworkResult) -> None:
    stem = f"{result.name}_{result.model}"
    files = result.files
    offers: list[tuple[str, bytes | None, str, str]] = [
        ("Mask (TIFF)", files.mask, f"{stem}_mask.tif", TIFF),
        ("Mask (NIfTI)", files.nifti, f"{stem}_mask.nii.gz", NIFTI_GZ),
        ("Lesions (JSON)", files.document, f"{stem}_lesions.json", JSON),
    ]
    if files.masks is not None:
        offers.insert(1, ("A mask for each file (zip)", files.masks, f"{stem}_masks.zip", ZIP))
    st.html(f'<p class="metseg-section">{escape(result.model)}</p>')
    for label, content, name, kind in offers:
        st.download_button(
            label,
            content or b"",
            file_name=name,
            mime=kind,
            key=f"{label} {result.model}",
            icon=":material/download:",
            on_click="ignore",
            width="stretch",
            disabled=content is None,
            help=None if content is not None else "This server cannot write it.",
        )
