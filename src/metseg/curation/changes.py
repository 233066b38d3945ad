"""Differences between two states of the labels: finding, packing and applying them.

A difference is kept as the exclusive or of the labels before and after, within the box that it changes: mostly zeros,
so that it packs well, and the same bytes lead forward and back. CRC-32 of the labels in the box before and after make
sure that a difference is only ever applied to the labels it was taken from.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from metseg.curation.record import DamagedRecordError, LesionChange, Record
from metseg.curation.state import LesionState
from metseg.errors import DataError

Labels = npt.NDArray[np.uint16]
Shape = tuple[int, int, int]
Box = tuple[Shape, Shape]

_HIGHEST = int(np.iinfo(np.uint16).max)
_STORED = np.dtype("<u2")
_FAST = 1


@dataclass(frozen=True, eq=False, slots=True)
class LabelChange:
    """What is to be written, and the labels in the box afterwards."""

    box: Box
    block: Labels
    payload: bytes
    before: int
    after: int
    lesions: dict[int, LesionChange]


def find_change(
    durable: Labels, wanted: npt.NDArray[np.generic], known: Mapping[int, LesionState]
) -> LabelChange | None:
    """The step from ``durable`` to ``wanted``.

    Parameters
    ----------
    durable : ndarray of uint16, shape (z, y, x)
    wanted : ndarray of int or bool, shape (z, y, x)
        0 to 65535. Voxels outside the box may change meanwhile; those in it are copied once.
    known : mapping of int to LesionState
        The lesions of ``durable``.

    Raises
    ------
    DataError
        If ``wanted`` has another shape, another type, or values that are no ids.
    """
    if wanted.shape != durable.shape:
        raise DataError(f"labels of shape {wanted.shape} do not fit a case of shape {durable.shape}")
    if wanted.dtype.kind not in "uib":
        raise DataError(f"labels must be whole numbers, not {wanted.dtype}")
    box = _box_of_differences(durable, wanted)
    if box is None:
        return None
    place = _slices(box)
    block = wanted[place]
    if block.dtype != np.uint16 and (block.min() < 0 or block.max() > _HIGHEST):
        raise DataError(f"labels must lie between 0 and {_HIGHEST}")
    new = np.array(block, np.uint16, order="C")
    old = np.ascontiguousarray(durable[place])
    if np.array_equal(old, new):
        return None
    payload = zlib.compress((old ^ new).astype(_STORED, copy=False).tobytes(), _FAST)
    lesions = _lesion_changes(old, new, box[0], (durable.shape[0], durable.shape[1], durable.shape[2]), known)
    return LabelChange(box, new, payload, _crc(old), _crc(new), lesions)


def apply_record(labels: Labels, record: Record, payload: bytes) -> None:
    """LabelChange ``labels``, shape (z, y, x), in place as ``record`` says.

    Raises
    ------
    DamagedRecordError
        If the record does not belong to these labels; they are left as they were.
    """
    if record.bbox is None:
        return
    start, stop = record.bbox
    if not all(0 <= a < b <= size for a, b, size in zip(start, stop, labels.shape, strict=True)):
        raise DamagedRecordError("changes voxels outside the image")
    block = labels[_slices(record.bbox)]
    unpacker = zlib.decompressobj()
    size = block.size * _STORED.itemsize
    try:
        data = unpacker.decompress(payload, size + 1)
    except zlib.error as error:
        raise DamagedRecordError("has a payload that cannot be unpacked") from error
    if len(data) != size or not unpacker.eof or _crc(block) != record.before:
        raise DamagedRecordError("does not belong to the labels before it")
    new = block ^ np.frombuffer(data, _STORED).reshape(block.shape)
    if _crc(new) != record.after:
        raise DamagedRecordError("does not lead to the labels it names")
    block[:] = new


def put(labels: Labels, change: LabelChange) -> None:
    """Make ``change`` in ``labels``."""
    labels[_slices(change.box)] = change.block


def fingerprints(index: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.uint64]:
    """A random-looking 64-bit number for each voxel; the exclusive or over a set of voxels is the set's fingerprint.

    Zobrist hashing (Zobrist 1970, Technical Report 88, University of Wisconsin) with the mixing function of SplitMix64
    (Steele, Lea, Flood 2014, doi 10.1145/2660193.2660195).

    Parameters
    ----------
    index : ndarray of int
        Position of voxels in the flat volume, z-y-x order.
    """
    mixed = (index.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    result: npt.NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(31))
    return result


def _box_of_differences(a: Labels, b: npt.NDArray[np.generic]) -> Box | None:
    z = [index for index in range(len(a)) if not np.array_equal(a[index], b[index])]
    if not z:
        return None
    slab = a[z[0] : z[-1] + 1] != b[z[0] : z[-1] + 1]
    y, x = np.flatnonzero(slab.any(axis=(0, 2))), np.flatnonzero(slab.any(axis=(0, 1)))
    if not y.size:  # undone by another thread meanwhile
        return None
    return (z[0], int(y[0]), int(x[0])), (z[-1] + 1, int(y[-1]) + 1, int(x[-1]) + 1)


def _lesion_changes(
    old: Labels, new: Labels, start: Shape, shape: Shape, known: Mapping[int, LesionState]
) -> dict[int, LesionChange]:
    changed = np.nonzero(old != new)
    before, after = old[changed], new[changed]
    z, y, x = (axis + first for axis, first in zip(changed, start, strict=True))
    marks = fingerprints((z * shape[1] + y) * shape[2] + x)
    size = max(int(before.max()), int(after.max())) + 1
    hashes = np.zeros(size, np.uint64)
    np.bitwise_xor.at(hashes, before, marks)
    np.bitwise_xor.at(hashes, after, marks)
    gained = np.bincount(after[before == 0], minlength=size)
    lost = np.bincount(before[after == 0], minlength=size)
    growth = np.bincount(after, minlength=size) - np.bincount(before, minlength=size)
    taken = _exchanged(before, after)
    found: dict[int, LesionChange] = {}
    for label in sorted({*_values(before, size), *_values(after, size)} - {0}):
        was = known.get(label, LesionState())
        found[label] = LesionChange(
            voxels=was.voxels + int(growth[label]),
            gained=int(gained[label]),
            lost=int(lost[label]),
            taken=taken.get(label, {}),
            shape_hash=f"{int(was.shape_hash, 16) ^ int(hashes[label]):016x}",
        )
    return found


def _exchanged(before: Labels, after: Labels) -> dict[int, dict[int, int]]:
    """How many voxels each lesion takes from each other lesion."""
    both = (before > 0) & (after > 0)
    if not both.any():
        return {}
    pairs, counts = np.unique(after[both].astype(np.uint32) << np.uint32(16) | before[both], return_counts=True)
    taken: dict[int, dict[int, int]] = {}
    for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
        taken.setdefault(pair >> 16, {})[pair & 0xFFFF] = count
    return taken


def _values(labels: Labels, size: int) -> list[int]:
    values: list[int] = np.flatnonzero(np.bincount(labels, minlength=size)).tolist()
    return values


def _slices(box: Box) -> tuple[slice, slice, slice]:
    (z, y, x), (z1, y1, x1) = box
    return slice(z, z1), slice(y, y1), slice(x, x1)


def _crc(block: Labels) -> int:
    return zlib.crc32(block.astype(_STORED, copy=False).tobytes())
