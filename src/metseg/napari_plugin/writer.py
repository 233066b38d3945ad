"""Save layers with their geometry, which napari's own writers drop: TIFF with spacing beside it, NIfTI, DICOM SEG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from metseg.errors import DataError
from metseg.lesions import label_lesions
from metseg.napari_plugin.arrays import volume_of
from metseg.napari_plugin.layers import AFFINE_KEY, KEY, LabelsMetadata, spacing_in_mm
from metseg.study import Geometry

if TYPE_CHECKING:
    from metseg.reporting import Outlined


def write_tiff(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write an image, or label numbers as they are, one page a slice, with the spacing beside it.

    Parameters
    ----------
    path : str
        ``.tif`` or ``.tiff``; ``.tif`` is added when it is missing.
    data : array of real numbers, shape (y, x) or (z, y, x)
        Labels from 0 to 65,535, or intensities.
    attributes : dict
        The layer's; ``scale`` and ``units`` give the spacing, written to ``<name>.json`` when units are lengths,
        together with the target and the network of an outline that a network made.

    Returns
    -------
    list of str
        What was written.

    Raises
    ------
    DataError
        If it is of another shape or type, labels do not fit, or the file cannot be written.
    """
    from metseg import study

    target = _named(path, ".tif", ".tiff")
    spacing = spacing_in_mm(attributes.get("scale", ()), attributes.get("units") or ())
    about = _provenance(_metadata(attributes).get(KEY))
    study.write_tiff(target, _saved_volume(target, data, attributes), channels=False, spacing=spacing, about=about)
    return [str(target)] + ([str(target.with_suffix(".json"))] if spacing or about else [])


