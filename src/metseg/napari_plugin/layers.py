"""A study as napari layers, and layers as a study. No Qt here, and napari only as a duck."""

from __future__ import annotations

import colorsys
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from metseg.errors import DataError
from metseg.lesions import Target
from metseg.napari_plugin.arrays import as_channels, as_stored, grid_of
from metseg.preprocessing import display_window
from metseg.study import Geometry, Sequence, Study, assumed_sequences
from metseg.study.resampling import on_voxels_of
from metseg.study.sequence_names import sequence_in

if TYPE_CHECKING:
    from metseg.inference import Segmentation

Spacing = tuple[float, float, float]
LayerData = tuple[Any, dict[str, Any], str]

#: Key of our entry in ``layer.metadata``.
KEY = "metseg"
#: Key of the names that a user gave to the channels of an image layer.
SEQUENCES_KEY = "metseg-sequences"
#: Key of the other layers that are further sequences of an image layer of one channel: (weak reference, Sequence).
COMPANIONS_KEY = "metseg-companions"
AXES = ("z", "y", "x")
#: Key of a copy of the labels that a lone mask file holds, in the metadata of its layer.
MASK_FILE_KEY = "metseg-mask-file"
#: Key of the project's folder and the name of the case that a labels layer holds, in its metadata.
CASE_KEY = "metseg-case"
#: Key of the affine of a layer's voxels in its metadata.
AFFINE_KEY = "metseg-affine"

Colour = tuple[float, float, float, float]

#: Voxels that a contour is wide, and the opacity of contours (True) and fill.
CONTOUR_WIDTH = 1
OPACITY = {True: 0.9, False: 0.45}

#: Colour of what a network proposes, of what a mask file holds, and of any further label.
_PROPOSED = {Target.FLAIR_ABNORMALITY: (1.0, 0.62, 0.10, 1.0), Target.ENHANCING_LESION: (1.0, 0.25, 0.25, 1.0)}
_GIVEN, _FURTHER = (0.20, 0.85, 0.95, 1.0), (0.90, 0.35, 0.75, 1.0)
_GIVEN_ENHANCING = (0.45, 0.95, 0.45, 1.0)
#: Of further results on one image, in this order; told apart with any kind of colour vision (Okabe and Ito 2008).
_OTHERS: tuple[Colour, ...] = ((0.0, 0.62, 0.45, 1.0), (0.94, 0.89, 0.26, 1.0), (0.0, 0.45, 0.70, 1.0))
#: Colours nearer to each other than this, in RGB from 0 to 1, count as one.
_ALIKE = 0.2
_GOLDEN = 0.618

TITLES = {
    Sequence.PRE: "pre-contrast",
    Sequence.FLAIR: "FLAIR",
    Sequence.POST: "post-contrast",
    Sequence.T2: "T2",
    Sequence.OTHER: "other",
    Sequence.UNKNOWN: "image",
}

#: Key of the other patients of a folder, in the metadata of the image layers of the one that was opened.
PATIENTS_KEY = "metseg-patients"

#: Of layers, whose names are cut where they are long.
_SHORT = TITLES | {Sequence.PRE: "pre", Sequence.POST: "post"}


def is_auxiliary(layer: Any) -> bool:
    """Whether a layer of ours shows no study: a preview, a stroke under way, what waits for the next case."""
    return isinstance(layer.metadata.get(KEY), str)


@dataclass(frozen=True, eq=False)
class Channel:
    """What ``layer.metadata[KEY]`` of an image layer holds: the study and which channel the layer shows."""

    study: Study
    index: int


