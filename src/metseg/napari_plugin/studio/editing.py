"""Keeps the labels on the screen, the journal on the disk and the state in step."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from qtpy.QtCore import QTimer
from superqt.utils import ensure_main_thread

from metseg.curation import CaseSession, Note, Status
from metseg.curation.names import safe_name
from metseg.errors import MetsegError
from metseg.napari_plugin.background import delayed
from metseg.napari_plugin.state import ConnectionMixin
from metseg.napari_plugin.studio.case_labels import CaseLabels, Edit, LabelArray
from metseg.napari_plugin.studio.state import Saved, StudioState
from metseg.napari_plugin.studio.writer import EditWriter
from metseg.study import write_tiff

#: Milliseconds after which voxels are looked for in any case that a program wrote without saying so.
_EVERY = 3000

#: Milliseconds in which slices that were looked at are gathered for one record of the journal.
_GATHER = 4000


class Editing(ConnectionMixin):
    """The open case while it is edited; ``session`` is closed by :meth:`close`."""

    def __init__(
        self,
        session: CaseSession,
        labels: CaseLabels,
        state: StudioState,
        report_error: Callable[[Exception], object],
    ) -> None:
        super().__init__()
        self._session = session
        self._labels = labels
        self._state = state
        self._report_error = report_error
        self._closed = False
        self._awaited = 0
        self._writer = EditWriter(session, ensure_main_thread(self._update_state))
        self._annotator = state.annotator
        self._written = 0
        self._shown_problem = ""
        self._looked_at: set[int] = set()
        self._keep_soon = delayed(self._keep_reviewed, _GATHER)
        self._check_soon = delayed(self._labels.check)
        self._check_anyway = QTimer()
        self._check_anyway.timeout.connect(self._labels.check)
        self._check_anyway.start(_EVERY)
        self.follow(labels, ("edited",), self._on_edited)
        self.follow(labels.events, ("set_data", "data"), lambda _: self._check_soon.start())
        self._update_state()

    def change_status(self, status: Status, reason: str) -> None:
        """Set the case's status, after all that was drawn."""
        self._submit_all()
        self._writer.change_status(partial(self._session.set_status, status, reason))
        self._update_state()

    def reopen(self) -> None:
        """Take an approval or rejection back, after all that was drawn."""
        self._submit_all()
        self._writer.change_status(self._session.reopen)
        self._update_state()

    def add_note(self, text: str) -> None:
        """Keep a note on the case."""
        self._writer.submit(partial(self._session.add_note, text))
        self._state.notes = (*self._state.notes, Note(text, self._annotator, datetime.now(UTC)))
        self._update_state()

    def mark_reviewed(self, z: int) -> None:
        """Keep that slice ``z`` was looked at: with others in a few seconds, or with the next flush."""
        if z not in self._session.reviewed:
            self._looked_at.add(z)
            if not self._keep_soon.isActive():
                self._keep_soon.start()

    @property
    def waiting(self) -> bool:
        """Whether something is not on the disk yet."""
        return self._writer.waiting > 0

    def when_saved(self, then: Callable[[bool], object]) -> None:
        """Call ``then`` with whether all that was drawn is on the disk, as soon as it is or cannot be; now if it is.

        A stroke in flight is not complete yet. Called with ``True`` once the case is closed.
        """
        if not self._closed:
            self._submit_all()
        waiting = self.waiting  # looked at first, so that the state that is shown next holds all that was written
        self._update_state()
        if self._closed or not waiting:
            then(True)
            return
        self._awaited += 1
        self._writer.when_done(ensure_main_thread(partial(self._on_written, then)))

    def _on_written(self, then: Callable[[bool], object]) -> None:
        self._awaited -= 1
        self._update_state()
        if self._writer.failure is not None and not self._closed:
            then(False)
        else:
            self.when_saved(then)  # more may have been drawn meanwhile

    def flush(self) -> bool:
        """Have all that was drawn on the disk before returning, which waits for it; ``False`` if that fails."""
        self._submit_all()
        done = self._writer.flush()
        self._update_state()
        return done

    def save_again(self) -> None:
        """Try once more what could not be written."""
        self._shown_problem = ""
        self._labels.check()
        self._writer.retry()

    def close(self, report: Callable[[str], object], *, wait: bool) -> None:
        """Put everything on the disk, before returning if it is to ``wait``, and let others in.

        If labels cannot be written where they belong they are saved elsewhere, and ``report`` is called with a message;
        so it is with the reason if a change of status was refused.
        """
        self._labels.check(finally_=True)
        self.unfollow()
        self._submit_reviewed()
        self._check_soon.stop()
        self._check_anyway.stop()
        self._closed = True
        tell = ensure_main_thread(report)
        rescue = partial(_save_elsewhere, self._session.name, self._labels.data, tell)
        self._writer.close(rescue, tell, wait=wait)

    def wait(self) -> None:
        """Wait until the case is closed; after :meth:`close`, in any thread."""
        self._writer.wait()

    def _keep_reviewed(self) -> None:
        if self._looked_at:
            self._submit_reviewed()
            self._update_state()

    def _submit_all(self) -> None:
        """Have the writer know of everything but a stroke in flight."""
        self._labels.check()
        self._submit_reviewed()

    def _submit_reviewed(self) -> None:
        self._keep_soon.stop()
        if self._looked_at:
            self._writer.submit(partial(self._session.mark_reviewed, frozenset(self._looked_at)))
            self._looked_at.clear()

    def _on_edited(self, edit: Edit) -> None:
        if edit.prediction_edit is not None:
            self._submit_reviewed()  # it was the prediction before this one that was looked at
        self._writer.commit(edit)
        self._state.saved = Saved.SAVING if not self._writer.problem else Saved.FAILED
        self._state.edits += 1

    def _update_state(self) -> None:
        state, writer, session = self._state, self._writer, self._session
        if self._closed or session.closed:
            return
        state.status, state.reason = session.status, session.reason
        state.problem = writer.problem
        saving = writer.waiting or self._awaited
        state.saved = Saved.FAILED if writer.problem else Saved.SAVING if saving else Saved.SAVED
        prediction = writer.prediction()
        if prediction is not None and state.case is not None:
            state.case = replace(state.case, prediction=prediction)
        if writer.written != self._written:
            self._written = writer.written
            state.cases = tuple(session.summary if case.name == session.name else case for case in state.cases)
            state.commits += 1
        for refusal in writer.refused():
            self._report_error(refusal)
        if writer.failure is not None and writer.problem != self._shown_problem:
            self._report_error(writer.failure)
        self._shown_problem = writer.problem


def _save_elsewhere(name: str, labels: LabelArray, report: Callable[[str], object], problem: str) -> None:
    """Save labels where there may be room, so that what was drawn is not lost with the window."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="metseg-rescued-"))
        path = folder / f"{safe_name(name, 80) or 'case'}-{datetime.now():%Y%m%d-%H%M%S}.tif"
        write_tiff(path, labels, channels=False)
    except (OSError, MetsegError) as error:
        report(f"{name}: what you drew last is lost: it could not be saved ({problem}), nor elsewhere ({error})")
        return
    report(f"{name}: could not be saved where it belongs ({problem}). Saved in {path}")
