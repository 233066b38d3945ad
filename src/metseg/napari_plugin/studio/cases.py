"""One case after the other: opened in a thread, shown, saved, closed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer

from metseg.curation import Project, Status
from metseg.errors import CaseBusyError, DataError
from metseg.napari_plugin.background import ChunkedTask, LatestOnlyWorker, Steps
from metseg.napari_plugin.navigation import go_to_slice
from metseg.napari_plugin.state import ConnectionMixin
from metseg.napari_plugin.studio.case_layers import CaseLayers, OwnLayers
from metseg.napari_plugin.studio.editing import Editing
from metseg.napari_plugin.studio.open_case import CaseLoader, LoadedCase, OpenCase, first_slice
from metseg.napari_plugin.studio.shortcuts import Shortcuts
from metseg.napari_plugin.studio.state import Saved, StudioState

if TYPE_CHECKING:
    from napari.components import ViewerModel


class CaseOpener(ConnectionMixin):
    """Keeps at most one case open, and its layers in the viewer; ``shortcuts`` are bound on its labels, too."""

    def __init__(
        self,
        viewer: ViewerModel,
        own: OwnLayers,
        state: StudioState,
        shortcuts: Shortcuts,
        report: Callable[[str], object],
        report_error: Callable[[Exception], object],
    ) -> None:
        super().__init__()
        self._viewer = viewer
        self._state = state
        self._shortcuts = shortcuts
        self._report = report
        self._report_error = report_error
        self._loader: CaseLoader | None = None
        self._loading = LatestOnlyWorker(self._on_loaded, report_error)
        self._editing: Editing | None = None
        self._wanted: Callable[[], object] | None = None
        self._closed: Callable[[], object] = lambda: None
        self._layers = CaseLayers(viewer, own)
        self._showing_case = ChunkedTask()
        self.follow(viewer.layers.events, ("removed",), self._on_removed)

    @property
    def busy(self) -> bool:
        """Whether a case is being opened, or something is not on the disk yet."""
        return self._loader is not None or self._wanted is not None or self._state.saved is Saved.SAVING

    # Opening

    def open(self, name: str, *, read_only: bool = False) -> None:
        """Close what is open, and open case ``name`` in a thread; nothing is opened if something cannot be saved."""
        project = self._state.project
        if project is not None:
            self._leave_then(partial(self._load, project, name, read_only))
            if self._wanted is not None:
                self._state.opening_case = name

    def _load(self, project: Project, name: str, read_only: bool) -> None:
        self._state.messages, self._state.refused, self._state.refusal = (), "", ""
        loader = CaseLoader(project, name, self._state.annotator, after=self._closed, read_only=read_only)
        self._loader = loader
        self._state.opening_case = name
        self._loading.submit(_attempt, loader)

    def _on_loaded(self, outcome: tuple[CaseLoader, LoadedCase | Exception]) -> None:
        loader, loaded = outcome
        if loader is not self._loader:
            return  # it was given up
        if isinstance(loaded, Exception):
            self._loader = None
            self._state.opening_case = ""
            self._layers.hide()
            if isinstance(loaded, CaseBusyError | DataError) and not loader.read_only:
                self._state.refusal, self._state.refused = str(loaded), loader.name
            self._report_error(loaded)
        else:
            self._showing_case.run(self._showing(loader, loaded))

    def _showing(self, loader: CaseLoader, loaded: LoadedCase) -> Steps:
        """Fill the layers in as many turns as they need, then let the case be edited."""
        try:
            images, labels = yield from self._layers.show(loaded)
            go_to_slice(self._viewer, labels, first_slice(labels.data))
            yield
            self._begin(loader, OpenCase.of(loaded, images, labels), loaded)
        except Exception:
            self._give_up()
            self._layers.hide()
            raise

    def _begin(self, loader: CaseLoader, case: OpenCase, loaded: LoadedCase) -> None:
        loader.take()
        self._loader = None
        self._state.lesion, self._state.reviewed, self._state.slices = 0, frozenset(), ()
        self._state.status, self._state.reason = case.view.status, case.view.reason
        self._state.saved, self._state.problem = Saved.NOTHING, ""
        self._state.notes = loaded.notes
        if case.session is not None:
            case.labels.unlock()
            self._editing = Editing(case.session, case.labels, self._state, self._report_error)
        self._shortcuts.follow(case.labels)
        self._state.case = case
        self._state.opening_case = ""
        for text in (str(case.view.recovery or ""), loaded.problem):
            if text:
                self._report(f"{case.name}: {text}")

    # Editing

    def set_status(self, status: Status, reason: str = "") -> None:
        """Set the status of the open case, once all that was drawn is on the disk; else it is reported why not."""
        if (editing := self._complete_editing()) is not None:
            editing.change_status(status, reason)

    def reopen(self) -> None:
        """Take an approval or rejection back, once all that was drawn is on the disk; else it is reported why not."""
        if (editing := self._complete_editing()) is not None:
            editing.reopen()

    def add_note(self, text: str) -> None:
        """Keep a note on the open case; none is kept of a case that is open read-only."""
        if self._editing is not None:
            self._editing.add_note(text)

    def mark_reviewed(self, z: int) -> None:
        """Keep that slice ``z`` was looked at; nothing is kept of a case that is open read-only."""
        if self._editing is not None:
            self._editing.mark_reviewed(z)

    def _complete_editing(self) -> Editing | None:
        """The open case's editing, with no stroke in flight; else what is in the way is reported."""
        case, editing = self._state.case, self._editing
        if case is None or editing is None:
            self._report_error(DataError("no case is open for editing"))
        elif case.labels.drawing:
            self._report_error(DataError("finish the stroke first"))
        else:
            return editing
        return None

    @property
    def waiting(self) -> bool:
        """Whether something that was drawn is not on the disk yet."""
        return self._editing is not None and self._editing.waiting

    def when_saved(self, then: Callable[[bool], object]) -> None:
        """Call ``then`` with whether all that was drawn is on the disk, as soon as it is or cannot be; now if it is."""
        if self._editing is None:
            then(True)
        else:
            self._editing.when_saved(then)

    def flush(self) -> bool:
        """Have all that was drawn on the disk before returning, which waits for it; ``False`` if that fails."""
        return self._editing is None or self._editing.flush()

    def save_again(self) -> None:
        """Try once more what could not be written."""
        if self._editing is not None:
            self._editing.save_again()

    # Closing

    def close(self, then: Callable[[], object] = lambda: None) -> None:
        """Save and close the open case, empty and hide its layers, and call ``then``: now, unless it must be saved.

        If it cannot be saved it stays open, and ``then`` is not called.
        """

        def hide() -> None:
            self._layers.hide()
            then()

        self._leave_then(hide)

    def close_now(self) -> None:
        """Save and close the open case before returning, and hide its layers; this waits for the disk.

        What cannot be saved where it belongs is saved elsewhere, which is reported.
        """
        self._end_case()
        self._layers.hide()

    def end(self) -> None:
        """Save and close the open case before the process or the window goes; layers stay as they are."""
        self.unfollow()
        self._end_case()
        self._loading.forget()

    def _end_case(self) -> None:
        self._wanted = None
        self._abandon_loading()
        if self._state.case is not None:
            self._leave(self._state.case, wait=True)

    def _leave_then(self, then: Callable[[], object]) -> None:
        """Save and close the open case, and call ``then``; what was to be called until now is not.

        If the case cannot be saved it stays open, that is reported, and ``then`` is not called.
        """
        self._abandon_loading()
        self._state.opening_case = ""
        self._wanted = then
        self.when_saved(partial(self._on_saved, then))

    def _on_saved(self, then: Callable[[], object], saved: bool) -> None:
        if self._wanted is not then:
            return
        self._wanted = None
        self._state.opening_case = ""
        case = self._state.case
        if case is not None:
            if not saved:
                self._report_error(DataError(f"{case.name}: is not saved: {self._state.problem}"))
                return
            self._leave(case, wait=False)
            case.labels.retire()
        then()

    def _leave(self, case: OpenCase, *, wait: bool) -> None:
        state, editing, self._editing = self._state, self._editing, None
        self._shortcuts.follow(None)
        if editing is not None:
            editing.close(self._report, wait=wait)
            self._closed = editing.wait
        case.labels.lock()
        state.case, state.lesion, state.slices, state.reviewed, state.proposal = None, 0, (), frozenset(), None
        state.notes = ()
        state.saved, state.problem, state.status, state.reason = Saved.NOTHING, "", Status.TODO, ""

    def _abandon_loading(self) -> None:
        self._showing_case.stop()
        self._give_up()

    def _give_up(self) -> None:
        loader, self._loader = self._loader, None
        if loader is not None:
            loader.give_up()
            self._closed = loader.wait
            self._state.opening_case = ""

    def _on_removed(self, event: Any) -> None:
        """The user has removed the labels: what was drawn is saved now; the rest goes when napari is done removing."""
        case = self._state.case
        if case is None or event.value is not case.labels:
            return
        self._leave(case, wait=False)
        self._report(
            f"{case.name} was closed, for its lesions were removed from the list of layers. "
            "What you drew is being saved: open it again under Review."
        )
        QTimer.singleShot(0, self._layers.hide)


def _attempt(loader: CaseLoader) -> tuple[CaseLoader, LoadedCase | Exception]:
    try:
        return loader, loader.load()
    except Exception as error:  # whatever it is: the window shows why the case does not open
        return loader, error
