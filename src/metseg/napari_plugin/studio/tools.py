"""The correction tools on the open case: each is one undo step of the layer and one record of the journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from metseg.curation import ToolName, drawn_slices, tools
from metseg.curation.tools import LabelEdit, Stroke, ToolError
from metseg.errors import MetsegError
from metseg.napari_plugin.background import WorkerMixin
from metseg.napari_plugin.studio.formatting import no_edge, sentence, summary
from metseg.napari_plugin.studio.state import Edge, OnCanvas, ToolState
from metseg.napari_plugin.translations import title_of, translate

if TYPE_CHECKING:
    from metseg.curation import CaseView
    from metseg.napari_plugin.studio.open_case import OpenCase
    from metseg.napari_plugin.studio.studio import Studio

#: Share of a lesion's voxels that the network's next contour adds or removes at least.
STEP = 0.15
#: Slices that may be left out between two in which a lesion is drawn.
REACH = 6

Voxel = tuple[int, int, int]


class Tools(WorkerMixin):
    """Runs tools on the case that is open in a studio. The messages of tools go to :attr:`state`."""

    def __init__(self, studio: Studio) -> None:
        super().__init__()
        self._studio = studio
        self._layer = self.group()
        self._reading = self.worker(self._on_drawn_slices, studio.report_error)
        self._fresh = 0
        self.state = ToolState()
        self.follow(studio.state.events, ("case",), self._on_case)
        self.follow(studio.state.events, ("lesion",), self._on_lesion)
        self.follow(studio.state.events, ("edits",), self._on_edit)
        self.follow(self.state.events, ("only",), self._restrict)
        studio.add_closing(self.close)
        self._on_case()

    @property
    def lesion(self) -> int:
        """Number of the lesion that the tools act on; 0 if none is selected."""
        return self._studio.state.lesion

    def stroke(self, stroke: Stroke, *, erase: bool = False) -> None:
        """Outline what ``stroke`` was drawn over, or take it away.

        What is outlined belongs to the new lesion if one was begun, else to the selected one if the stroke touches
        it, else to the one that it touches most, there or in the next slices, else to the selected one a few slices
        away, else to a new one. It is selected then.
        """
        redraw, neighbours = self.state.redraw, self.state.neighbours

        def change(case: OpenCase) -> tuple[LabelEdit, dict[str, Any]]:
            labels = case.labels.data
            label = 0 if erase else self._fresh or lesion_under(labels, stroke, self.lesion) or case.next_label
            numbers = {"radius": stroke.radius, "slices": stroke.slices(), "points": len(stroke.points)}
            if label:
                numbers |= {"lesion": label, "redraw": redraw, "neighbours": neighbours}
            given = labels, case.guide, _probabilities(case), stroke, label
            made = tools.guided_brush(*given, redraw=redraw, neighbours=neighbours)
            if label and self.state.only is not None:
                numbers["intensities"] = list(self.state.only)
                made = tools.within_range(labels, made, case.guide, *self.state.only)
            return made, numbers

        nothing = (
            translate("studio", "the stroke touches no lesion")
            if erase
            else translate("studio", "the stroke adds nothing")
        )
        numbers = self._run(ToolName.ERASER if erase else ToolName.BRUSH, change, nothing)
        if numbers is not None and not erase:
            self._studio.state.lesion = numbers["lesion"]

    def grow(self) -> None:
        """Move the selected lesion's edge outwards, as far as :attr:`ToolState.edge`."""
        self._move_edge(ToolName.GROW)

    def shrink(self) -> None:
        """Move the selected lesion's edge inwards, as far as :attr:`ToolState.edge`."""
        self._move_edge(ToolName.SHRINK)

    def foreseen(self, name: ToolName) -> LabelEdit | None:
        """What :meth:`grow` or :meth:`shrink` would change now; ``None`` if nothing, or it cannot be done."""
        case = self._studio.state.case
        if case is None or not self._studio.state.editable:
            return None
        try:
            change, _ = self._moved_edge(name, case)
        except MetsegError:
            return None
        return change or None

    def _move_edge(self, name: ToolName) -> None:
        self._run(name, partial(self._moved_edge, name), no_edge(name, self.state.edge is Edge.CONTOUR))

    def _moved_edge(self, name: ToolName, case: OpenCase) -> tuple[LabelEdit, dict[str, Any]]:
        label, z, labels, grows = self._selected(), self._slice_of_edge(), case.labels.data, name is ToolName.GROW
        if self.state.edge is not Edge.CONTOUR:
            moved = (tools.dilate if grows else tools.erode)(labels, label, z=z)
            return moved, {"lesion": label, "pixels": 1} | ({} if z is None else {"slices": [z]})
        probabilities, numbers = _needed(case), {"lesion": label, "step": STEP}
        if grows:
            return tools.grow(labels, probabilities, label, step=STEP, spacing=case.study.geometry.spacing), numbers
        return tools.shrink(labels, probabilities, label, step=STEP), numbers

    def copy(self, step: int) -> None:
        """Draw the selected lesion in the slice ``step`` further as it is in this one, and go there."""
        target = (self._studio.shown_slice or 0) + step

        def change(case: OpenCase) -> tuple[LabelEdit, dict[str, Any]]:
            label = self._selected()
            shown = self._shown(translate("studio", "show axial slices (2D) to copy between two of them"))
            made = tools.copy_slice(case.labels.data, label, shown, target)
            return made, {"lesion": label, "from": shown, "slices": [target]}

        if self._run(ToolName.COPY, change, translate("studio", "the lesion is so there already")) is not None:
            self._studio.go_to(target)

    def _slice_of_edge(self) -> int | None:
        """Index of the only slice in which the edge is to move; ``None`` for all."""
        if self.state.edge is not Edge.SLICE:
            return None
        return self._shown(translate("studio", "show axial slices (2D) to change one of them"))

    def _shown(self, otherwise: str) -> int:
        """Index of the slice on the screen; ``otherwise`` is why nothing can be done if there is none."""
        shown = self._studio.shown_slice
        if shown is None:
            raise ToolError(otherwise)
        return shown

    def interpolate(self) -> None:
        """Redraw the selected lesion between the two drawn slices that are nearest to the one on screen.

        The network counts if it sees the lesion in both of them.
        """
        self._studio.when_saved(lambda _: self._read_drawn_slices())

    def _read_drawn_slices(self) -> None:
        """Have read from the journal, in a thread, which slices of the selected lesion were drawn."""
        case, lesion = self._studio.state.case, self.lesion
        if case is None or not lesion:
            self._interpolate(frozenset())
        else:
            self._reading.submit(lambda: (case.view, lesion, drawn_slices(case.view.history(), lesion)))

    def _on_drawn_slices(self, found: tuple[CaseView, int, set[int]]) -> None:
        view, lesion, drawn = found
        case = self._studio.state.case
        if case is not None and case.view is view and lesion == self.lesion:
            self._interpolate(drawn)

    def _interpolate(self, drawn: Collection[int]) -> None:
        def change(case: OpenCase) -> tuple[LabelEdit, dict[str, Any]]:
            label = self._selected()
            shown = self._shown(translate("studio", "show axial slices (2D) to interpolate between two of them"))
            labels = case.labels.data
            present = np.flatnonzero((labels == label).any(axis=(1, 2))).tolist()
            first, last = tools.slices_round(shown, present, drawn)
            probabilities = _probabilities(case)
            if probabilities is not None and not _agrees(probabilities, labels == label, (first, last)):
                probabilities = None
            made = tools.interpolate(labels, label, first, last, probabilities)
            return made, {"lesion": label, "first": first, "last": last, "network": probabilities is not None}

        self._run(ToolName.INTERPOLATE, change, translate("studio", "the slices between are so already"))

    def split(self, first: Voxel, second: Voxel) -> None:
        """Cut the lesion in which ``first`` and ``second`` (z, y, x) lie between the two."""

        def change(case: OpenCase) -> tuple[LabelEdit, dict[str, Any]]:
            label, spacing = int(case.labels.data[first]), case.study.geometry.spacing
            numbers = {"lesion": label, "first": list(first), "second": list(second), "new": case.next_label}
            cut = tools.split(case.labels.data, label, first, second, new=case.next_label, spacing=spacing)
            return cut, numbers

        self._run(ToolName.SPLIT, change, translate("studio", "there is nothing to split"))

    def separate(self) -> None:
        """Give every connected piece of the selected lesion its own number."""

        def change(case: OpenCase) -> tuple[LabelEdit, dict[str, Any]]:
            label, new = self._selected(), case.next_label
            return tools.separate(case.labels.data, label, new=new), {"lesion": label, "new": new}

        self._run(ToolName.SEPARATE, change, translate("studio", "it is in one piece already: split it by two clicks"))

    def merge(self) -> None:
        """Give the lesions selected in the table the number of the current one."""

        def change(case: OpenCase) -> tuple[LabelEdit, dict[str, Any]]:
            ids = self.state.chosen
            if len(ids) < 2:
                raise ToolError(
                    translate("studio", "select two or more lesions in the table first (Ctrl or Shift and a click)")
                )
            return tools.merge(case.labels.data, ids), {"lesions": list(ids)}

        self._run(ToolName.MERGE, change, translate("studio", "they are one already"))

    def delete(self) -> None:
        """Remove the lesions selected in the table, or else the current one."""

        def change(case: OpenCase) -> tuple[LabelEdit, dict[str, Any]]:
            ids = self.state.chosen or (self._selected(),)
            return tools.delete(case.labels.data, *ids), {"lesions": list(ids)}

        case = self._studio.state.case
        if self._run(ToolName.DELETE, change, translate("studio", "nothing is there")) is not None and case is not None:
            case.labels.selected_label = case.next_label
            self._fresh = 0

    def relabel(self, old: int, new: int) -> None:
        """Give lesion ``old`` the number ``new``."""

        def change(case: OpenCase) -> tuple[LabelEdit, dict[str, Any]]:
            return tools.relabel(case.labels.data, old, new), {"lesion": old, "new": new}

        if self._run(ToolName.RELABEL, change, translate("studio", "that is its number already")) is not None:
            self._studio.state.lesion = new

    def measured(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Report how far two places (y, x) of a slice, in pixels, are apart."""
        case = self._studio.state.case
        spacing = None if case is None else case.study.geometry.spacing
        away = np.subtract(end, start) * (1.0 if spacing is None else np.array(spacing[1:]))
        unit = translate("studio", "pixels (the size of one is not known)") if spacing is None else "mm"
        text = translate("studio", "{length} {unit} in this slice.")
        self.report(text.format(length=f"{float(np.hypot(*away)):.1f}", unit=unit))

    def undo(self) -> None:
        """Take the last change back."""
        self.report("")
        if self._studio.state.case is not None:
            self._studio.state.case.labels.undo()

    def redo(self) -> None:
        """Bring back what was undone last."""
        self.report("")
        if self._studio.state.case is not None:
            self._studio.state.case.labels.redo()

    def report(self, text: str, *, refused: bool = False) -> None:
        """Show what was done or is to be done next, or why nothing was done."""
        self.state.refused = refused
        self.state.message = text

    def refuse(self, why: str) -> None:
        """Show why nothing was done."""
        self.report(why, refused=True)

    def _run(
        self, name: ToolName, make: Callable[[OpenCase], tuple[LabelEdit, dict[str, Any]]], nothing: str
    ) -> dict[str, Any] | None:
        """Make a change and apply it; its numbers, or ``None`` if there was none."""
        case = self._studio.state.case
        if case is None:
            self.refuse(translate("studio", "Open a case first."))
            return None
        try:
            change, numbers = make(case)
            if not change:
                raise ToolError(nothing)
            self._studio.apply(change, {"tool": name, **numbers})
        except MetsegError as error:
            self.refuse(sentence(f"{error}"))
            return None
        self.report(sentence(f"{title_of(name)}: {summary(change, numbers)}"))
        return numbers

    def _selected(self) -> int:
        if not self.lesion:
            raise ToolError(translate("studio", "select a lesion first: click on it in the table"))
        return self.lesion

    def _on_case(self) -> None:
        """Follow the case's layer; what is selected in it is the studio's lesion, and the other way round."""
        self._layer.unfollow()
        case = self._studio.state.case
        if case is None:
            self.state.on_canvas = OnCanvas.NONE
            self.state.chosen = ()
            self._studio.state.lesion = self._fresh = 0
        else:
            self._layer.follow(case.labels.events, ("selected_label",), self._on_label)
            self._restrict()
        self.report("")

    def _restrict(self) -> None:
        """Have napari's own brush draw on the same intensities as ours."""
        case, only = self._studio.state.case, self.state.only
        if case is not None:
            guide = case.guide
            case.labels.allowed = None if only is None else lambda at: (guide[at] >= only[0]) & (guide[at] <= only[1])

    def _on_label(self) -> None:
        """A number that no lesion has begins a new one; 0 is the eraser, whatever is selected."""
        case = self._studio.state.case
        if case is None or not case.labels.selected_label:
            return
        label = int(case.labels.selected_label)
        self._fresh = 0 if _there(case, label) else label
        self._studio.state.lesion = 0 if self._fresh else label

    def _on_lesion(self) -> None:
        case = self._studio.state.case
        if case is not None and self.lesion:
            case.labels.selected_label = self.lesion

    def _on_edit(self) -> None:
        case = self._studio.state.case
        if case is None:
            return
        if self._fresh and _there(case, self._fresh):
            self._studio.state.lesion, self._fresh = self._fresh, 0
        elif self.lesion and not _there(case, self.lesion):
            self._studio.state.lesion = 0


def _probabilities(case: OpenCase) -> npt.NDArray[np.float32] | None:
    return None if case.prediction is None else case.prediction.probabilities


def _there(case: OpenCase, lesion: int) -> bool:
    return any((plane == lesion).any() for plane in case.labels.data)


def _needed(case: OpenCase) -> npt.NDArray[np.float32]:
    if case.prediction is None:
        raise ToolError(
            translate("studio", "no network has looked at this case yet: make a prediction, or use the guided brush")
        )
    return case.prediction.probabilities


def _agrees(probabilities: npt.NDArray[np.float32], lesion: npt.NDArray[np.bool_], slices: tuple[int, int]) -> bool:
    """Whether the network, too, sees most of a lesion in each of the slices."""
    return all(probabilities[z][lesion[z]].mean() >= 0.5 for z in slices)


def lesion_under(labels: npt.NDArray[np.uint16], stroke: Stroke, selected: int = 0) -> int:
    """The lesion that a stroke was drawn over.

    Parameters
    ----------
    labels : ndarray of uint16, shape (z, y, x)
        0 outside, else the lesion's number.
    stroke : Stroke
        Where the brush went.
    selected : int
        The lesion that is meant if the stroke touches it, however little.

    Returns
    -------
    int
        Its number: the one with most pixels under the stroke; if there is none, the one with most pixels above and
        below it in the next slices; if there is none either, the selected one if it lies above or below within
        :data:`REACH` slices, which were left out to be interpolated; else 0.
    """
    for away in range(REACH + 1):
        touched = sum((_touched(labels, stroke, step) for step in {-away, away}), Counter[int]())
        if selected in touched:
            return selected
        if touched and away <= 1:
            return touched.most_common(1)[0][0]
    return 0


def _touched(labels: npt.NDArray[np.uint16], stroke: Stroke, step: int) -> Counter[int]:
    """Pixels of each lesion under the stroke, or ``step`` slices further."""
    found: Counter[int] = Counter()
    height, width = labels.shape[1:]
    for z in stroke.slices():
        if not 0 <= z + step < len(labels):
            continue
        y0, y1, x0, x1 = stroke.reach(z, stroke.radius)
        window = slice(max(y0, 0), min(y1, height)), slice(max(x0, 0), min(x1, width))
        if any(side.start >= side.stop for side in window):
            continue
        under = labels[z + step][window][stroke.distance(z, window) <= stroke.radius]
        found.update(under[under > 0].tolist())
    return found
