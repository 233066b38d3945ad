"""Outlines as labels layers: added beside what a person drew, replaced undoably, never written over edits."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from metseg.lesions import Target
from metseg.napari_plugin.arrays import grid_of, volume_of
from metseg.napari_plugin.layers import (
    AXES,
    KEY,
    MASK_FILE_KEY,
    Channel,
    LabelsMetadata,
    is_auxiliary,
    make_layer,
    proposed_look,
    spacing_in_mm,
)
from metseg.napari_plugin.pipeline import SegmentedLayer

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels

    from metseg.inference import Segmentation

#: Key of the confirmed slices in the metadata of a labels layer.
CONFIRMED_KEY = "metseg-confirmed"


def outline_of(layer: Any) -> LabelsMetadata | None:
    """Our entry in a labels layer's metadata."""
    entry = layer.metadata.get(KEY)
    return entry if isinstance(entry, LabelsMetadata) else None


def target_of(layer: Labels) -> Target | None:
    """What the layer outlines; ``None`` if that is not known."""
    entry = outline_of(layer)
    if entry is None:
        return None
    return entry.target if entry.segmentation is None else entry.segmentation.target


def volume(layer: Labels) -> npt.NDArray[np.integer[Any]]:
    """The layer's labels on the study's grid, (z, y, x)."""
    data = np.asarray(layer.data)
    return data.reshape(volume_of(data.shape))


def spacing_of(layer: Labels) -> tuple[float, float, float] | None:
    """Voxel size of a labels layer in mm, along (z, y, x), if it is known."""
    outline = outline_of(layer)
    return spacing_in_mm(layer.scale, layer.units) if outline is None else outline.study.geometry.spacing


def proposal_of(layer: Labels) -> npt.NDArray[np.integer[Any]] | None:
    """The labels before anybody edited them, shape (z, y, x): the network's, or a mask file's; None if not known."""
    outline = outline_of(layer)
    if outline is not None:
        return outline.proposal
    read = layer.metadata.get(MASK_FILE_KEY)
    return read.reshape(volume_of(read.shape)) if isinstance(read, np.ndarray) else None


def is_reference(layer: Labels) -> bool:
    """Whether the layer was read from a mask file."""
    return proposal_of(layer) is not None and not is_result(layer) and not is_carried(layer)


def is_result(layer: Labels) -> bool:
    """Whether a network made the layer."""
    outline = outline_of(layer)
    return outline is not None and outline.segmentation is not None


def is_carried(layer: Labels) -> bool:
    """Whether the layer was carried from an earlier examination."""
    outline = outline_of(layer)
    return outline is not None and outline.carried is not None


def is_edited(layer: Labels) -> bool:
    """Whether the layer holds a person's work: edits, confirmed slices, or labels of which no origin is known."""
    if confirmed_slices(layer):
        return True
    proposal = proposal_of(layer)
    return bool(volume(layer).any()) if proposal is None else not np.array_equal(volume(layer), proposal)


def edited_slices(layer: Labels) -> list[int]:
    """Slices whose labels differ from what was proposed; of a layer drawn from nothing, those with a lesion."""
    proposal = proposal_of(layer)
    before = 0 if proposal is None else proposal
    return [int(z) for z in np.flatnonzero((volume(layer) != before).any(axis=(1, 2)))]


def confirmed_slices(layer: Labels) -> frozenset[int]:
    """Slices of which somebody said that they are right as they are."""
    return frozenset(layer.metadata.get(CONFIRMED_KEY, ()))


def confirm_slice(layer: Labels, z: int, confirmed: bool = True) -> None:
    """Note that slice ``z`` is right as it is, or take that back."""
    others = confirmed_slices(layer) - {z}
    layer.metadata[CONFIRMED_KEY] = others | {z} if confirmed else others


def origin_of(layer: Labels, edited: int, confirmed: int) -> str:
    """How the layer came about: network and threshold, or reference mask, and how many slices a person has changed."""
    outline = outline_of(layer)
    if outline is not None and outline.segmentation is not None:
        run = outline.segmentation
        parts = [run.model, f"threshold {run.postprocessing.threshold:g}"]
    elif outline is not None and outline.carried is not None:
        parts = [f"carried from {outline.carried['carried_from']}"]
    elif is_reference(layer):
        parts = ["reference mask"]
    else:
        return ", ".join(["drawn by hand or opened elsewhere", *_confirmed(confirmed)])
    by_hand = [f"edited by hand in {_slices(edited)}"] if edited else []
    return ", ".join([*parts, *by_hand, *_confirmed(confirmed)])


