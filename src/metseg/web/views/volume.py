"""The head in 3-D, by NiiVue, which comes with the page and asks nobody outside."""

from __future__ import annotations

import gzip

import nibabel
import numpy as np
import numpy.typing as npt
import streamlit as st
from niivue_component import niivue_viewer

from metseg.web.planes import steps_of
from metseg.web.result import Result
from metseg.web.views.controls import Look

_HEIGHT = 620
_VIEWS = {"Head": "3d", "Planes and head": "multiplanar"}


def show_volume(result: Result, look: Look) -> None:
    """The head with its lesions; turned by dragging, cut with the wheel."""
    view = st.segmented_control("3-D view", list(_VIEWS), default="Head", required=True, label_visibility="collapsed")
    steps = steps_of(result.answer.image.spacing, result.shape).steps
    head = as_nifti(look.window.apply(result.voxels[look.channel]), steps)
    lesions = {
        "data": as_nifti(result.mask, steps),
        "name": "lesions.nii.gz",
        "colormap": "warm",
        "opacity": max(look.marking.opacity, 0.05),
    }
    niivue_viewer(
        nifti_data=head,
        filename="head.nii.gz",
        overlays=[lesions] if result.mask.any() else None,
        height=_HEIGHT,
        view_mode=_VIEWS[view or "Head"],
        styled=False,
        settings={"crosshair": view != "Head", "radiological": True, "colorbar": False, "interpolation": True},
        update_interval_ms=None,
        key=f"niivue {view}",
    )


def as_nifti(volume: npt.NDArray[np.uint8], steps: tuple[float, float, float]) -> bytes:
    """A packed NIfTI of (z, y, x): x to the patient's left, y to the back, z upwards, around the origin."""
    affine = np.diag([-steps[2], -steps[1], steps[0], 1.0])
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(volume.shape[::-1]) - 1) / 2)
    image = nibabel.Nifti1Image(np.ascontiguousarray(volume.transpose(2, 1, 0)), affine)
    return gzip.compress(image.to_bytes(), 1, mtime=0)