@dataclass(eq=False)
class LabelsMetadata:
    """What ``layer.metadata[KEY]`` of a labels layer holds.

    Attributes
    ----------
    proposal : ndarray of int, shape (z, y, x)
        The outline as it was before anybody edited it: the network's, or the mask file's.
    segmentation : Segmentation or None
        The run that made it; ``None`` for an outline that was read from a file.
    image : weak reference or None
        The image layer it was made for.
    carried : mapping or None
        Provenance of an outline that was carried from an earlier examination of the patient, as JSON values.
    """

    study: Study
    proposal: npt.NDArray[np.integer[Any]]
    segmentation: Segmentation | None = None
    image: weakref.ref[Any] | None = None
    target: Target | None = None
    carried: Mapping[str, Any] | None = None


def study_layers(study: Study, *, visible: bool = True) -> list[LayerData]:
    """Layer data tuples of ``study``: hidden sequences first, then FLAIR, then the outline if there is a mask."""
    shown = study.channel(Sequence.FLAIR)
    order = [index for index in range(len(study.sequences)) if index != shown] + [shown]
    layers = [_image_layer(study, index, visible and index == shown) for index in order]
    if study.mask is not None:
        layers.append(_study_mask_layer(study, study.mask, None, visible))
    return layers


def target_layers(studies: Mapping[Target, Study]) -> list[LayerData]:
    """Layer data tuples of one examination with a mask for each target; the studies are alike but for the mask."""
    layers = study_layers(replace(next(iter(studies.values())), mask=None))
    masks = ((target, study, study.mask) for target, study in studies.items())
    return layers + [_study_mask_layer(study, mask, target) for target, study, mask in masks if mask is not None]


def _study_mask_layer(
    study: Study, mask: npt.NDArray[np.uint8], target: Target | None, visible: bool = True
) -> LayerData:
    entry = {KEY: LabelsMetadata(study, mask.copy(), target=target), **placed_metadata(study.geometry)}
    name = f"mask · {study.name}" if target is None else f"mask ({target}) · {study.name}"
    extra = {"name": name, "visible": visible, "metadata": entry}
    return mask.copy(), placement(study.geometry) | _given_look(target) | extra, "labels"


def mask_layer(name: str, labels: npt.NDArray[Any], geometry: Geometry) -> LayerData:
    """A mask file by itself, integers (z, y, x) of :func:`metseg.study.masks.labels_of`, as layer data."""
    extra = {"name": name, "metadata": {MASK_FILE_KEY: labels.copy(), **placed_metadata(geometry)}}
    return labels, placement(geometry) | _given_look() | extra, "labels"


def make_layer(data: LayerData) -> Any:
    """Make a layer of layer data; labels are drawn as contours, which layer data cannot ask for."""
    from napari.layers import Layer

    layer = Layer.create(*data)
    if data[2] == "labels":
        layer.contour = CONTOUR_WIDTH
    return layer


def proposed_look(target: Target = Target.FLAIR_ABNORMALITY, used: Iterable[npt.ArrayLike] = ()) -> dict[str, Any]:
    """How a network's outline of ``target`` looks, as keywords of a labels layer.

    Parameters
    ----------
    target : Target
        What is outlined; each has a colour of its own.
    used : iterable of array-like, shape (3,) or (4,)
        Colours, from 0 to 1, that other layers on the image have; another one is taken then.
    """
    return {"opacity": OPACITY[True], "colormap": _colours(_free_colour(_PROPOSED[target], used))}


def _free_colour(preferred: Colour, used: Iterable[npt.ArrayLike]) -> Colour:
    taken = [np.asarray(colour, float)[:3] for colour in used]
    hues = (colorsys.hsv_to_rgb(number * _GOLDEN % 1, 0.75, 1.0) for number in range(1, 100))
    candidates = [preferred, *_OTHERS, *((*rgb, 1.0) for rgb in hues)]
    away = [min((float(np.abs(other - colour[:3]).max()) for other in taken), default=1.0) for colour in candidates]
    free = [colour for colour, distance in zip(candidates, away, strict=True) if distance > _ALIKE]
    return free[0] if free else candidates[int(np.argmax(away))]


def _given_look(target: Target | None = None) -> dict[str, Any]:
    colour = _GIVEN_ENHANCING if target is Target.ENHANCING_LESION else _GIVEN
    return {"opacity": OPACITY[True], "colormap": _colours(colour)}