def _confirmed(count: int) -> list[str]:
    return [f"{_slices(count)} confirmed"] if count else []


def _slices(count: int) -> str:
    return f"{count} slice{'s' * (count != 1)}"


def show(viewer: ViewerModel, outcome: SegmentedLayer) -> Labels:
    """Show a run's mask: in its own unedited layer as one undoable step, else in a new layer."""
    image, mask = outcome.layer, outcome.segmentation.mask
    for layer in network_outlines(viewer, image):
        same = target_of(layer) == outcome.segmentation.target
        if same and layer.data.shape == outcome.source.grid and not is_edited(layer):
            propose(layer, mask)
            layer.metadata[KEY] = _outline(outcome)
            return layer
    return add_outline(viewer, outcome)


def add_outline(viewer: ViewerModel, outcome: SegmentedLayer) -> Labels:
    """Add a run's mask as a new labels layer that lies on its image."""
    target, grid = outcome.segmentation.target, outcome.source.grid
    look = {
        "name": f"lesions ({target}) · {outcome.source.study.name}",
        "metadata": {KEY: _outline(outcome)},
        **proposed_look(target, _colours_on(viewer, outcome.layer)),
        **placed_like(outcome.layer, len(grid)),
    }
    layer: Labels = make_layer((outcome.segmentation.mask.reshape(grid).copy(), look, "labels"))
    viewer.add_layer(layer)
    return layer


def _colours_on(viewer: ViewerModel, image: Image) -> list[npt.NDArray[np.floating[Any]]]:
    """Colours of the lesions in the labels layers of ``image``."""
    colours = [layer.get_color(1) for layer in outlines_on(viewer, image)]
    return [np.asarray(colour) for colour in colours if colour is not None]


def propose(layer: Labels, mask: npt.NDArray[np.uint8]) -> None:
    """Set the layer to ``mask``, shape (z, y, x), as one step of its undo history."""
    wanted = mask.reshape(layer.data.shape).astype(layer.data.dtype)
    changed = np.nonzero(layer.data != wanted)
    if changed[0].size:
        layer.data_setitem(changed, wanted[changed])


def repropose(layer: Labels, segmentation: Segmentation) -> bool:
    """Replace an unedited outline by what other post-processing makes of the same run; ``False`` if it was edited."""
    outline = outline_of(layer)
    if outline is None or is_edited(layer):
        return False
    propose(layer, segmentation.mask)
    outline.proposal = segmentation.mask.copy()
    outline.segmentation = segmentation
    return True


def network_outlines(viewer: ViewerModel, image: Image) -> Iterator[Labels]:
    """Labels layers that a network made for ``image``, the newest first."""
    for layer in outlines_on(viewer, image):
        outline = outline_of(layer)
        if outline is not None and outline.segmentation is not None:
            yield layer


def outlines_on(viewer: ViewerModel, image: Image) -> Iterator[Labels]:
    """Labels layers of ``image``, the topmost first; layers that belong to no image count when they fit."""
    from napari.layers import Labels

    grid = grid_of(np.shape(image.data[0] if image.multiscale else image.data), rgb=image.rgb)
    for layer in reversed(viewer.layers):
        if not isinstance(layer, Labels) or is_auxiliary(layer):
            continue
        outline = outline_of(layer)
        if layer.data.shape == grid if outline is None else _belongs(outline, image):
            yield layer


def _belongs(outline: LabelsMetadata, image: Image) -> bool:
    channel = image.metadata.get(KEY)
    if isinstance(channel, Channel) and outline.study.voxels is channel.study.voxels:
        return True
    return outline.image is not None and outline.image() is image


def _outline(outcome: SegmentedLayer) -> LabelsMetadata:
    mask = outcome.segmentation.mask.copy()
    return LabelsMetadata(outcome.source.study, mask, outcome.segmentation, weakref.ref(outcome.layer))


def placed_like(image: Image, ndim: int) -> dict[str, Any]:
    """Where an array of so many axes lies on an image layer, as keywords of a layer."""
    placement: dict[str, Any] = {
        "scale": tuple(image.scale)[-ndim:],
        "translate": tuple(image.translate)[-ndim:],
        "units": tuple(image.units)[-ndim:],
    }
    if len(image.scale) == ndim:
        placement |= {"rotate": image.rotate, "shear": image.shear, "affine": image.affine}
    if ndim == len(AXES):
        placement["axis_labels"] = AXES
    return placement
