"""What a tool gives back: the voxels it would change, not yet changed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from metseg.errors import MetsegError

Labels = npt.NDArray[np.uint16]
Box = tuple[slice, slice, slice]


class ToolError(MetsegError):
    """A tool was asked for something that the labels do not allow; the message says what to do instead."""


@dataclass(frozen=True, eq=False, slots=True)
class LabelEdit:
    """A change of labels that can be applied, undone, or handed to napari as one undo step.

    ``layer.data_setitem(change.indices, change.values)`` does the latter.

    Attributes
    ----------
    start : tuple of int
        Where the box begins, as (z, y, x).
    before, after : ndarray, shape (z, y, x), dtype of the labels
        The labels within the smallest box that holds all changed voxels. Empty if nothing changes. Read-only.
    """

    start: tuple[int, int, int]
    before: Labels
    after: Labels

    def __bool__(self) -> bool:
        return self.before.size > 0

    @property
    def box(self) -> Box:
        """The box as slices into the whole volume."""
        z, y, x = (slice(at, at + size) for at, size in zip(self.start, self.before.shape, strict=True))
        return z, y, x

    @property
    def indices(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Places of the changed voxels in the whole volume, one array per axis as fancy indexing takes them."""
        z, y, x = np.nonzero(self.before != self.after)
        return z + self.start[0], y + self.start[1], x + self.start[2]

    @property
    def values(self) -> Labels:
        """The changed voxels' new labels, in the order of :attr:`indices`."""
        return np.asarray(self.after[self.before != self.after])

    @property
    def undone(self) -> LabelEdit:
        """The change that takes this one back."""
        return LabelEdit(self.start, self.after, self.before)

    def apply(self, labels: Labels) -> None:
        """Change ``labels`` in place; voxels that this change does not touch keep what they have by now."""
        np.copyto(labels[self.box], self.after, where=self.before != self.after)


def change(labels: Labels, box: Box, after: Labels) -> LabelEdit:
    """The change from ``labels`` to ``after`` within ``box``, cropped to what differs.

    Parameters
    ----------
    labels : ndarray, shape (z, y, x)
        The whole volume.
    box : tuple of slice
        Where ``after`` lies in it; starts and stops are given and within the volume.
    after : ndarray, shape of the box
        New labels.
    """
    before = labels[box]
    inner = bounding_box(before != after)
    if inner is None:
        return nothing(labels)
    z, y, x = (outer.start + side.start for outer, side in zip(box, inner, strict=True))
    return LabelEdit((z, y, x), _frozen(before[inner]), _frozen(after[inner]))


def nothing(labels: Labels) -> LabelEdit:
    """The change that changes nothing."""
    empty = _frozen(labels[:0, :0, :0])
    return LabelEdit((0, 0, 0), empty, empty)


def bounding_box(mask: npt.NDArray[np.bool_]) -> Box | None:
    """Smallest box that holds all of ``mask``, shape (z, y, x); ``None`` if it is empty."""
    planes = np.flatnonzero(mask.any(axis=(1, 2)))
    if not len(planes):
        return None
    z = slice(int(planes[0]), int(planes[-1]) + 1)
    flat = np.logical_or.reduce(mask[z], axis=0)
    rows, columns = np.flatnonzero(flat.any(axis=1)), np.flatnonzero(flat.any(axis=0))
    return z, slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def lesion_box(labels: Labels, label: int) -> Box:
    """Smallest box that holds a lesion; ToolError if there is no such lesion."""
    box = bounding_box(labels == label) if label > 0 else None
    if box is None:
        raise ToolError(f"there is no lesion {label}")
    return box


def widened(box: Box, margin: tuple[int, int, int], shape: tuple[int, ...]) -> Box:
    """``box`` with ``margin`` voxels more on each side, as far as the volume reaches."""
    z, y, x = (
        slice(max(side.start - more, 0), min(side.stop + more, size))
        for side, more, size in zip(box, margin, shape, strict=True)
    )
    return z, y, x


def free_label(labels: Labels) -> int:
    """A label above all that are there; ToolError if the type of the labels has none left."""
    label = int(labels.max(initial=0)) + 1
    if label > np.iinfo(labels.dtype).max:
        raise ToolError("there is no free label left; relabel or merge lesions first")
    return label


def _frozen(part: Labels) -> Labels:
    copy = part.copy()
    copy.setflags(write=False)
    return copy
