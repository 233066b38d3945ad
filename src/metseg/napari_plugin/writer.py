"""Save a labels layer as TIFF with its spacing beside it, which napari's own writer drops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from metseg.errors import DataError
from metseg.napari_plugin.arrays import volume_of
from metseg.napari_plugin.layers import KEY, Outline, spacing_in_mm

_SUFFIXES = (".tif", ".tiff")


def write_labels(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write label numbers as they are, uint8 or uint16, one page a slice.

    Parameters
    ----------
    path : str
        ``.tif`` or ``.tiff``; the suffix is added when it is missing.
    data : array of int, shape (y, x) or (z, y, x)
        Labels from 0 to 65,535.
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
        If the labels do not fit, or the file cannot be written.
    """
    from metseg.study import write_tiff

    target = Path(path)
    if target.suffix.lower() not in _SUFFIXES:
        target = target.with_name(f"{target.name}.tif")
    labels = np.asarray(data)
    if labels.ndim not in (2, 3) or labels.size == 0:
        raise DataError(f"{target.name}: only slices and stacks of slices can be saved, not shape {labels.shape}")
    top = int(labels.max())
    if int(labels.min()) < 0 or top > np.iinfo(np.uint16).max:
        raise DataError(f"{target.name}: labels must lie between 0 and {np.iinfo(np.uint16).max}")
    pages = labels.reshape(volume_of(labels.shape)).astype(np.uint8 if top <= np.iinfo(np.uint8).max else np.uint16)
    spacing = spacing_in_mm(attributes.get("scale", ()), attributes.get("units") or ())
    entry = (attributes.get("metadata") or {}).get(KEY)
    segmentation = entry.segmentation if isinstance(entry, Outline) else None
    about = None if segmentation is None else segmentation.provenance
    write_tiff(target, pages, channels=False, spacing=spacing, about=about)
    return [str(target)] + ([str(target.with_suffix(".json"))] if spacing or about else [])
