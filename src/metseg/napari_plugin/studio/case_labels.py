"""The labels layer of an open case: it reports what was edited, by what, and when an edit is complete."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from napari.layers import Labels
from psygnal import Signal

from metseg.curation import EditKind
from metseg.errors import DataError

if TYPE_CHECKING:
    from metseg.curation import PredictionPlan, Provenance

LabelArray = npt.NDArray[np.uint16]
Place = tuple[int, int, int]
Indices = tuple[npt.NDArray[np.intp], ...]

_HIGHEST = int(np.iinfo(np.uint16).max)


@dataclass(frozen=True, eq=False, slots=True)
class PredictionEdit:
    """A model's result that an edit takes over: see :meth:`metseg.curation.CaseSession.predict`."""

    plan: PredictionPlan
    probabilities: npt.NDArray[np.floating[Any]]
    provenance: Provenance
    disagreement: npt.NDArray[np.floating[Any]] | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Edit:
    """One complete change of the labels.

    Attributes
    ----------
    start : tuple of int
        Where the smallest box that holds it begins, as (z, y, x).
    block : ndarray of uint16, shape (z, y, x)
        The labels in that box afterwards; empty if a model's result changed nothing.
    detail : dict
        What a tool records of itself.
    """

    kind: EditKind
    start: Place
    block: LabelArray
    detail: dict[str, Any] = field(default_factory=dict)
    prediction_edit: PredictionEdit | None = None

    @property
    def box(self) -> tuple[slice, ...]:
        """The box as slices into the whole volume."""
        return tuple(slice(at, at + size) for at, size in zip(self.start, self.block.shape, strict=True))


