"""Acts for the panels: projects, cases, edits, statuses, long work. Owns threads and no widget."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from metseg.curation import EditKind, PredictionPlan, Provenance
from metseg.errors import CaseBusyError, DataError
from metseg.events import Event
from metseg.napari_plugin import messages
from metseg.napari_plugin.background import LatestOnlyWorker
from metseg.napari_plugin.brush_circle import without_box
from metseg.napari_plugin.navigation import go_to, go_to_slice, shown_slice
from metseg.napari_plugin.network_choices import NetworkChoices
from metseg.napari_plugin.pipeline import errors_yielded
from metseg.napari_plugin.runs import Run
from metseg.napari_plugin.state import Activity, ConnectionMixin
from metseg.napari_plugin.studio import projects
from metseg.napari_plugin.studio.case_labels import PredictionEdit
from metseg.napari_plugin.studio.case_layers import OwnLayers
from metseg.napari_plugin.studio.cases import CaseOpener
from metseg.napari_plugin.studio.colours import Colours
from metseg.napari_plugin.studio.preparation import found_choices
from metseg.napari_plugin.studio.shortcuts import Shortcut, Shortcuts
from metseg.napari_plugin.studio.state import StudioState, Tab
from metseg.napari_plugin.studio.tools import Tools

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from qtpy.QtWidgets import QAbstractButton

    from metseg.curation.tools import LabelEdit
    from metseg.napari_plugin.studio.open_case import OpenCase


class Studio(ConnectionMixin):
    """Acts on project, case and viewer, and keeps the state in step."""

    def __init__(self, viewer: ViewerModel, state: StudioState | None = None) -> None:
        super().__init__()
        without_box(viewer)
        self.viewer = viewer
        self.state = state or StudioState()
        self.shortcuts = Shortcuts(viewer)
        self.own_layers = OwnLayers(viewer)
        self.colours = Colours(viewer.theme)
        self.cases = CaseOpener(viewer, self.own_layers, self.state, self.shortcuts, self.report, self.report_error)
        self._run = Run(self.state)
        self._listings = LatestOnlyWorker(self._on_listed, self._on_listing_failed)
        self.networks = NetworkChoices(self.state, found_choices, self.report_error)
        self._closings: list[Callable[[], object]] = []
        self.tools = Tools(self)

    @property
    def busy(self) -> bool:
        """Whether any thread works or anything waits to be written."""
        return any(thread.busy for thread in (self._run, self._listings, self.networks, self.cases, self.tools))

    def add_closing(self, action: Callable[[], object]) -> None:
        """Have ``action`` called once when the studio ends; it must touch no widget, for the window may be gone."""
        self._closings.append(action)

    def close(self) -> None:
        """Put everything on the disk, close the case, stop work, give the keys back. Layers stay as they are."""
        self.unfollow()
        for action in self._closings:
            action()
        self._closings.clear()
        self.cases.end()
        self._run.close()
        self._listings.forget()
        self.networks.close()
        self.shortcuts.close()
        gc.unfreeze()

    # Projects

    def open_project(self, path: Path) -> None:
        """Open the project in a folder and list its cases; the one before is closed."""
        self.start(Activity.OPENING, "Opening the project", self._on_project, projects.opening, path)

    def create_project(self, path: Path, data: Path) -> None:
        """Make a project of the images in ``data``, in a new or empty folder, or add them to the project there."""
        self.start(Activity.OPENING, "Making the project", self._on_project, projects.creating, path, data)

    def close_project(self, then: Callable[[], object] = lambda: None) -> None:
        """Close case and project and call ``then``, as :meth:`close_case` does."""

        def close() -> None:
            self._listings.forget()
            self.state.project, self.state.cases, self.state.listing = None, (), False
            self.state.queue, self.state.messages = None, ()
            self.state.refused = self.state.refusal = ""
            then()

        self.close_case(close)

    def refresh(self) -> None:
        """List the project's cases again, in a thread."""
        if self.state.project is not None:
            self.state.listing = True
            self._listings.submit(projects.listed, self.state.project)

    def _on_project(self, opened: projects.OpenedProject) -> None:
        self.close_project(partial(self._show_project, opened))

    def _show_project(self, opened: projects.OpenedProject) -> None:
        self.state.cases = opened.cases
        self.state.project = opened.project
        for text in opened.remarks:
            self.report(text)
        self.find_networks()

    def _on_listed(self, found: projects.OpenedProject) -> None:
        self.state.listing = False
        if found.project is self.state.project:
            self.state.cases = found.cases

    def _on_listing_failed(self, error: Exception) -> None:
        self.state.listing = False
        self.report_error(error)

    # Cases

    def open_case(self, name: str, *, read_only: bool = False) -> None:
        """Open a case in a thread; the one before is closed first, unless something of it cannot be saved."""
        self.cases.open(name, read_only=read_only)

    def close_case(self, then: Callable[[], object] = lambda: None) -> None:
        """Save and close the open case, empty and hide its layers, and call ``then``: now, unless it must be saved.

        If it cannot be saved it stays open, that is reported, and ``then`` is not called.
        """
        self.cases.close(then)

    def when_saved(self, then: Callable[[bool], object]) -> None:
        """Call ``then`` with whether all that was drawn is on the disk, as soon as it is or cannot be; now if it is.

        ``state.problem`` is why it cannot be.
        """
        self.cases.when_saved(then)

    def flush(self) -> bool:
        """Have all that was drawn on the disk before returning; ``False`` if that fails, ``state.problem`` is why.

        For scripts: it waits for the disk, and so does the window.
        """
        return self.cases.flush()

    # Edits

    def apply(self, change: LabelEdit, detail: Mapping[str, Any] | None = None) -> None:
        """Make a tool's change: one step of the undo history, one record of the journal.

        Parameters
        ----------
        change : LabelEdit
            Of the labels as they are on the screen.
        detail : mapping, optional
            What the tool records of itself; JSON.

        Raises
        ------
        DataError
            If no case is open for editing, or a stroke is in flight.
        """
        case = self._edited_case()
        given = _checked(detail)
        if change:
            case.labels.put(change.indices, change.values, EditKind.TOOL, given)

    def take_over(
        self,
        plan: PredictionPlan,
        probabilities: npt.NDArray[np.floating[Any]],
        provenance: Provenance,
        detail: Mapping[str, Any] | None = None,
        *,
        disagreement: npt.NDArray[np.floating[Any]] | None = None,
    ) -> None:
        """Take over a model's result: one step of the undo history, one record of the journal.

        Parameters
        ----------
        plan : PredictionPlan
            Of the open case as it is now: see :meth:`metseg.curation.CaseView.plan_prediction`.
        probabilities : ndarray of float, shape (z, y, x)
            0 to 1.
        detail : mapping, optional
            JSON.
        disagreement : ndarray of float, shape (z, y, x), optional
            How far the members of an ensemble are apart, 0 to 1.

        Raises
        ------
        DataError
            If no case is open for editing, something is not saved yet, or the case was edited since.
        """
        case, given = self._saved_case(), _checked(detail)
        if plan.edits != case.view.edits:
            raise DataError(f"{case.name}: was edited while the network was at work; look at the changes again")
        for what, values in (("probabilities", probabilities), ("a disagreement", disagreement)):
            if values is not None and (values.shape != case.shape or not (values.min() >= 0 and values.max() <= 1)):
                raise DataError(f"{case.name}: {what} must lie between 0 and 1 and have the shape {case.shape}")
        changed = np.nonzero(case.labels.data != plan.labels)
        prediction_edit = PredictionEdit(plan, probabilities, provenance, disagreement)
        case.labels.put(changed, plan.labels[changed], EditKind.MODEL, given, prediction_edit)

    def new_lesion(self) -> None:
        """Select an id that no lesion ever had, and the brush."""
        case = self.state.case
        if case is not None and self.state.editable:
            case.labels.selected_label = case.next_label
            case.labels.mode = "paint"
            self.viewer.layers.selection.active = case.labels

    def _edited_case(self) -> OpenCase:
        case = self.state.case
        if case is None or case.session is None:
            raise DataError("no case is open for editing")
        return case

    def _saved_case(self) -> OpenCase:
        case = self._edited_case()
        if case.labels.drawing:
            raise DataError("finish the stroke first")
        case.labels.check()
        if self.cases.waiting:
            problem = self.state.problem
            raise DataError(f"{case.name}: is not saved yet{': ' * bool(problem)}{problem}")
        return case

    # Long work

    def start(
        self,
        activity: Activity,
        title: str,
        done: Callable[[Any], object],
        stream: Callable[..., Iterator[Event[Any]]],
        *arguments: object,
    ) -> bool:
        """Consume the generator function ``stream(*arguments)`` in a thread; ``False``, and a message, if another runs.

        ``done`` is called in the window's thread with the result, unless the work was cancelled or failed.
        """
        if self._run.busy:
            messages.tell("Wait for the current work to end, or cancel it.")
            return False
        self._run.start(activity, title, done, errors_yielded(stream), *arguments)
        return True

    def cancel(self) -> None:
        """Stop the work before its next step; no result is delivered."""
        self._run.cancel()

    # Networks

    def find_networks(self) -> None:
        """Look up networks and devices in a thread, once."""
        if not (self.state.models or self.state.searching or self.state.remote):
            self.networks.find()

    def add_model_file(self, path: str) -> None:
        """Read the network in ``path`` in a thread, offer it beside the others, and choose it."""
        self.networks.add_file(path)

    # Keys, places, messages

    def add_shortcut(self, shortcut: Shortcut) -> None:
        """Bind a key; one that the user or another plugin has taken stays theirs, which is reported."""
        try:
            self.shortcuts.add(shortcut)
        except ValueError as error:
            messages.tell(str(error))

    def show_key(self, shown: QAbstractButton, text: str, title: str) -> None:
        """Keep ``text`` and the key of the action ``title`` on a button, whatever that key is."""

        def name() -> None:
            key = self.shortcuts.key(title)
            shown.setText(f"{text} ({key})" if key else text)

        self.shortcuts.changed.connect(name)
        name()

    def in_review(self) -> bool:
        """Whether the tab *Review* is in front; if not, it is brought there.

        Keys that decide something need this first: nothing is approved or deleted unseen.
        """
        there = self.state.tab is Tab.REVIEW
        self.state.tab = Tab.REVIEW
        return there

    def go_to(self, z: float, y: float | None = None, x: float | None = None) -> None:
        """Show slice ``z`` of the open case, and have (y, x) in the middle if they are given; in voxels."""
        if self.state.case is None:
            return
        labels = self.state.case.labels
        if y is None or x is None or self.viewer.dims.ndisplay != 2:
            go_to_slice(self.viewer, labels, z)
        else:
            go_to(self.viewer, labels, (z, y, x))

    @property
    def shown_slice(self) -> int | None:
        """The open case's slice on the screen; ``None`` if no slice is shown."""
        case = self.state.case
        return None if case is None else shown_slice(self.viewer, case.labels, case.shape)

    def report(self, text: str) -> None:
        """Show a message in the studio's header, once: what is there already is not repeated."""
        self.state.messages = (*(known for known in self.state.messages if known != text), text)

    def report_error(self, error: Exception) -> None:
        """Show an error: one that is the user's to know in the header, any other as napari shows errors."""
        if isinstance(error, DataError | CaseBusyError):
            self.report(str(error))
        else:
            messages.tell_error(error)


def _checked(detail: Mapping[str, Any] | None) -> dict[str, Any]:
    """``detail`` as JSON keeps it: an edit that could never be written must not wait before others."""
    try:
        given: dict[str, Any] = json.loads(json.dumps(dict(detail or {}), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise DataError(f"the detail of an edit must be JSON: {error}") from error
    return given
