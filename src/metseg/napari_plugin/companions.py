"""Which layers and channels make up a study, and which sequence each is: by their names, or as the user says."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from metseg.napari_plugin.layers import (
    AFFINE_KEY,
    COMPANIONS_KEY,
    SEQUENCES_KEY,
    companions_of,
    is_auxiliary,
    own_sequences,
)
from metseg.study import Geometry, Sequence
from metseg.study.geometry import corners
from metseg.study.sequence_names import sequence_in


@dataclass(frozen=True)
class SequenceRow:
    """One layer or channel, and which sequence it is.

    Attributes
    ----------
    sequence : Sequence or None
        ``None`` if it is not part of the study.
    optional : bool
        It may be left out: it is another layer than the chosen one.
    moved : bool
        It lies on other voxels, and is interpolated on those of the chosen one.
    """

    title: str
    sequence: Sequence | None
    layer: Any
    channel: int = 0
    optional: bool = False
    moved: bool = False


def rows_of(layer: Any, layers: Iterable[Any]) -> tuple[SequenceRow, ...]:
    """The channels of a layer, and of ``layers`` the others of one channel on the same voxels, or in the same patient.

    Where nobody has said so, layers whose names tell another sequence of the same patient are part of its study.
    """
    own = own_sequences(layer)
    titles = [layer.name] if len(own) == 1 else [f"channel {number}" for number in range(1, len(own) + 1)]
    rows = [SequenceRow(title, name, layer, index) for index, (title, name) in enumerate(zip(titles, own, strict=True))]
    others = [other for other in layers if other != layer and _fits(other, layer)]
    if len(own) != 1:
        return tuple(rows)
    if COMPANIONS_KEY not in layer.metadata:
        _fill_in(layer, others)
    kept = [(other, sequence) for other, sequence in companions_of(layer) if other in others]
    if COMPANIONS_KEY in layer.metadata:
        layer.metadata[COMPANIONS_KEY] = tuple((_weakly(other), sequence) for other, sequence in kept)
    for other in others:
        sequence = next((name for one, name in kept if one == other), None)
        rows.append(SequenceRow(other.name, sequence, other, optional=True, moved=not _on_same_voxels(other, layer)))
    return tuple(rows)


def name_row(rows: tuple[SequenceRow, ...], number: int, sequence: Sequence | None) -> None:
    """Name the sequence of row ``number`` of :func:`rows_of`; the row that was called so takes the name that it had.

    ``None`` leaves an optional row out.
    """
    names = [row.sequence for row in rows]
    twin = names.index(sequence) if sequence in names and sequence not in (None, *_MANY) else number
    names[twin], names[number] = names[number], sequence
    if twin != number and names[twin] is None and not rows[twin].optional:
        names[twin] = Sequence.OTHER
    layer = rows[0].layer
    layer.metadata[SEQUENCES_KEY] = tuple(name for row, name in zip(rows, names, strict=True) if not row.optional)
    chosen = zip(rows, names, strict=True)
    layer.metadata[COMPANIONS_KEY] = tuple(
        (_weakly(row.layer), name) for row, name in chosen if row.optional and name is not None
    )


#: Names that several channels may have.
_MANY = (Sequence.OTHER, Sequence.UNKNOWN)


def _fill_in(layer: Any, others: list[Any]) -> None:
    """Take the layers for further sequences whose names say so, and are else the name of the chosen layer."""
    (own,) = own_sequences(layer)
    taken = {own}
    found = []
    for other in others:
        (sequence,) = own_sequences(other)
        if sequence not in (*taken, *_MANY) and own not in _MANY and _patient(other) == _patient(layer):
            taken.add(sequence)
            found.append((_weakly(other), sequence))
    if found:
        layer.metadata[COMPANIONS_KEY] = tuple(found)


def _weakly(layer: Any) -> weakref.ref[Any]:
    """A weak reference to a layer itself: the proxies that napari gives to plugins do not last."""
    return weakref.ref(getattr(layer, "__wrapped__", layer))


def _patient(layer: Any) -> str:
    name = layer.name.rpartition(" · ")[2]
    found = sequence_in(name)
    return name if found is None else found[2]


def _fits(other: Any, layer: Any) -> bool:
    """Whether a layer is an image of one channel on the voxels of another, or can be brought to them by its place."""
    if not hasattr(other, "rgb") or is_auxiliary(other) or other.multiscale or len(own_sequences(other)) != 1:
        return False
    return _on_same_voxels(other, layer) or (_is_placed(other) and _is_placed(layer) and _meet(other, layer))


def _on_same_voxels(other: Any, layer: Any) -> bool:
    if other.data.shape != layer.data.shape or other.rgb != layer.rgb:
        return False
    if _is_placed(other) and _is_placed(layer):
        return _geometry(other).is_same(_geometry(layer), layer.data.shape)
    return np.allclose(other.scale, layer.scale) and np.allclose(other.translate, layer.translate, atol=0.05)


def _is_placed(layer: Any) -> bool:
    return layer.ndim == 3 and AFFINE_KEY in layer.metadata


def _geometry(layer: Any) -> Geometry:
    return Geometry.placed(layer.metadata[AFFINE_KEY])


def _meet(other: Any, layer: Any) -> bool:
    """Whether two layers that are placed in the patient have a part of it in common."""
    places = corners(other.data.shape) @ _geometry(other).step_to(_geometry(layer)).T
    low, high = places[:, :3].min(axis=0), places[:, :3].max(axis=0)
    return bool((high >= 0).all() and (low <= np.array(layer.data.shape[::-1]) - 1).all())