class CaseLabels(Labels):  # type: ignore[misc]  # napari has no types
    """Labels that report every edit, once it is complete.

    A drag of the mouse is one edit, at its end. What is assigned to :attr:`data` is one step of the undo history, so
    that undo brings back what was there. Voxels that a program writes into ``data[...]`` are found by :meth:`check`.

    Parameters
    ----------
    labels : ndarray of uint16, shape (z, y, x)
        The case's labels; copied.
    **look
        Further keywords of :class:`napari.layers.Labels`.
    """

    #: Emitted with an :class:`Edit`.
    edited = Signal(object)
    #: On which of some places, one array for each axis, the brush may draw; ``None`` for all. What it erases is erased.
    allowed: Callable[[Any], npt.NDArray[np.bool_]] | None = None

    def __init__(self, labels: LabelArray, **look: Any) -> None:
        self.read_only = False
        self.__noted: EditKind | None = None
        self.__source: tuple[EditKind, dict[str, Any], PredictionEdit | None] | None = None
        self.__depth = self.__calls = 0
        self.__touched: list[slice] = []
        self.__kept = np.array(labels, np.uint16)
        super().__init__(self.__kept.copy(), **look)
        self.events.paint.connect(self._on_history)

    def refill(self, labels: LabelArray, *, read_only: bool = False) -> None:
        """Hold the labels of another case from now on; nothing is reported, and nothing can be undone.

        Nothing can be changed before :meth:`unlock`, either.

        Parameters
        ----------
        labels : ndarray of uint16, shape (z, y, x)
        read_only : bool
            They will not be unlocked.
        """
        self.retire()
        self.__noted, self.__touched = None, []
        self.__kept = np.array(labels, np.uint16)
        array = self.__kept.copy()
        array.flags.writeable = not read_only  # napari paints into views of it, which stay as they are made now
        Labels.data.fset(self, array)

    def retire(self) -> None:
        """Let nothing be changed any more, and forget the undo history, as napari does for what cannot be edited."""
        self.lock()
        self.editable = False

    def lock(self) -> None:
        """Let nothing be changed any more, and report nothing: the window may be gone."""
        self.read_only = True
        self.data.flags.writeable = False

    def unlock(self) -> None:
        """Let everything be changed."""
        self.read_only = False
        self.editable = True

    @property
    def editable(self) -> bool:
        """Whether the mouse can change anything."""
        return bool(Labels.editable.fget(self))

    @editable.setter
    def editable(self, wanted: bool) -> None:
        Labels.editable.fset(self, wanted and not self.read_only)

    @property
    def _type_string(self) -> str:
        """To napari this is a labels layer as any other: for its icon, its menus, and for saving it."""
        return "labels"

    @property
    def data(self) -> LabelArray:
        """The labels, uint16, shape (z, y, x). Assigning is one step of the undo history."""
        array: LabelArray = Labels.data.fget(self)
        return array

    @data.setter
    def data(self, wanted: npt.ArrayLike) -> None:
        new = _fitting(np.asarray(wanted), self.data.shape)
        self.check()
        changed = np.nonzero(self.data != new)
        self.data_setitem(changed, new[changed].astype(np.uint16))
        self.refresh()
        self.events.data(value=self.data)

    @property
    def drawing(self) -> bool:
        """Whether a stroke is in flight."""
        return self.__depth > 0 or self._encircling

    @property
    def _encircling(self) -> bool:
        """Whether napari's stroke of the right mouse button, which has no public name, is in flight."""
        overlay = getattr(self, "_overlays", {}).get("brush_stroke")
        return bool(getattr(overlay, "active", False))

    # Everything that changes labels

    def paint(self, coord: Sequence[float], new_label: int, refresh: bool = True) -> None:
        """Paint with the brush; see :meth:`napari.layers.Labels.paint`."""
        reach = int(self.brush_size) // 2 + 1
        near = tuple(slice(max(round(at) - reach, 0), max(round(at) + reach + 1, 0)) for at in map(float, coord))
        before = self.data[near].copy() if self.allowed is not None and new_label else None
        with self._editing(EditKind.STROKE):
            super().paint(coord, new_label, refresh=refresh)
            if before is not None:
                self._take_back(near, before)

    def _take_back(self, near: tuple[slice, ...], before: LabelArray) -> None:
        """Give voxels that the brush must not draw on back what they were, in the same step of the undo history."""
        found = np.nonzero(self.data[near] != before)
        places = tuple(at + side.start for at, side in zip(found, near, strict=True))
        wrong = np.zeros(len(places[0]), bool) if self.allowed is None else ~self.allowed(places)
        if wrong.any():
            self.data_setitem(tuple(at[wrong] for at in places), before[found][wrong])

    def fill(self, coord: Sequence[float], new_label: int, refresh: bool = True) -> None:
        """Give a connected region another label; see :meth:`napari.layers.Labels.fill`."""
        with self._editing(EditKind.FILL):
            super().fill(coord, new_label, refresh=refresh)

    def paint_polygon(self, points: Any, new_label: int) -> None:
        """Fill a polygon; see :meth:`napari.layers.Labels.paint_polygon`."""
        with self._editing(EditKind.POLYGON):
            super().paint_polygon(points, new_label)

    def data_setitem(self, indices: Any, value: Any, refresh: bool = True) -> None:
        """Set voxels as one step of the undo history; see :meth:`napari.layers.Labels.data_setitem`."""
        with self._editing(EditKind.OTHER):
            super().data_setitem(indices, value, refresh=refresh)

    def undo(self) -> None:
        """Take back the newest step. Does nothing while a stroke is in flight."""
        if not self.drawing:
            self.check()
            with self._editing(EditKind.UNDO):
                super().undo()

    def redo(self) -> None:
        """Make again what was taken back. Does nothing while a stroke is in flight."""
        if not self.drawing:
            self.check()
            with self._editing(EditKind.REDO):
                super().redo()

    @contextlib.contextmanager
    def block_history(self) -> Iterator[None]:
        """Group edits into one step of the undo history, as napari does for a drag of the mouse."""
        self.__depth += 1
        try:
            with super().block_history():
                yield
        finally:
            self.__depth -= 1
            if self.__noted is not None and not self.drawing:  # a drag that was broken off
                self._finish()

    def put(
        self,
        indices: Indices,
        values: LabelArray,
        kind: EditKind,
        detail: dict[str, Any] | None = None,
        prediction_edit: PredictionEdit | None = None,
    ) -> None:
        """Set voxels as one step of the undo history and one edit.

        Parameters
        ----------
        indices : tuple of ndarray of int
            Places of the voxels, one array for each axis.
        values : ndarray of uint16
            Their new labels.
        detail : dict, optional
            What the tool records of itself.
        prediction_edit : PredictionEdit, optional
            The model's result; it is reported even if no voxel changes.

        Raises
        ------
        DataError
            If a stroke is in flight, or the case is open read-only.
        """
        if self.drawing:
            raise DataError("finish the stroke first")
        self.check()
        self.__source = (kind, dict(detail or {}), prediction_edit)
        try:
            self.data_setitem(indices, values)
        finally:
            self.__source = None

    def check(self, *, finally_: bool = False) -> None:
        """Report what a program wrote into ``data[...]``, and any edit that was not reported yet.

        Nothing is reported while a stroke is in flight, unless there is no other time, ``finally_``.
        """
        if self.drawing and not finally_:
            return
        self.__touched.clear()
        self.__noted = self.__noted or EditKind.OTHER
        self._finish()

    # When an edit is complete

    @contextlib.contextmanager
    def _editing(self, kind: EditKind) -> Iterator[None]:
        if self.read_only:
            raise DataError(f"{self.name}: is open read-only")
        self.__noted = self.__noted or (kind if self.__source is None else self.__source[0])
        self.__calls += 1
        try:
            yield
        finally:
            self.__calls -= 1
            if not self.__calls and not self.drawing:
                self._finish()

    def _on_history(self, event: Any) -> None:
        """Something entered the undo history. Of single calls it does so before the voxels are written."""
        self.__touched.extend(_slices_of(event.value))
        if not self.__calls:
            self._finish()

    def _finish(self) -> None:
        kind, touched = self.__noted or EditKind.STROKE, self.__touched or [slice(0, len(self.__kept))]
        self.__noted, self.__touched = None, []
        _, detail, prediction_edit = self.__source or (kind, {}, None)
        start, block = self._difference(range(min(s.start for s in touched), max(s.stop for s in touched)))
        if not block.size and prediction_edit is None:
            return
        edit = Edit(kind, start, block, detail, prediction_edit)
        self.__kept[edit.box] = block
        self.edited.emit(edit)

    def _difference(self, slices: range) -> tuple[Place, LabelArray]:
        """The box in ``slices`` that holds all that differs from what was reported, and a copy of the labels in it."""
        data, kept = self.data, self.__kept
        z = [index for index in slices if not np.array_equal(data[index], kept[index])]
        if not z:
            return (0, 0, 0), np.zeros((0, 0, 0), np.uint16)
        first, last = z[0], z[-1] + 1
        flat = np.zeros(data.shape[1:], bool)
        for index in z:
            flat |= data[index] != kept[index]
        y, x = np.flatnonzero(flat.any(axis=1)), np.flatnonzero(flat.any(axis=0))
        start = (first, int(y[0]), int(x[0]))
        block = data[first:last, start[1] : int(y[-1]) + 1, start[2] : int(x[-1]) + 1].copy()
        return start, block


def _fitting(wanted: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    if wanted.shape != shape:
        raise DataError(f"labels of shape {wanted.shape} do not fit a case of shape {shape}")
    if wanted.dtype.kind not in "uib":
        raise DataError(f"labels must be whole numbers, not {wanted.dtype}")
    if wanted.dtype != np.uint16 and wanted.size and (wanted.min() < 0 or wanted.max() > _HIGHEST):
        raise DataError(f"labels must lie between 0 and {_HIGHEST}")
    return wanted


def _slices_of(item: Any) -> list[slice]:
    """Which slices a step of napari's undo history touches; all, if it is not known.

    A step is a list of atoms, each of which begins with an index: slices or arrays of places, one for each axis.
    """
    found = []
    try:
        for atom in item:
            z = atom[0][0]
            if isinstance(z, slice):
                found.append(slice(int(z.start), int(z.stop)))
            else:
                found.append(slice(int(np.min(z)), int(np.max(z)) + 1))
    except (TypeError, IndexError, ValueError):
        return []
    return found
