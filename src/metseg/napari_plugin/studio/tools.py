"""The correction tools on the open case: each is one undo step of the layer and one record of the journal."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from metseg.curation import ToolName, drawn_slices, tools
from metseg.curation.tools import Change, Stroke, ToolError
from metseg.errors import MetsegError
from metseg.napari_plugin.state import ConnectionMixin
from metseg.napari_plugin.studio.formatting import no_edge, sentence, summary
from metseg.napari_plugin.studio.state import Edge, OnCanvas, ToolState
from metseg.napari_plugin.studio.stroke_target import lesion_under
from metseg.napari_plugin.translations import title_of, translate

if TYPE_CHECKING:
    from metseg.napari_plugin.studio.open_case import OpenCase
    from metseg.napari_plugin.studio.studio import Studio

#: Share of a lesion's voxels that the network's next contour adds or removes at least.
STEP = 0.15

Voxel = tuple[int, int, int]


class Tools(ConnectionMixin):
    """Runs tools on the case that is open in a studio. What a tool has to say goes to :attr:`state`."""

    def __init__(self, studio: Studio) -> None:
        super().__init__()
        self._studio = studio
        self._layer = self.group()
        self._fresh = 0
        self.state = ToolState()
        self.follow(studio.state.events, ("case",), self._on_case)
        self.follow(studio.state.events, ("lesion",), self._on_lesion)
        self.follow(studio.state.events, ("edits",), self._on_edit)
        self.follow(self.state.events, ("only",), self._restrict)
        self._on_case()

    @classmethod
    def of(cls, studio: Studio) -> Tools:
        """The tools of a studio, which its panels share."""
        if studio not in _tools:
            _tools[studio] = cls(studio)
            studio.add_closing(lambda: _tools.pop(studio).unfollow())
        return _tools[studio]

    @property
    def lesion(self) -> int:
        """Number of the lesion that the tools act on; 0 if none is selected."""
        return self._studio.state.lesion

    def stroke(self, stroke: Stroke, *, erase: bool = False) -> None:
        """Outline what ``stroke`` was drawn over, or take it away.

        What is outlined belongs to the new lesion if one was asked for, else to the selected one if the stroke touches
        it, else to the one that it touches most, there or in the next slices, else to the selected one a few slices
        away, else to a new one. It is selected then.
        """
        redraw, neighbours = self.state.redraw, self.state.neighbours

        def change(case: OpenCase) -> tuple[Change, dict[str, Any]]:
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
        """Move the selected lesion's edge outwards, as far as :attr:`ToolState.edge` says."""
        self._run(ToolName.GROW, self._grown, no_edge(ToolName.GROW, self.state.edge is Edge.CONTOUR))

    def shrink(self) -> None:
        """Move the selected lesion's edge inwards, as far as :attr:`ToolState.edge` says."""
        self._run(ToolName.SHRINK, self._shrunk, no_edge(ToolName.SHRINK, self.state.edge is Edge.CONTOUR))

    def foreseen(self, name: ToolName) -> Change | None:
        """What :meth:`grow` or :meth:`shrink` would change now; ``None`` if nothing, or it cannot be done."""
        case = self._studio.state.case
        if case is None or not self._studio.state.editable:
            return None
        try:
            change, _ = (self._grown if name is ToolName.GROW else self._shrunk)(case)
        except MetsegError:
            return None
        return change or None

    def _grown(self, case: OpenCase) -> tuple[Change, dict[str, Any]]:
        label, z = self._selected(), self._slice_of_edge()
        if self.state.edge is not Edge.CONTOUR:
            return tools.dilate(case.labels.data, label, z=z), _margin(label, z)
        spacing = case.study.geometry.spacing
        grown = tools.grow(case.labels.data, _needed(case), label, step=STEP, spacing=spacing)
        return grown, {"lesion": label, "step": STEP}

    def _shrunk(self, case: OpenCase) -> tuple[Change, dict[str, Any]]:
        label, z = self._selected(), self._slice_of_edge()
        if self.state.edge is not Edge.CONTOUR:
            return tools.erode(case.labels.data, label, z=z), _margin(label, z)
        return tools.shrink(case.labels.data, _needed(case), label, step=STEP), {"lesion": label, "step": STEP}

    def copy(self, step: int) -> None:
        """Draw the selected lesion in the slice ``step`` further as it is in this one, and go there."""
        target = (self._studio.shown_slice or 0) + step

        def change(case: OpenCase) -> tuple[Change, dict[str, Any]]:
            label, shown = self._selected(), self._studio.shown_slice
            if shown is None:
                raise ToolError(translate("studio", "show axial slices (2D) to copy between two of them"))
            made = tools.copy_slice(case.labels.data, label, shown, target)
            return made, {"lesion": label, "from": shown, "slices": [target]}

        if self._run(ToolName.COPY, change, translate("studio", "the lesion is so there already")) is not None:
            self._studio.go_to(target)

    def _slice_of_edge(self) -> int | None:
        """Index of the only slice in which the edge is to move; ``None`` for all."""
        if self.state.edge is not Edge.SLICE:
            return None
        shown = self._studio.shown_slice
        if shown is None:
            raise ToolError(translate("studio", "show axial slices (2D) to change one of them"))
        return shown

    def interpolate(self) -> None:
        """Redraw the selected lesion between the two drawn slices that are nearest to the one on screen.

        The network has a say if it sees the lesion in both of them.
        """

        def change(case: OpenCase) -> tuple[Change, dict[str, Any]]:
            label = self._selected()
            shown = self._studio.shown_slice
            if shown is None:
                raise ToolError(translate("studio", "show axial slices (2D) to interpolate between two of them"))
            self._studio.flush()
            labels = case.labels.data
            present = np.flatnonzero((labels == label).any(axis=(1, 2))).tolist()
            first, last = tools.slices_round(shown, present, drawn_slices(case.view.history(), label))
            probabilities = _probabilities(case)
            if probabilities is not None and not _agrees(probabilities, labels == label, (first, last)):
                probabilities = None
            made = tools.interpolate(labels, label, first, last, probabilities)
            return made, {"lesion": label, "first": first, "last": last, "network": probabilities is not None}

        self._run(ToolName.INTERPOLATE, change, translate("studio", "the slices between are so already"))

    def split(self, first: Voxel, second: Voxel) -> None:
        """Cut the lesion in which ``first`` and ``second`` (z, y, x) lie between the two."""

        def change(case: OpenCase) -> tuple[Change, dict[str, Any]]:
            label, spacing = int(case.labels.data[first]), case.study.geometry.spacing
            numbers = {"lesion": label, "first": list(first), "second": list(second), "new": case.next_label}
            cut = tools.split(case.labels.data, label, first, second, new=case.next_label, spacing=spacing)
            return cut, numbers

        self._run(ToolName.SPLIT, change, translate("studio", "there is nothing to split"))

    def separate(self) -> None:
        """Give every connected piece of the selected lesion its own number."""

        def change(case: OpenCase) -> tuple[Change, dict[str, Any]]:
            label, new = self._selected(), case.next_label
            return tools.separate(case.labels.data, label, new=new), {"lesion": label, "new": new}

        self._run(ToolName.SEPARATE, change, translate("studio", "it is in one piece already: split it by two clicks"))

    def merge(self) -> None:
        """Give the lesions selected in the table the number of the current one."""

        def change(case: OpenCase) -> tuple[Change, dict[str, Any]]:
            ids = self.state.chosen
            if len(ids) < 2:
                raise ToolError(
                    translate("studio", "select two or more lesions in the table first (Ctrl or Shift and a click)")
                )
            return tools.merge(case.labels.data, ids), {"lesions": list(ids)}

        self._run(ToolName.MERGE, change, translate("studio", "they are one already"))

    def delete(self) -> None:
        """Remove the lesions selected in the table, or else the current one."""

        def change(case: OpenCase) -> tuple[Change, dict[str, Any]]:
            ids = self.state.chosen or (self._selected(),)
            return tools.delete(case.labels.data, *ids), {"lesions": list(ids)}

        case = self._studio.state.case
        if self._run(ToolName.DELETE, change, translate("studio", "nothing is there")) is not None and case is not None:
            case.labels.selected_label = case.next_label
            self._fresh = 0

    def relabel(self, old: int, new: int) -> None:
        """Give lesion ``old`` the number ``new``."""

        def change(case: OpenCase) -> tuple[Change, dict[str, Any]]:
            return tools.relabel(case.labels.data, old, new), {"lesion": old, "new": new}

        if self._run(ToolName.RELABEL, change, translate("studio", "that is its number already")) is not None:
            self._studio.state.lesion = new

    def measured(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Say how far two places (y, x) of a slice, in pixels, are apart."""
        case = self._studio.state.case
        spacing = None if case is None else case.study.geometry.spacing
        away = np.subtract(end, start) * (1.0 if spacing is None else np.array(spacing[1:]))
        unit = translate("studio", "pixels (the size of one is not known)") if spacing is None else "mm"
        said = translate("studio", "{length} {unit} in this slice.")
        self._show_message(said.format(length=f"{float(np.hypot(*away)):.1f}", unit=unit))

    def undo(self) -> None:
        """Take the last change back."""
        self._show_message("")
        if self._studio.state.case is not None:
            self._studio.state.case.labels.undo()

    def redo(self) -> None:
        """Bring back what was undone last."""
        self._show_message("")
        if self._studio.state.case is not None:
            self._studio.state.case.labels.redo()

    def refuse(self, why: str) -> None:
        """Say why nothing was done."""
        self._show_message(why, refused=True)

    def prompt(self, what: str) -> None:
        """Say what is to be done next."""
        self._show_message(what)

    def _run(
        self, name: ToolName, make: Callable[[OpenCase], tuple[Change, dict[str, Any]]], nothing: str
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
        self._show_message(sentence(f"{title_of(name)}: {summary(change, numbers)}"))
        return numbers

    def _selected(self) -> int:
        if not self.lesion:
            raise ToolError(translate("studio", "select a lesion first: click on it in the table"))
        return self.lesion

    def _show_message(self, message: str, *, refused: bool = False) -> None:
        self.state.refused = refused
        self.state.message = message

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
        self._show_message("")

    def _restrict(self) -> None:
        """Have napari's own brush draw on the same intensities as ours."""
        case, only = self._studio.state.case, self.state.only
        if case is not None:
            guide = case.guide
            case.labels.allowed = None if only is None else lambda at: (guide[at] >= only[0]) & (guide[at] <= only[1])

    def _on_label(self) -> None:
        """A number that no lesion has asks for a new one; 0 asks for the eraser, whatever is selected."""
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


_tools: dict[Studio, Tools] = {}


def _margin(label: int, z: int | None) -> dict[str, Any]:
    """What is kept of a lesion whose edge moved by one pixel, in slice ``z`` or in all."""
    return {"lesion": label, "pixels": 1} | ({} if z is None else {"slices": [z]})


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
