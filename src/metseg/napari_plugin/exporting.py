"""From an outline in the viewer to training pairs. No Qt, no writing to layers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from metseg import curation
from metseg.errors import DataError
from metseg.events import Event
from metseg.napari_plugin import outlines
from metseg.napari_plugin.layers import source_of
from metseg.napari_plugin.pipeline import errors_yielded
from metseg.napari_plugin.state import Slices
from metseg.study import Study


@dataclass(frozen=True, eq=False)
class ExportOrder:
    """What the user asked for. The labels are a copy: painting may go on meanwhile.

    Attributes
    ----------
    labels : ndarray of int, shape (z, y, x)
    z : tuple of int
        Which slices.
    described : str
        Name of the layer, and how it came about.
    """

    study: Study
    labels: npt.NDArray[np.integer[Any]]
    z: tuple[int, ...]
    folder: Path
    described: str
    overwrite: bool = False


def order(image: Any, outline: Any, slices: Slices | None, folder: Path) -> ExportOrder:
    """The export of ``outline``, a labels layer, drawn on ``image``, an image layer.

    Without ``slices`` these are the edited and confirmed ones if there are any, else all.

    Raises
    ------
    DataError
        If there is no slice of the wanted kind, or the image's axes cannot be told apart.
    """
    entry = outlines.outline_of(outline)
    study = source_of(image).study if entry is None else entry.study
    labels = outlines.volume(outline).copy()
    z = _chosen(outline, labels, slices)
    if not z:
        raise DataError(f"{outline.name}: there are no {slices}")
    return ExportOrder(study, labels, z, folder, described(outline))


def described(outline: Any) -> str:
    """Name of a labels layer, and how it came about."""
    edited = len(outlines.edited_slices(outline))
    return f"{outline.name} ({outlines.origin_of(outline, edited, len(outlines.confirmed_slices(outline)))})"


def report(order: ExportOrder, written: list[Path]) -> str:
    """What was exported, in one sentence."""
    pairs = len(written) // 2
    return f"{pairs} slice{'s' * (pairs != 1)} of {order.described} exported to {written[0].parent}"


def replaced(order: ExportOrder) -> list[Path]:
    """Files that the export would replace."""
    return curation.existing_pairs(order.study, order.folder, z=order.z)


@errors_yielded
def run(order: ExportOrder) -> Iterator[Event[list[Path]]]:
    """Write the pairs."""
    yield from curation.exporting_pairs(order.study, order.labels, order.folder, z=order.z, overwrite=order.overwrite)


def write(order: ExportOrder) -> str:
    """Write the pairs and wait; returns what was exported, in one sentence."""
    written = curation.export_pairs(order.study, order.labels, order.folder, z=order.z, overwrite=order.overwrite)
    return report(order, written)


def _chosen(outline: Any, labels: npt.NDArray[np.integer[Any]], slices: Slices | None) -> tuple[int, ...]:
    if slices is None:
        slices = Slices.EDITED if outlines.is_edited(outline) else Slices.ALL
    match slices:
        case Slices.ALL:
            return tuple(range(len(labels)))
        case Slices.LESION:
            return tuple(int(z) for z in np.flatnonzero(labels.any(axis=(1, 2))))
        case Slices.EDITED:
            return tuple(sorted({*outlines.edited_slices(outline), *outlines.confirmed_slices(outline)}))