def _colours(lesion: tuple[float, ...]) -> Any:
    from napari.utils.colormaps import DirectLabelColormap

    return DirectLabelColormap(color_dict={0: (0.0, 0.0, 0.0, 0.0), 1: lesion, None: _FURTHER})


def _image_layer(study: Study, index: int, visible: bool) -> LayerData:
    voxels = study.voxels[index]
    extra = {
        "name": f"{_SHORT[study.sequences[index]]} · {study.name}",
        "visible": visible,
        "colormap": "gray",
        "contrast_limits": display_window(voxels),
        "metadata": {KEY: Channel(study, index), **placed_metadata(study.geometry)},
    }
    return voxels, placement(study.geometry) | extra, "image"


def placement(geometry: Geometry) -> dict[str, Any]:
    """Where an array (z, y, x) lies, as keywords of a layer: along its own axes, for rotated layers are slow to slice.

    Layers of one direction lie on each other; the full affine is in the metadata, see :func:`placed_metadata`.
    """
    axes: dict[str, Any] = {"axis_labels": AXES}
    if geometry.spacing is None:
        return axes
    return axes | {
        "scale": geometry.spacing,
        "translate": geometry.translation or (0.0, 0.0, 0.0),
        "units": ("mm",) * 3,
    }


def placed_metadata(geometry: Geometry) -> dict[str, Any]:
    """The affine (4, 4) from voxel (x, y, z, 1) to mm (RAS+) as metadata of a layer, if it is known."""
    return {AFFINE_KEY: geometry.affine} if geometry.is_placed else {}


def spacing_in_mm(scale: Iterable[float], units: Iterable[Any]) -> Spacing | None:
    """Spacing along (z, y, x) in mm, or ``None`` when the units are no lengths or there are not three axes."""
    import pint

    try:
        quantities = [pint.Quantity(step, unit) for step, unit in zip(scale, units, strict=True)]
        lengths = [abs(float(quantity.to("mm").magnitude)) for quantity in quantities]
    except (pint.errors.PintError, ValueError):
        return None
    return (lengths[0], lengths[1], lengths[2]) if len(lengths) == 3 and all(lengths) else None


@dataclass(frozen=True, eq=False)
class LayerStudy:
    """An image layer as a study.

    Attributes
    ----------
    study : Study
        The layer's voxels, together with the study's other sequences where they are known.
    grid : tuple of int
        Shape of a labels layer that lies on the image layer.
    notices : tuple of str
        What the user must know about the conversion.
    """

    study: Study
    grid: tuple[int, ...]
    notices: tuple[str, ...] = ()


def companions_of(layer: Any) -> list[tuple[Any, Sequence]]:
    """Other layers that are further sequences of the study of an image layer, and which they are."""
    found = [(reference(), sequence) for reference, sequence in layer.metadata.get(COMPANIONS_KEY, ())]
    return [(other, sequence) for other, sequence in found if other is not None]


def source_of(layer: Any) -> LayerStudy:
    """Make a study of an image layer, whoever made the layer, and of those that are its further sequences.

    What lies on other voxels is interpolated on those of the layer by its place in the patient, as files are.

    Raises
    ------
    DataError
        If an array's axes cannot be told apart, or a further sequence has another size and no known place.
    """
    source = _own_source(layer)
    study, notices = source.study, [*source.notices]
    channels, sequences = [study.voxels], [*study.sequences]
    for other, sequence in companions_of(layer):
        further = _own_source(other)
        voxels = on_voxels_of(further.study.voxels, further.study.geometry, study.geometry, study.shape)
        if voxels.shape != (1, *study.shape):
            raise DataError(f"{layer.name}: {other.name} has another size")
        notices += further.notices
        if voxels is not further.study.voxels:
            notices.append(f"{other.name}: interpolated on the voxels of {layer.name} by its place in the patient")
        channels.append(voxels)
        sequences.append(sequence)
    if len(channels) > 1:
        study = replace(study, voxels=np.concatenate(channels), sequences=tuple(sequences))
    return LayerStudy(study, source.grid, tuple(notices))