def write_nifti(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write an image or labels layer as NIfTI where it lies in the patient, as far as that is known.

    What came from a NIfTI is on its grid again, with its header's transforms and codes. Parameters and errors are as of
    :func:`write_tiff`; ``.nii.gz`` is added when it is missing, and a layer that was turned in napari is refused.
    """
    from metseg.study import Sequence, Study, write_volume

    target = _named(path, ".nii.gz", ".nii")
    volume = _saved_volume(target, data, attributes)
    entry = _metadata(attributes).get(KEY)
    geometry = geometry_of(target.name, attributes)
    study = getattr(entry, "study", None)
    if study is None or study.shape != volume.shape or not geometry.is_same(study.geometry, study.shape):
        study = Study(target.name, volume[None], (Sequence.UNKNOWN,), geometry=geometry)
    write_volume(target, volume, study, about=_provenance(entry))
    return [str(target)]


def write_dicom(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write a labels layer of a DICOM series as DICOM SEG or RTSTRUCT: one segment a label, or a lesion of one label.

    Lesions are AUTOMATIC if they are as the network outlined them, SEMIAUTOMATIC if they overlap what it outlined, and
    else MANUAL. Parameters and errors are as of :func:`write_tiff`; ``.rtstruct.dcm`` is for contours, ``.dcm`` is
    added when it is missing, and a layer of no DICOM series is refused.
    """
    from metseg.study.formats.writing import writer_of

    target = _named(path, ".dcm")
    outlined = outlined_layer(target.name, data, _metadata(attributes))
    writer_of(target).write(target, outlined.labels, outlined.study, mask=True, about=outlined.about)
    return [str(target)]


def outlined_layer(name: str, data: Any, metadata: dict[str, Any]) -> Outlined:
    """The outlines in a labels layer, shape (y, x) or (z, y, x), for DICOM; lesions are numbered if all are labelled 1.

    Raises
    ------
    DataError
        If the layer is of no image that was opened, or of another shape.
    """
    from metseg.reporting import Outlined

    labels = _as_small_labels(Path(name), _volume(Path(name), data))
    entry = metadata.get(KEY)
    study = getattr(entry, "study", None)
    if study is None or study.shape != labels.shape:
        raise DataError(f"{name}: the layer is of no image that was opened; save it as NIfTI")
    if labels.max() == 1:
        labels = _as_small_labels(Path(name), label_lesions(labels))
    about = dict(_provenance(entry) or {})
    probabilities = None
    if about and isinstance(entry, LabelsMetadata):
        about["algorithm_types"] = _algorithm_types(labels, entry.proposal)
        probabilities = None if entry.segmentation is None else entry.segmentation.probabilities
    return Outlined(study, labels, about, probabilities)


def _algorithm_types(labels: npt.NDArray[Any], proposal: npt.NDArray[np.integer[Any]]) -> dict[str, str]:
    """How each lesion was drawn, by its number."""
    found: dict[str, str] = {}
    proposed = label_lesions(proposal)
    for label in np.unique(labels[labels > 0]).tolist():
        inside = labels == label
        before = np.isin(proposed, np.unique(proposed[inside & (proposed > 0)]))
        same = np.array_equal(inside, before)
        found[str(label)] = "AUTOMATIC" if same else "SEMIAUTOMATIC" if before.any() else "MANUAL"
    return found


def geometry_of(name: str, attributes: dict[str, Any]) -> Geometry:
    """Where a layer's voxels are, by its attributes: as it was read, with the spacing and place that it has now.

    Raises
    ------
    DataError
        If it was turned or sheared.
    """
    for key in ("rotate", "shear", "affine"):
        if _is_turned(np.asarray(attributes.get(key, 0.0), float)):
            raise DataError(f"{name}: the layer is turned in napari ({key}); undo that, and save it again")
    scale = tuple(attributes.get("scale", ()))
    spacing = spacing_in_mm(scale, attributes.get("units") or ())
    affine = _metadata(attributes).get(AFFINE_KEY)
    if spacing is None:
        return Geometry() if affine is None else Geometry.placed(affine)
    if affine is None:
        return Geometry.spaced(spacing)
    places = zip(attributes.get("translate", (0.0,) * 3), spacing, scale, strict=True)
    z, y, x = (float(place) * mm / abs(float(step)) for place, mm, step in places)
    return Geometry.placed(affine).drawn_at(spacing, (z, y, x))


def _metadata(attributes: dict[str, Any]) -> dict[str, Any]:
    return attributes.get("metadata") or {}


def _named(path: str, *suffixes: str) -> Path:
    """The path with the first of the suffixes, unless it has one of them."""
    target = Path(path)
    return target if target.name.lower().endswith(suffixes) else target.with_name(f"{target.name}{suffixes[0]}")


def _provenance(entry: object) -> dict[str, Any] | None:
    """What an outline was made with, if a network made it, or it was carried from an earlier examination."""
    if not isinstance(entry, LabelsMetadata):
        return None
    carried = None if entry.carried is None else dict(entry.carried)
    return carried if entry.segmentation is None else entry.segmentation.provenance


def _is_turned(matrix: npt.NDArray[np.float64]) -> bool:
    """Whether a rotation, shear or affine of a layer, or the upper triangle of a shear, does anything."""
    return not np.allclose(matrix, np.eye(len(matrix))) if matrix.ndim == 2 else bool(matrix.any())


def _volume(target: Path, data: Any, *, rgb: bool = False) -> npt.NDArray[Any]:
    """Data of a layer as (z, y, x)."""
    values = np.asarray(data)
    if values.ndim not in (2, 3) or values.size == 0 or rgb:
        raise DataError(f"{target.name}: only slices and stacks of slices can be saved, not shape {values.shape}")
    if values.dtype.kind not in "uifb":
        raise DataError(f"{target.name}: only whole and real numbers can be saved, not {values.dtype}")
    return values.reshape(volume_of(values.shape))


def _saved_volume(target: Path, data: Any, attributes: dict[str, Any]) -> npt.NDArray[Any]:
    """Data of an image layer as (z, y, x), or of a labels layer as small labels."""
    if isinstance(_metadata(attributes).get(KEY), str):
        raise DataError(f"{target.name}: the layer only helps to see; choose the image or the outlines to save")
    volume = _volume(target, data, rgb=attributes.get("rgb", False))
    return volume if "contrast_limits" in attributes else _as_small_labels(target, volume)


def _as_small_labels(target: Path, labels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Labels as uint8, or uint16 if they are more."""
    top = int(labels.max())
    if int(labels.min()) < 0 or top > np.iinfo(np.uint16).max:
        raise DataError(f"{target.name}: labels must lie between 0 and {np.iinfo(np.uint16).max}")
    return labels.astype(np.uint8 if top <= np.iinfo(np.uint8).max else np.uint16)
