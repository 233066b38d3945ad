"""The head in 3-D, by NiiVue, which comes with the page and asks nobody outside."""

from __future__ import annotations

import gzip

import nibabel
import numpy as np
import numpy.typing as npt
import streamlit as st
from niivue_component import niivue_viewer
from scipy import ndimage

from metseg.study.geometry import Geometry, Spacing
from metseg.web.result import NetworkResult
from metseg.web.views.controls import Look

_SIDE = 640
_MOST_VOXELS = 12_000_000
#: Width of that Gaussian in slices: narrower, and the head looks turned on a lathe.
_SOFT = 0.6
#: Smoothed masks are lesion from here on.
_HALF = 128


def show_volume(result: NetworkResult, look: Look) -> None:
    """The head with its lesions; dragging turns it."""
    gray = look.window.apply(result.voxels[look.channel])
    with st.container(width=_SIDE, key="volume"):
        niivue_viewer(
            nifti_data=as_nifti(*isotropic(_head(result, gray), result.steps)),
            filename="head.nii.gz",
            overlays=_overlay(result, look),
            height=_SIDE,
            view_mode="3d",
            styled=False,
            settings={"crosshair": False, "colorbar": False, "interpolation": True},
            update_interval_ms=None,
            key="niivue",
        )
    st.caption("Drag to turn. Voxels between slices are interpolated, here only.")


def _overlay(result: NetworkResult, look: Look) -> list[dict[str, object]] | None:
    if not result.mask.any():
        return None
    soft = ndimage.gaussian_filter(result.mask * np.uint8(255), (0, 1, 1))
    filled, steps = isotropic(_head(result, soft), result.steps)
    filled[filled < _HALF] = 0
    return [
        {
            "data": as_nifti(filled, steps),
            "name": "lesions.nii.gz",
            "colormap": "warm",
            "opacity": max(look.marking.opacity, 0.05),
        }
    ]


def _head(result: NetworkResult, values: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The part of a volume that pictures show."""
    (_, _), (top, bottom), (left, right) = result.region.bounds
    return values[:, top:bottom, left:right]


def isotropic(values: npt.NDArray[np.uint8], steps: Spacing) -> tuple[npt.NDArray[np.uint8], Spacing]:
    """The volume with voxels about as deep as they are wide, not more than a browser bears, and its new steps.

    Each new slice is a mean of the old ones, weighted by a Gaussian of their distance.
    """
    depth = len(values)
    most = max(depth, _MOST_VOXELS // values[0].size)
    deeper = min(max(depth, round(depth * steps[0] / min(steps[1:]))), most)
    places = (np.arange(deeper) + 0.5) * depth / deeper - 0.5
    weights = np.exp(-(((places[:, None] - np.arange(depth)) / _SOFT) ** 2) / 2)
    weights /= weights.sum(axis=1, keepdims=True)
    filled = np.tensordot(weights.astype(np.float32), values.astype(np.float32), axes=1)
    return np.rint(filled).astype(np.uint8), (steps[0] * depth / deeper, steps[1], steps[2])


def as_nifti(volume: npt.NDArray[np.uint8], steps: Spacing) -> bytes:
    """A packed NIfTI of (z, y, x): x to the patient's left, y to the back, z upwards, around the origin."""
    affine = Geometry.spaced(steps).drawn
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(volume.shape[::-1]) - 1) / 2)
    image = nibabel.Nifti1Image(np.ascontiguousarray(volume.transpose(2, 1, 0)), affine)  # type: ignore[no-untyped-call]
    return gzip.compress(image.to_bytes(), 1, mtime=0)