def _own_source(layer: Any) -> LayerStudy:
    """Make a study of an image layer alone.

    Layers of our reader give their whole study. Other layers may be (y, x), (z, y, x), RGB(A), or have three or
    four channels first, second or last, see :func:`~metseg.napari_plugin.arrays.grid_of`; three channels are taken for
    pre-contrast, FLAIR and post-contrast. Four are only read if somebody says which is which, or if napari shows them
    as colours and the last one is the same everywhere, as transparency is.

    Raises
    ------
    DataError
        If the array's axes cannot be told apart.
    """
    channel = layer.metadata.get(KEY)
    if isinstance(channel, Channel) and np.array_equal(np.asarray(layer.data), channel.study.voxels[channel.index]):
        named = own_sequences(layer)
        return LayerStudy(channel.study.with_sequences(named), channel.study.shape)
    data = np.asarray(layer.data[0] if layer.multiscale else layer.data)
    grid = grid_of(data.shape, rgb=layer.rgb)
    if grid is None:
        raise DataError(f"{layer.name}: {data.shape} is the shape of neither slices nor slices with three channels")
    voxels, notices = as_stored(as_channels(data, rgb=layer.rgb))
    if len(voxels) == 4 and not layer.metadata.get(SEQUENCES_KEY):
        if not layer.rgb or (voxels[3] != voxels[3].flat[0]).any():
            raise DataError(f"{layer.name}: has four channels; choose under Sequences which is which")
        voxels = voxels[:3]
        notices = [*notices, "the fourth (alpha) channel is ignored"]
    sequences = layer.metadata.get(SEQUENCES_KEY) or _assumed(layer, len(voxels))
    spacing = spacing_in_mm(layer.scale, layer.units) if len(layer.scale) == len(grid) == 3 else None
    affine = layer.metadata.get(AFFINE_KEY)
    geometry = Geometry.spaced(spacing) if affine is None else Geometry.placed(affine)
    study = Study(_plain_name(layer.name), voxels, sequences, geometry=geometry)
    return LayerStudy(study, grid, tuple(f"{layer.name}: {notice}" for notice in notices))


def sequences_of(layer: Any) -> tuple[Sequence, ...]:
    """A name for each channel of the study that :func:`source_of` makes of an image layer; looks at no voxel."""
    return (*own_sequences(layer), *(sequence for _, sequence in companions_of(layer)))


def own_sequences(layer: Any) -> tuple[Sequence, ...]:
    """A name for each channel of an image layer itself."""
    if named := layer.metadata.get(SEQUENCES_KEY):
        return tuple(named)
    channel = layer.metadata.get(KEY)
    if isinstance(channel, Channel):
        return channel.study.sequences
    shape = np.shape(layer.data[0] if layer.multiscale else layer.data)
    grid = grid_of(shape, rgb=layer.rgb)
    if grid is None:
        return ()
    channels = int(np.prod(shape)) // int(np.prod(grid))
    return _assumed(layer, 3 if channels == 4 and layer.rgb and _is_opaque(layer) else channels)


def _assumed(layer: Any, channels: int) -> tuple[Sequence, ...]:
    """What channels are taken for that nobody has named: a single one by the layer's name."""
    written = sequence_in(layer.name) if channels == 1 else None
    return assumed_sequences(channels) if written is None else (written[0],)


def _is_opaque(layer: Any) -> bool:
    """Whether the fourth channel of a layer that is shown in colours is the same everywhere."""
    alpha = np.asarray((layer.data[0] if layer.multiscale else layer.data)[..., 3])
    return bool((alpha == alpha.flat[0]).all())


def _plain_name(layer_name: str) -> str:
    return layer_name.partition(" · ")[2] or layer_name
